/** What rules ask of the wire's own words: which error it was at bottom, and how something ended. */
import type { ClosedEvent, Failure, Protocol, ServerCertificate, Stage } from '../../transports/wire-event.js'
import type { Ending, FailedAttempt } from '../evidence/episode.js'

/** What rules look at in anything that was closed: a failed attempt or a session. */
export type Close = Readonly<{ closed: ClosedEvent; stage: Stage; error: Failure | null }>

export function closeOfAttempt(attempt: FailedAttempt): Close | null {
  const { outcome, closed, stage, error } = attempt
  if (outcome !== 'closed' || closed === null || stage === null) return null
  return { closed, stage, error: closed.error ?? error }
}

export const closeOfEnding = (ending: Ending): Close | null =>
  ending.kind === 'closed' ? { closed: ending.event, stage: ending.event.stage, error: ending.event.error } : null

/**
 * The errors at bottom. A dual-stack attempt met one at each address, and its own code is only that of the first: on a
 * host without IPv6 it says "unreachable" while IPv4 was refused.
 */
export function innermost(failure: Failure | null): readonly Failure[] {
  if (failure === null) return []
  if (failure.errors !== undefined && failure.errors.length > 0) return failure.errors.flatMap(innermost)
  if (failure.code === undefined && failure.from !== undefined) return innermost(failure.from)
  return [failure]
}

/** The first error at bottom that has one of these codes. */
export const findCode = (failure: Failure | null, codes: ReadonlySet<string>): Failure | undefined =>
  innermost(failure).find(({ code }) => code !== undefined && codes.has(code))

const timedOut = new Set(['ETIMEDOUT'])

/** Nobody answered: our own timer ran out, or the kernel gave up repeating itself. */
export const wentUnanswered = ({ closed, error }: Close): boolean =>
  closed.how === 'timeout' || findCode(error, timedOut) !== undefined

/** Longer than a ping's answer takes on a line that works, also a slow one. */
const deafMs = 1_000

/**
 * The line was silent before it was closed: nobody answered, or a ping had gone unanswered while the other side's own
 * timer ran out and it said goodbye first. Both wait one and a half keepalives, so either may win.
 */
export const wasSilent = (closed: ClosedEvent): boolean =>
  closed.stage === 'session' &&
  (wentUnanswered({ closed, stage: closed.stage, error: closed.error }) || heardNothingBack(closed))

/**
 * A hub that hears nothing closes half a keepalive after the ping that it missed, and by then a keepalive and a half have
 * passed since its last word: the ping was out for a third of the silence. A ping that was only just sent says nothing.
 */
export const heardNothingBack = ({ by, pingUnansweredMs, silentMs }: ClosedEvent): boolean =>
  by !== 'us' && by !== 'application' && pingUnansweredMs !== null && pingUnansweredMs >= Math.max(deafMs, silentMs / 4)

/** Nothing that was sent arrived any more, while the other side was heard all the time. */
export const wasHeard = ({ reason, pingUnansweredMs, silentMs }: ClosedEvent): boolean =>
  reason === 'silence' && pingUnansweredMs !== null && silentMs < pingUnansweredMs

/**
 * How long before its end a silent session was lost: since the last that was heard, or the ping that was answered no more, whichever
 * is older. A goodbye that came after it does not make it younger.
 */
export const lostForMs = (closed: ClosedEvent): number =>
  wasSilent(closed) ? Math.max(closed.silentMs, closed.pingUnansweredMs ?? 0) : 0

/** A reset names the system call that met it; Node reports a FIN before TLS was done as one that does not. */
export function isReset({ closed, error }: Close): boolean {
  if (isOurs(closed)) return false
  const resets = innermost(error).filter(({ code }) => code === 'ECONNRESET')
  if (resets.length > 0) return resets.some(({ syscall }) => syscall !== undefined)
  return closed.how === 'rst' && !isBrokenPipe({ error })
}

export const isBrokenPipe = ({ error }: Pick<Close, 'error'>): boolean =>
  innermost(error).some(({ code }) => code === 'EPIPE')

/** Below MQTT and AMQP, WebSocket has a goodbye of its own, which any server or proxy may say. */
export const isWebSocketClose = ({ error }: Pick<Close, 'error'>): boolean => error?.name === 'WebSocketClose'

export const isFin = ({ closed, error }: Close): boolean =>
  !isOurs(closed) &&
  (closed.how === 'fin' ||
    isWebSocketClose({ error }) ||
    innermost(error).some(({ code, syscall }) => code === 'ECONNRESET' && syscall === undefined))

export const isOurs = ({ by }: ClosedEvent): boolean => by === 'us' || by === 'application'

/** We let go of it ourselves, for a reason that says nothing of the road to the hub. */
export function wasInterrupted(attempt: FailedAttempt): boolean {
  const closed = attempt.closed
  if (attempt.outcome !== 'closed' || closed === null || closed.how === 'timeout') return false
  return closed.by === 'application' || (closed.by === 'us' && closed.reason !== null && letGo.has(closed.reason))
}

const letGo: ReadonlySet<string> = new Set(['shutdown', 'abandoned', 'renewal'])

export const speaksMqtt = (protocol: Protocol): boolean => protocol === 'mqtt' || protocol === 'mqtt-ws'

/** Nothing was dialled, because nobody said where to or there was nothing to sign in with; and this is why. */
export const whyNotDialled = ({ outcome, error }: FailedAttempt): Failure | null =>
  outcome === 'provisioning' || outcome === 'credential' ? error : null

/** The errors of the attempt name a proxy: it is the proxy that was dialled, and not the hub. */
export const isAboutProxy = ({ error, closed, host }: FailedAttempt): boolean =>
  namesProxy(closed?.error ?? error, host.toLowerCase())

function namesProxy(failure: Failure | null, host: string): boolean {
  if (failure === null) return false
  const told = `${failure.name} ${failure.message}`.toLowerCase()
  // A hub may have that word in its own name.
  const others = host === '' ? told : told.replaceAll(host, '')
  return (
    others.includes('proxy') ||
    namesProxy(failure.from ?? null, host) ||
    (failure.errors ?? []).some(each => namesProxy(each, host))
  )
}

export const certificateOf = (attempt: FailedAttempt): ServerCertificate | null =>
  attempt.certificate ?? attempt.closed?.certificate ?? null
