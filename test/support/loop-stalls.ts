/**
 * How long this process's event loop was kept from its turn. The time that it was on a processor counts, because a machine that is
 * shared takes a processor away for longer than that; what a clock on the wall saw is told beside it.
 */
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface LoopStalls {
  /** The longest so far: of the main thread's own time, and as a clock on the wall saw it. `cpuMs` is 0 where the kernel does not count it. */
  longest(): Readonly<{ cpuMs: number; wallMs: number }>
  stop(): void
}

const everyMs = 5

export function watchLoop(): LoopStalls {
  const delay = monitorEventLoopDelay({ resolution: everyMs })
  delay.enable()
  let [beforeMs, longestMs] = [cpuMs(), 0]
  const timer = setInterval(() => {
    const nowMs = cpuMs()
    longestMs = Math.max(longestMs, nowMs - beforeMs)
    beforeMs = nowMs
  }, everyMs).unref()
  return {
    longest: () => ({ cpuMs: longestMs, wallMs: delay.max / 1e6 }),
    stop() {
      clearInterval(timer)
      delay.disable()
    },
  }
}

/** Of the main thread: its number is the process's, and so the kernel tells it here. */
function cpuMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
