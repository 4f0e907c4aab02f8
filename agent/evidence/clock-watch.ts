/** Two looks at the clocks, some time apart, tell whether the wall clock was set and whether the host slept. */
import type { Instant } from '../../transports/clock.js'

export type ClockChange =
  /** The wall clock was set; forward is positive. */
  | Readonly<{ change: 'step'; byMs: number }>
  /** The host was suspended in between. */
  | Readonly<{ change: 'resume'; suspendedMs: number }>

/** Less is the clock being steered, or the grain of a reading. */
const noticeableMs = 1_000

/**
 * Both looks must be from the same boot.
 *
 * @returns the resume first: it comes before the step that time synchronisation makes after it
 */
export function clockChanges(before: Instant, after: Instant): readonly ClockChange[] {
  const suspendedMs = after.bootMs - after.monoMs - (before.bootMs - before.monoMs)
  const byMs = after.wallMs - after.bootMs - (before.wallMs - before.bootMs)
  const changes: ClockChange[] = []
  if (suspendedMs > noticeableMs) changes.push({ change: 'resume', suspendedMs: Math.round(suspendedMs) })
  if (Math.abs(byMs) > noticeableMs) changes.push({ change: 'step', byMs: Math.round(byMs) })
  return changes
}
