/** How much of hubrec's delay is chance: what its backoff could have chosen more than it must, at the fault's end. */
import { type BackoffLimits, nextDelay } from '../../transports/backoff.js'
import type { RetryPolicyName } from '../../transports/wire-event.js'

/** Of a wire record as much as is needed here. */
export type Wire = Readonly<{
  monoMs: number
  data: Readonly<{
    type: string
    lastedMs?: number | null
    reason?: string | null
    delayMs?: number
    failures?: number
    policy?: RetryPolicyName
  }>
}>

/**
 * From the least to the most that the delay in force at the fault's end could have been; where none was, of the first one after
 * it; 0 where there was none at all. The floor after take-overs is no chance, and is not in it.
 *
 * @param wires all of the daemon's, oldest first
 */
export function jitterAt(wires: readonly Wire[], endedMs: number, limits: BackoffLimits): number {
  let outageSinceMs = wires[0]?.monoMs ?? 0
  let takeOvers = 0
  for (const { monoMs, data } of wires) {
    const { type, lastedMs = null, delayMs = 0, failures = 0, policy } = data
    if (type === 'closed' && lastedMs !== null) outageSinceMs = monoMs
    if (type !== 'retryScheduled') continue
    takeOvers = policy === 'takeOver' ? Math.max(2, takeOvers + 1) : 0
    if (monoMs + delayMs < endedMs) continue
    const backoff = { failures, takeOvers, refused: policy === 'refused', outageSinceMs }
    const delayAt = (chance: number): number => nextDelay(backoff, limits, monoMs, () => chance).delayMs
    return delayAt(1) - delayAt(0)
  }
  return 0
}
