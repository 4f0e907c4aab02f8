/** What rules ask of the wire's own words: which error it was at bottom, and how something ended. */
import type { ClosedEvent, Failure, ServerCertificate, Stage } from '../../transports/wire-event.js'
import type { Ending, Evidence, FailedAttempt } from '../evidence/episode.js'

/** What rules look at in anything that was closed: a failed attempt or a session. */
export type Close = Readonly<{ closed: ClosedEvent; stage: Stage; error: Failure | null }>

export function closeOfAttempt(attempt: FailedAttempt): Close | null {
  if (attempt.outcome !== 'closed' || attempt.closed === null) return null
  return { closed: attempt.closed, stage: attempt.stage, error: attempt.closed.error ?? attempt.error }
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

/** A reset names the system call that met it; Node reports a FIN before TLS was done as one that does not. */
export function isReset({ closed, error }: Close): boolean {
  if (isOurs(closed)) return false
  const resets = innermost(error).filter(({ code }) => code === 'ECONNRESET')
  if (resets.length > 0) return resets.some(({ syscall }) => syscall !== undefined)
  return closed.how === 'rst' && !isBrokenPipe({ error })
}

export const isBrokenPipe = ({ error }: Pick<Close, 'error'>): boolean =>
  innermost(error).some(({ code }) => code === 'EPIPE')

export const isFin = ({ closed, error }: Close): boolean =>
  !isOurs(closed) &&
  (closed.how === 'fin' || innermost(error).some(({ code, syscall }) => code === 'ECONNRESET' && syscall === undefined))

export const isOurs = ({ by }: ClosedEvent): boolean => by === 'us' || by === 'application'

/** We let go of it ourselves, for a reason that says nothing of the road to the hub. */
export function wasInterrupted(attempt: FailedAttempt): boolean {
  const closed = attempt.closed
  if (attempt.outcome !== 'closed' || closed === null || closed.how === 'timeout') return false
  return closed.by === 'application' || (closed.by === 'us' && closed.reason !== null && letGo.has(closed.reason))
}

const letGo: ReadonlySet<string> = new Set(['shutdown', 'abandoned', 'renewal'])

export const speaksMqtt = ({ protocol }: Evidence): boolean => protocol === 'mqtt' || protocol === 'mqtt-ws'

export const certificateOf = (attempt: FailedAttempt): ServerCertificate | null =>
  attempt.certificate ?? attempt.closed?.certificate ?? null
