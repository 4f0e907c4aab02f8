/** How late our own event loop ran since the last sample: a late loop is our fault, and not the network's. */
import type { Reading } from './reading.js'

/** How often the loop is measured; the measuring costs a wake-up each time. */
export const eventLoopResolutionMs = 20

export const eventLoop: Reading = {
  name: 'eventLoop',
  async read({ eventLoop }) {
    const { count, mean, max } = eventLoop
    if (count === 0) return null
    const found = { meanMs: late(mean), p99Ms: late(eventLoop.percentile(99)), maxMs: late(max) }
    eventLoop.reset()
    return found
  },
}

/** Node counts from one measuring to the next, in nanoseconds: on a loop that is never late that is the resolution. */
const late = (nanoseconds: number): number =>
  Math.max(0, Math.round(nanoseconds / 1e4 - eventLoopResolutionMs * 1e2) / 1e2)
