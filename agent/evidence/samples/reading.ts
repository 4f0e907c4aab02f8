/**
 * What a reading is: one question to /proc, /sys or the process itself, asked at every sample. To add one, write a
 * file that exports a `Reading`, and name it in readings.ts.
 */
import type { IntervalHistogram } from 'node:perf_hooks'
import type { Clock } from '../../../transports/clock.js'

export type Reading = Readonly<{
  /** Its key in a sample; never changes, because old samples stay in the ring. */
  name: string
  /**
   * Makes no synchronous file call: it runs on the loop that serves the connection. Starts no process either, or only
   * as seldom as seldom.ts lets it.
   *
   * @returns plain data, or `null` where the host does not have it
   */
  read(context: ReadingContext): Promise<object | null>
}>

export type ReadingContext = Readonly<{
  /** `/proc`, and so on; other places in tests. */
  procRoot: string
  sysRoot: string
  etcRoot: string
  runRoot: string
  stateDir: string
  clock: Clock
  /** The one that the connection to the hub uses; `null` where there is none. Left out: nobody asks. */
  hubAddress?: () => string | null
  /** Runs with a resolution of `eventLoopResolutionMs` from event-loop.ts. The one reading of it resets it. */
  eventLoop: Pick<IntervalHistogram, 'count' | 'mean' | 'max' | 'percentile' | 'reset'>
}>
