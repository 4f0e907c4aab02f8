/** Whether the supervisor of the connection still does something: by when it has to be heard of again, by what it said last. */
import type { WireEvent } from '../../transports/wire-event.js'

/**
 * Longer than any step beside the attempt itself: an assignment by a provisioning service, a goodbye that hangs. A supervisor is given up
 * late rather than wrongly, because ending it ends a recorder.
 */
export const patienceMs = 15 * 60_000

export interface Supervision {
  heard(event: WireEvent): void
  /** For how long it has been overdue; 0 while it is not. */
  overdueMs(): number
}

/** @param attemptMs all limits of one attempt together @param nowMs monotonic, without suspended time */
export function watchSupervision(attemptMs: number, nowMs: () => number): Supervision {
  const silenceMs = attemptMs + patienceMs
  let dueMs = nowMs() + silenceMs
  return {
    heard(event) {
      if (event.type === 'accepted') {
        // From here on the tap watches over the silence of the other side.
        dueMs = Number.POSITIVE_INFINITY
        return
      }
      const isInSession = dueMs === Number.POSITIVE_INFINITY
      if (isInSession && event.type !== 'closed') return
      dueMs = nowMs() + silenceMs + (event.type === 'retryScheduled' ? event.delayMs : 0)
    },
    overdueMs: () => Math.max(0, nowMs() - dueMs),
  }
}
