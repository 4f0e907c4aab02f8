/**
 * When to try again: exponential with full jitter, so that a fleet that lost its hub together does not come back together; and no
 * oftener than every half of the cap once that is reached, so that those who still wait leave room for each other.
 *
 * Pure: what happened goes in, the delay comes out; randomness is a parameter.
 */
import type { RetryPolicyName } from './wire-event.js'

export type BackoffLimits = Readonly<{
  capMs: number
  /** After a refused credential. */
  refusedCapMs: number
  /** After two take-overs in a row by another client of our identity: the only policy with a floor. */
  takeOverFloorMs: number
  takeOverCapMs: number
}>

export const defaultLimits: BackoffLimits = {
  capMs: 60_000,
  refusedCapMs: 900_000,
  takeOverFloorMs: 120_000,
  takeOverCapMs: 900_000,
}

/** A session this long is a good one: it ends the trouble before it. */
export const goodSessionMs = 60_000

const firstCeilingMs = 1_000

/** What is remembered between attempts. */
export type Backoff = Readonly<{
  /** Failed attempts and short sessions since the last good session. */
  failures: number
  /** Sessions in a row that ended as if another client had taken the identity. */
  takeOvers: number
  /** Whether the last attempt was refused for what it presented. */
  refused: boolean
  /** When the last session ended (or the start), on the clock that counts suspended time. */
  outageSinceMs: number
}>

export const initialBackoff = (nowMs: number): Backoff => ({
  failures: 0,
  takeOvers: 0,
  refused: false,
  outageSinceMs: nowMs,
})

export type Outcome =
  | Readonly<{ what: 'attemptFailed'; refused: boolean }>
  | Readonly<{ what: 'sessionEnded'; lastedMs: number; likeTakeOver: boolean }>
  /** A session that we ended to renew its token. */
  | Readonly<{ what: 'renewed'; lastedMs: number }>

/** What an outcome changes. A session under 60 s does not reset the backoff, but each outage is as long as it is. */
export function after(backoff: Backoff, outcome: Outcome, nowMs: number): Backoff {
  if (outcome.what === 'attemptFailed') {
    return { ...backoff, failures: backoff.failures + 1, takeOvers: 0, refused: outcome.refused }
  }
  const likeTakeOver = outcome.what === 'sessionEnded' && outcome.likeTakeOver
  if (outcome.lastedMs >= goodSessionMs) {
    return { failures: 0, takeOvers: likeTakeOver ? 1 : 0, refused: false, outageSinceMs: nowMs }
  }
  // Our own doing is no failure.
  if (outcome.what === 'renewed') return { ...backoff, outageSinceMs: nowMs }
  return {
    ...backoff,
    failures: backoff.failures + 1,
    takeOvers: likeTakeOver ? backoff.takeOvers + 1 : 0,
    refused: false,
    outageSinceMs: nowMs,
  }
}

/**
 * The next delay: never more than the outage so far (at least 1 s) or the cap, so that a short outage is over soon
 * after its cause; two take-overs in a row wait at least the floor.
 *
 * @param random in [0, 1)
 */
export function nextDelay(
  backoff: Backoff,
  limits: BackoffLimits,
  nowMs: number,
  random: () => number,
): { delayMs: number; policy: RetryPolicyName } {
  if (backoff.takeOvers >= 2) {
    const spreadMs = limits.takeOverFloorMs * 2 ** Math.min(backoff.takeOvers - 1, 16)
    const ceilingMs = Math.max(limits.takeOverFloorMs, Math.min(limits.takeOverCapMs, spreadMs))
    const delayMs = limits.takeOverFloorMs + random() * (ceilingMs - limits.takeOverFloorMs)
    return { delayMs: Math.round(delayMs), policy: 'takeOver' }
  }
  const capMs = backoff.refused ? limits.refusedCapMs : limits.capMs
  const outageMs = Math.max(firstCeilingMs, nowMs - backoff.outageSinceMs)
  const exponentialMs = firstCeilingMs * 2 ** Math.min(Math.max(backoff.failures - 1, 0), 30)
  const ceilingMs = Math.min(capMs, exponentialMs, outageMs)
  // At the cap a fleet is spread already, and short waits would only be more of them: half of each is certain.
  const leastMs = ceilingMs === capMs ? capMs / 2 : 0
  return {
    delayMs: Math.round(leastMs + random() * (ceilingMs - leastMs)),
    policy: backoff.refused ? 'refused' : 'network',
  }
}
