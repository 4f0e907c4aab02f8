/** The ways in which records come: in bursts, without a pause, and at a pace. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender, Sink } from './contender.js'
import type { Stream } from './stream.js'

/** Long enough for what a contender does behind the appends, such as compressing. */
const pauseMs = 50

/** @returns how long the bursts took, each from its first append until all of it was with the kernel */
export async function inBursts(sink: Sink, stream: Stream, records: number, burst: number): Promise<number> {
  let tookMs = 0
  for (let done = 0; done < records; done += burst) {
    const entries = stream.take(Math.min(burst, records - done))
    const startedMs = performance.now()
    for (const entry of entries) sink.append(entry)
    await sink.handedOver()
    tookMs += performance.now() - startedMs
    await sleep(pauseMs)
  }
  return tookMs
}

/** The same records at the same pace, made one by one: no burst of records waits in memory. Its time says nothing. */
export async function inBurstsAsMade(sink: Sink, stream: Stream, records: number, burst: number): Promise<void> {
  for (let done = 0; done < records; ) {
    for (const end = Math.min(done + burst, records); done < end; done++) sink.append(stream.next())
    await sink.handedOver()
    await sleep(pauseMs)
  }
}

/** As fast as it goes, `window` records at a time. For what has to be there before something can be measured. */
export async function fill(sink: Sink, stream: Stream, records: number, { window = 4_000 }: Contender): Promise<void> {
  for (let done = 0; done < records; done += window) {
    for (const entry of stream.take(Math.min(window, records - done))) sink.append(entry)
    await sink.handedOver()
    await sink.settled?.()
  }
}

/**
 * Calls `act` at every interval, and where it is late as often as is due, so that the pace is kept.
 *
 * @returns how often it was called
 */
export async function atPace(intervalMs: number, durationMs: number, act: () => void): Promise<number> {
  const startedMs = performance.now()
  let done = 0
  for (let dueMs = 0; dueMs < durationMs; dueMs += intervalMs) {
    const waitMs = startedMs + dueMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    act()
    done++
  }
  return done
}
