/** Takes a sample at every interval, whatever single readings do. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../transports/clock.js'
import { eventLoop as eventLoopReading, eventLoopResolutionMs } from './samples/event-loop.js'
import type { Reading, ReadingContext } from './samples/reading.js'
import { readings as allReadings } from './samples/readings.js'

/** What each reading found under its name; `failed` says of which one nothing came, and why. */
export type Sample = Readonly<Record<string, object | null>>

/** Resolves when a sample is wanted before its time; the signal says that nobody waits for that any more. */
export type Wanted = (signal: AbortSignal) => Promise<unknown>

export type SamplerOptions = Readonly<{
  /** Asked anew for each sample, so that it may change while it runs; a change holds from the next sample on. */
  intervalMs: number | (() => number)
  stateDir: string
  clock: Clock
  /** Told once per sample. */
  record(data: Sample): void
  /** Ends the sampling; a sample under way is then dropped. */
  signal: AbortSignal
  readings?: readonly Reading[]
  wanted?: Wanted
  hubAddress?: () => string | null
  /** How long a sample waits for its readings. */
  readingLimitMs?: number
  procRoot?: string
  sysRoot?: string
  etcRoot?: string
  runRoot?: string
}>

/**
 * The first sample is taken at once, the next ones at multiples of the interval and when one is wanted; one that would be late is
 * left out.
 * A reading that hangs is not started again before it has ended, so it holds one file thread and not one more each time.
 */
export async function runSampler(options: SamplerOptions): Promise<void> {
  const { record, signal, readings = allReadings, readingLimitMs = 2_000 } = options
  const { stateDir, clock, procRoot = '/proc', sysRoot = '/sys', etcRoot = '/etc', runRoot = '/run' } = options
  const { wanted = () => new Promise(() => undefined), hubAddress } = options
  const paceMs = (): number => (typeof options.intervalMs === 'number' ? options.intervalMs : options.intervalMs())
  const eventLoop = monitorEventLoopDelay({ resolution: eventLoopResolutionMs })
  const context = {
    stateDir,
    clock,
    procRoot,
    sysRoot,
    etcRoot,
    runRoot,
    eventLoop,
    ...(hubAddress ? { hubAddress } : {}),
  }
  const busy = new Set<Reading>()

  // The measuring wakes the process 50 times a second.
  if (readings.some(({ name }) => name === eventLoopReading.name)) eventLoop.enable()
  try {
    let dueMs = performance.now()
    let intervalMs = paceMs()
    while (!signal.aborted) {
      const sample = await takeSample(readings, context, busy, readingLimitMs, signal)
      if (signal.aborted) return
      record(sample)
      const nowMs = performance.now()
      const isNewPace = intervalMs !== paceMs()
      intervalMs = paceMs()
      if (isNewPace) dueMs = nowMs
      // One that was wanted in between changes nothing for the next.
      if (nowMs > dueMs - slackMs) dueMs += intervalMs * Math.max(1, Math.ceil((nowMs - dueMs) / intervalMs))
      await untilDue(dueMs - nowMs, wanted, signal)
    }
  } catch (error) {
    if (!signal.aborted || !(error instanceof Error) || error.name !== 'AbortError') throw error
  } finally {
    eventLoop.disable()
  }
}

/** Two samples are never closer than this, whatever is wanted. */
const leastMs = 1_000

/** A timer may be early by less than that. */
const slackMs = 2

async function untilDue(ms: number, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const stop = (): void => over.abort()
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    // Also what is wanted while it is too early.
    const early = wanted(over.signal)
    // What it rejects with comes out of the race below; only until then nobody looks.
    early.catch(() => undefined)
    await wait(Math.min(ms, leastMs), undefined, { signal: over.signal })
    await Promise.race([early, wait(Math.max(0, ms - leastMs), undefined, { signal: over.signal })])
  } finally {
    signal.removeEventListener('abort', stop)
    over.abort()
  }
}

type Answer = Readonly<{ name: string; value: object | null } | { name: string; failed: string }>

async function takeSample(
  readings: readonly Reading[],
  context: ReadingContext,
  busy: Set<Reading>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Sample> {
  let expire = () => {}
  const expired = new Promise<'expired'>(resolve => {
    expire = () => resolve('expired')
  })
  const timer = setTimeout(expire, limitMs)
  signal.addEventListener('abort', expire)
  try {
    const answers = await Promise.all(readings.map(reading => ask(reading, context, busy, expired, limitMs)))
    const failed = answers.flatMap(answer => ('failed' in answer ? [[answer.name, answer.failed] as const] : []))
    const found = answers.flatMap(answer => ('failed' in answer ? [] : [[answer.name, answer.value] as const]))
    return Object.fromEntries(failed.length > 0 ? [...found, ['failed', Object.fromEntries(failed)] as const] : found)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', expire)
  }
}

async function ask(
  reading: Reading,
  context: ReadingContext,
  busy: Set<Reading>,
  expired: Promise<'expired'>,
  limitMs: number,
): Promise<Answer> {
  const { name } = reading
  if (busy.has(reading)) return { name, failed: 'an earlier one still hangs' }
  busy.add(reading)
  const answer = new Promise<object | null>(resolve => resolve(reading.read(context))).finally(() =>
    busy.delete(reading),
  )
  try {
    const value = await Promise.race([answer, expired])
    return value === 'expired' ? { name, failed: `no answer within ${limitMs} ms` } : { name, value }
  } catch (error) {
    return { name, failed: String(error).slice(0, 200) }
  }
}
