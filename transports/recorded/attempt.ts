/**
 * One attempt of an application's transport and, if it is accepted, its session, told in the words of the wire: whatever the
 * observers see and in which order, an attempt ends once.
 */
import type { Clock } from '../clock.js'
import { flatten } from '../failure.js'
import type {
  ClosedBy,
  ClosedHow,
  CredentialKind,
  Failure,
  LinkRole,
  OurReason,
  Protocol,
  RefusingStep,
  ServerCertificate,
  Stage,
  WireEvent,
} from '../wire-event.js'
import type { AttemptTeller } from './recorder.js'

/** A close this soon after the first publish may be the hub's answer to it. */
const publishEchoMs = 1_000

export type Destination = Readonly<{
  protocol: Protocol
  host: string
  port: number
  gateway: boolean
  credential: Readonly<{ kind: CredentialKind; expiresAt: string | null }>
}>

/** What is known of an end beside the fact that it is one. */
export type End = Readonly<{
  by: ClosedBy
  how: ClosedHow
  reason?: OurReason | null
  error?: Failure | null
  certificate?: ServerCertificate | null
}>

/** How it ended, as far as those above the wire ask. */
export type Ending = Readonly<{ wasSession: boolean; byApplication: boolean }>

export interface Attempt {
  readonly number: number
  readonly destination: Destination
  readonly over: boolean
  readonly stage: Stage
  readonly isSession: boolean
  /** Since the last byte that is known to have come, or since the beginning. */
  readonly silentMs: number
  /** For how long a ping has waited for its answer. */
  readonly pingUnansweredMs: number | null
  resolved(addresses: readonly string[]): void
  tcpConnected(address: string, localAddress: string): void
  tlsSecured(version: string, cipher: string, certificate: ServerCertificate): void
  upgraded(status: number): void
  tokenSent(): void
  authorized(status: number, description: string): void
  accepted(sessionPresent: boolean | null): void
  refused(step: RefusingStep, code: number, reason: string, headers?: Readonly<Record<string, string>>): void
  attached(link: string, role: LinkRole): void
  detached(link: string, role: LinkRole, condition: string | null, description: string | null): void
  rejected(link: string, condition: string | null, description: string | null): void
  subscribed(granted: Readonly<Record<string, number>>): void
  pingSent(): void
  pongReceived(): void
  /** For every packet, so they cost next to nothing. */
  heard(): void
  publishing(isAcknowledged: boolean): void
  published(count?: number): void
  /** How many bytes went over the socket so far. */
  countBytes(count: () => Readonly<{ read: number; written: number }>): void
  /** The first word about an end counts. */
  closed(end: End): void
  /** The socket is gone, with this error or without; what had been seen before says what that means. */
  lost(error: unknown, certificate?: ServerCertificate | null): void
  sdkError(during: 'open' | 'session' | 'methods', error: Failure): void
  renewalStarted(id: string): void
  renewalDone(id: string, ok: boolean): void
  retryScheduled(delayMs: number, failures: number): void
}

const round = (ms: number): number => Math.round(ms * 1e3) / 1e3

const subackRefused = 0x80

function suspended(clock: Clock): number {
  const { bootMs, monoMs } = clock.now()
  return bootMs - monoMs
}

/** @param onEnd told after the event that ends the attempt or its session */
export function startAttempt(
  destination: Destination,
  { number, tell }: AttemptTeller,
  clock: Clock,
  onEnd: (ending: Ending) => void,
): Attempt {
  const { protocol, host, port, gateway, credential } = destination
  const startedMs = clock.now().bootMs
  let over = false
  let stage: Stage = 'dns'
  let stepMs = startedMs
  /** When something was heard last, of `performance`: a cell that is written without making a new number. */
  const heard = new Float64Array([performance.now()])
  /** How long the host has been suspended since it booted, when that was looked at last. */
  let suspendedMs = suspended(clock)
  let tokenMs = startedMs
  let acceptedMs: number | null = null
  let pingSentMs: number | null = null
  let firstPublishMs: number | null = null
  let bytes = (): Readonly<{ read: number; written: number }> => ({ read: 0, written: 0 })
  let inFlight = 0
  const silentMs = (): number => performance.now() - heard[0]! + suspended(clock) - suspendedMs
  const hear = (): void => {
    heard[0] = performance.now()
  }

  const say = (event: Told): void => tell({ ...event, ...stampOf() } as WireEvent)
  const stampOf = () => ({ monoMs: clock.now().monoMs, protocol, attempt: number })
  /** Of a step of the attempt: not after its end. */
  const step = (next: Stage, event: (ms: number) => Told): void => {
    if (over || acceptedMs !== null) return
    const nowMs = clock.now().bootMs
    const ms = round(nowMs - stepMs)
    stage = next
    stepMs = nowMs
    say(event(ms))
  }
  const inSession = (event: Told): void => {
    if (!over && acceptedMs !== null) say(event)
  }
  const whileOpen = (event: Told): void => {
    if (!over) say(event)
  }
  const pingUnansweredMs = (): number | null => (pingSentMs === null ? null : round(clock.now().bootMs - pingSentMs))

  const closed = ({ by, how, reason = null, error = null, certificate = null }: End): void => {
    if (over) return
    over = true
    const nowMs = clock.now().bootMs
    const { read, written } = bytes()
    say({
      type: 'closed',
      by,
      how,
      stage,
      reason,
      error,
      certificate,
      silentMs: round(silentMs()),
      lastedMs: acceptedMs === null ? null : round(nowMs - acceptedMs),
      pingUnansweredMs: pingUnansweredMs(),
      inFlightPublishes: inFlight,
      afterPublish: firstPublishMs !== null && nowMs - firstPublishMs < publishEchoMs,
      bytesRead: read,
      bytesWritten: written,
    })
    onEnd({ wasSession: acceptedMs !== null, byApplication: by === 'application' })
  }

  say({ type: 'connecting', host, port, gateway, credential })

  return {
    number,
    destination,
    get over() {
      return over
    },
    get stage() {
      return stage
    },
    get isSession() {
      return acceptedMs !== null
    },
    get silentMs() {
      return silentMs()
    },
    get pingUnansweredMs() {
      return pingUnansweredMs()
    },
    resolved: addresses => step('tcp', ms => ({ type: 'resolved', addresses, ms })),
    tcpConnected: (address, localAddress) => step('tls', ms => ({ type: 'tcpConnected', address, localAddress, ms })),
    tlsSecured(version, cipher, certificate) {
      hear()
      const next = protocol.endsWith('-ws') ? 'upgrade' : 'auth'
      step(next, ms => ({ type: 'tlsSecured', version, cipher, certificate, ms }))
    },
    upgraded: status => step('auth', ms => ({ type: 'upgraded', status, ms })),
    authorized(status, description) {
      // In a session it is a renewal's.
      whileOpen({ type: 'authorized', status, description, ms: round(clock.now().bootMs - tokenMs) })
    },
    tokenSent() {
      tokenMs = clock.now().bootMs
    },
    accepted(sessionPresent) {
      if (over || acceptedMs !== null) return
      step('session', ms => ({ type: 'accepted', sessionPresent, ms }))
      acceptedMs = clock.now().bootMs
    },
    refused(refusing, code, reason, headers) {
      if (over || acceptedMs !== null) return
      over = true
      say({ type: 'refused', step: refusing, code, reason, ...(headers === undefined ? {} : { headers }) })
      onEnd({ wasSession: false, byApplication: false })
    },
    // AMQP signs in over a link of its own.
    attached: (link, role) => (link === '$cbs' ? whileOpen : inSession)({ type: 'attached', link, role }),
    detached: (link, role, condition, description) =>
      (link === '$cbs' ? whileOpen : inSession)({ type: 'detached', link, role, condition, description }),
    rejected: (link, condition, description) => inSession({ type: 'rejected', link, condition, description }),
    subscribed: granted =>
      inSession({ type: 'subscribed', granted, ok: Object.values(granted).every(code => code < subackRefused) }),
    pingSent() {
      if (over || acceptedMs === null || pingSentMs !== null) return
      pingSentMs = clock.now().bootMs
      // The keepalive of the SDK comes whatever else is sent, so this is never long ago.
      suspendedMs = suspended(clock)
      say({ type: 'pingSent' })
    },
    pongReceived() {
      if (over || pingSentMs === null) return
      const rttMs = round(clock.now().bootMs - pingSentMs)
      pingSentMs = null
      say({ type: 'pongReceived', rttMs })
    },
    heard: hear,
    publishing(isAcknowledged) {
      if (firstPublishMs === null) firstPublishMs = clock.now().bootMs
      if (isAcknowledged) inFlight += 1
    },
    published(count = 1) {
      inFlight = Math.max(0, inFlight - count)
    },
    countBytes(count) {
      bytes = count
    },
    closed,
    lost: (error, certificate = null) =>
      closed({ ...whoseEnd(error === undefined || error === null ? null : flatten(error), stage), certificate }),
    // What is said from above the wire may come when the attempt is over.
    sdkError: (during, error) => say({ type: 'sdkError', during, error }),
    renewalStarted: id => inSession({ type: 'renewalStarted', id, why: 'sas' }),
    renewalDone: (id, ok) => say({ type: 'renewalDone', id, ok }),
    retryScheduled: (delayMs, failures) =>
      say({ type: 'retryScheduled', delayMs: Math.round(delayMs), failures, policy: 'application' }),
  }
}

type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never
type Told = DistributiveOmit<WireEvent, 'monoMs' | 'protocol' | 'attempt'>

/** A FIN before TLS was done comes as ECONNRESET without a system call; only one with a call is a reset. */
function whoseEnd(error: Failure | null, stage: Stage): End {
  // Nobody closed and nothing failed: the SDK let go of its socket.
  if (error === null) return { by: 'us', how: 'error', reason: 'abandoned' }
  const met = error.errors?.find(each => each.code === 'ECONNRESET') ?? error
  if (met.code === 'ECONNRESET') {
    return met.syscall ? { by: 'unknown', how: 'rst', error } : { by: 'hub', how: 'fin', error }
  }
  if (met.code === 'EPIPE') return { by: 'unknown', how: 'rst', error }
  if (met.code === 'ETIMEDOUT' && stage !== 'dns') return { by: 'network', how: 'timeout', error }
  return { by: stage === 'tls' ? 'us' : 'network', how: 'error', error }
}
