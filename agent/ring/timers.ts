/** Node's own time, as the ring takes it. */
import { performance } from 'node:perf_hooks'
import type { Timers } from './ring.js'

export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, act, holds = false) {
    const timer = setTimeout(act, delayMs)
    if (!holds) timer.unref()
    return () => clearTimeout(timer)
  },
}
