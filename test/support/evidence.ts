/** Evidence for stories: a device that had a good session over MQTT, and whatever the story changes. */
import type { Ending, Evidence, FailedAttempt, LinkTrouble, PastSession } from '../../agent/evidence/episode.js'
import { nothingSeen } from '../../agent/evidence/surroundings.js'
import type { ClosedEvent, Failure, ServerCertificate, Stage } from '../../transports/wire-event.js'

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
    cameBack: null,
    protocolChanges: [],
    reassignedTo: null,
    application: false,
    stoodStillMs: 0,
    sdkSaid: null,
    history: [],
    credentialWorked: true,
    clock: { wallMs: nowMs, plausible: true, synchronised: true },
    carriedOver: null,
    beforeStartMs: 0,
    host: nothingSeen,
    probes: [],
    ...story,
  }
}

export const closed = (stage: Stage, end: Partial<ClosedEvent> = {}): ClosedEvent => ({
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
  protocol: 'mqtt',
  stage: 'tcp',
  outcome: 'closed',
  step: null,
  code: null,
  reason: '',
  headers: {},
  closed: null,
  error: null,
  certificate: null,
  host: hub,
  port: 8883,
  gateway: false,
  addresses: [hubAddress],
  proxy: null,
  attached: [],
  links: [],
  credential: null,
  endedMs: nowMs,
  reassignedTo: null,
  answersForMs: 2_000,
}

/** An attempt that was closed at a stage. */
export const failedAt = (
  stage: Stage,
  end: Partial<ClosedEvent> = {},
  more: Partial<FailedAttempt> = {},
): FailedAttempt => {
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
  step: 'connack',
  code,
  ...more,
})

/** An attempt over AMQP whose put-token the hub did not take. */
export const cbsRefused = (status: number, reason = '', more: Partial<FailedAttempt> = {}): FailedAttempt =>
  refused(status, { protocol: 'amqp', port: 5671, step: 'cbs', reason, attached: ['$cbs', '$cbs'], ...more })

/** An attempt that got an HTTP answer in place of a tunnel or a WebSocket. */
export const httpRefused = (
  step: 'proxy' | 'upgrade',
  status: number,
  headers: Record<string, string> = {},
  more: Partial<FailedAttempt> = {},
): FailedAttempt =>
  refused(status, {
    protocol: 'mqtt-ws',
    port: 443,
    stage: step === 'proxy' ? 'tcp' : 'upgrade',
    step,
    headers,
    ...more,
  })

/** An attempt for which nothing was dialled. */
export const undialled = (outcome: 'provisioning' | 'credential', error: Failure | null): FailedAttempt => ({
  ...attempt,
  stage: null,
  outcome,
  error,
  host: '',
  port: 0,
  addresses: [],
})

/** What the hub says when it closes an AMQP connection. */
export const amqpError = (condition: string | null, message = ''): Failure => ({
  name: 'AmqpError',
  message,
  ...(condition === null ? {} : { code: condition }),
})

/** An attempt over AMQP that the hub closed before it had accepted it. */
export const amqpClosedAt = (
  condition: string | null,
  message = '',
  more: Partial<FailedAttempt> = {},
): FailedAttempt =>
  failedAt(
    'auth',
    { protocol: 'amqp', by: 'hub', how: 'goodbye', error: amqpError(condition, message) },
    { protocol: 'amqp', port: 5671, ...more },
  )

export const trouble = (condition: string | null, more: Partial<LinkTrouble> = {}): LinkTrouble => ({
  what: 'detached',
  link: 'methods',
  role: 'receiver',
  condition,
  description: null,
  beforeEndMs: 5,
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
export const lost = (
  end: Partial<ClosedEvent> = {},
  subscribed = true,
  more: Partial<Ending & { kind: 'closed' }> = {},
): Ending => ({
  kind: 'closed',
  event: closed('session', end),
  subscribed,
  credential: null,
  endedMs: nowMs,
  links: [],
  renewalRefused: null,
  ...more,
})

export const past = (lastedMs: number, end: Partial<ClosedEvent> = {}, subscribed = true): PastSession => ({
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
  return { ending: lost(last.closed, last.subscribed), history: sessions }
}
