/** Evidence for stories: a device that had a good session over MQTT, and whatever the story changes. */
import type { Ending, Evidence, FailedAttempt, PastSession } from '../../agent/evidence/episode.js'
import type { Closed, ClosedEvent, Failure, ServerCertificate, Stage } from '../../transports/wire-event.js'

export const hub = 'my-hub.azure-devices.net'
export const hubAddress = '20.49.110.129'

/** 2026-11-22T10:00:00.000Z */
export const nowMs = 1_795_341_600_000

export const evidenceOf = (story: Partial<Evidence> = {}): Evidence => {
  const failed = story.failed ?? []
  return {
    protocol: 'mqtt',
    ending: { kind: 'start' },
    failed,
    failedCount: failed.length,
    ended: true,
    history: [],
    credentialWorked: true,
    clock: { wallMs: nowMs, plausible: true, synchronised: true },
    carriedOver: null,
    beforeStartMs: 0,
    ...story,
  }
}

export const closed = (stage: Stage, end: Partial<Closed> = {}): ClosedEvent => ({
  type: 'closed',
  monoMs: 90_000,
  protocol: 'mqtt',
  attempt: 1,
  by: 'hub',
  how: 'fin',
  stage,
  reason: null,
  error: null,
  certificate: null,
  silentMs: 12_000,
  lastedMs: stage === 'session' ? 90_000 : null,
  pingUnansweredMs: null,
  inFlightPublishes: 0,
  afterPublish: false,
  bytesRead: 4_096,
  bytesWritten: 2_048,
  ...end,
})

const attempt: FailedAttempt = {
  stage: 'tcp',
  outcome: 'closed',
  code: null,
  closed: null,
  error: null,
  certificate: null,
  host: hub,
  port: 8883,
  gateway: false,
  addresses: [hubAddress],
  answersForMs: 2_000,
}

/** An attempt that was closed at a stage. */
export const failedAt = (stage: Stage, end: Partial<Closed> = {}, more: Partial<FailedAttempt> = {}): FailedAttempt => {
  const event = closed(stage, end)
  const { error, certificate } = event
  return {
    ...attempt,
    stage,
    closed: event,
    error,
    certificate,
    addresses: stage === 'dns' ? [] : [hubAddress],
    ...more,
  }
}

/** An attempt that an error closed, as the transport tells it. */
export const failedWith = (stage: Stage, error: Failure, more: Partial<FailedAttempt> = {}): FailedAttempt =>
  failedAt(stage, { by: stage === 'tls' ? 'us' : 'network', how: 'error', error }, more)

/** An attempt whose step our own timer cut off. */
export const timedOutAt = (stage: Stage, more: Partial<FailedAttempt> = {}): FailedAttempt =>
  failedAt(stage, { by: 'us', how: 'timeout', reason: 'slow', silentMs: 10_000 }, more)

/** An attempt that the hub answered with a CONNACK other than 0. */
export const refused = (code: number, more: Partial<FailedAttempt> = {}): FailedAttempt => ({
  ...attempt,
  stage: 'auth',
  outcome: 'refused',
  code,
  ...more,
})

export const systemError = (code: string, syscall: string, where = `${hubAddress}:8883`): Failure => ({
  name: 'Error',
  message: `${syscall} ${code} ${where}`,
  code,
  syscall,
  address: where,
})

export const tlsError = (code: string, message: string): Failure => ({ name: 'Error', message, code })

/** What Node says when a dual-stack attempt has failed at each address: an empty message and the first one's code. */
export const dualStack = (...errors: Failure[]): Failure => ({
  name: 'AggregateError',
  message: '',
  ...(errors[0]?.code === undefined ? {} : { code: errors[0].code }),
  errors,
})

export const certificate = (more: Partial<ServerCertificate> = {}): ServerCertificate => ({
  subject: 'CN=*.azure-devices.net',
  issuer: 'CN=Proxy Root, O=Example Ltd',
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: '2027-01-01T00:00:00.000Z',
  altNames: 'DNS:*.azure-devices.net',
  fingerprint256: 'AA:BB',
  knownRoot: null,
  ...more,
})

/** How a session ended. */
export const lost = (end: Partial<Closed> = {}, subscribed = true): Ending => ({
  kind: 'closed',
  event: closed('session', end),
  subscribed,
})

export const past = (lastedMs: number, end: Partial<Closed> = {}, subscribed = true): PastSession => ({
  startedMs: nowMs - lastedMs,
  endedMs: nowMs,
  lastedMs,
  subscribed,
  closed: closed('session', { lastedMs, ...end }),
})

/** The sessions before, the last of them the one that was lost. */
export const after = (...sessions: PastSession[]): Pick<Evidence, 'ending' | 'history'> => {
  const last = sessions.at(-1)
  if (last === undefined) return { ending: { kind: 'start' }, history: [] }
  return { ending: { kind: 'closed', event: last.closed, subscribed: last.subscribed }, history: sessions }
}
