/** How long an append holds up the event loop that serves the connection. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { percentile } from '../../statistics.js'
import { atPace, fill } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

const tickMs = 10
const tickRecords = 50
const secondsOf = (long: boolean): number => (long ? 30 : 8)

/** So that everything has been compiled, and a ring is full and rotates and deletes as it does for the rest of its life. */
const warmUpRecords = 80_000

export const latency: Measure = {
  name: 'latency',
  how: ({ long }) =>
    `${tickRecords} records every ${tickMs} ms for ${secondsOf(long)} s, after ${warmUpRecords.toLocaleString('en')} to warm up; every other tick is timed as a whole, those between call by call; what the loop is held up is Node's own reading of its delay`,
  rows: [
    { figure: 'appendP99Us', asks: 'one append call, p99', unit: 'us', bars: [{ peer: 'pino-async', atMost: 0.4 }] },
    { figure: 'tickP99Us', asks: 'a tick of 50 appends, p99', unit: 'us', bars: [{ peer: 'pino-async', atMost: 0.5 }] },
    { figure: 'tickMedianUs', asks: 'a tick of 50 appends, median', unit: 'us', bars: [] },
    { figure: 'loopP99Us', asks: 'delay of the event loop, p99', unit: 'us', bars: [] },
    { figure: 'busyUs', asks: 'event loop busy per tick, all of it', unit: 'us', bars: [] },
  ],
  together: 'nobody',
  round: ({ child }) => child('ticks'),

  roles: {
    async ticks({ contender, dir, seed, settings: { long } }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const stream = recordStream(seed, contender.shape)
      const ticks = (secondsOf(long) * 1e3) / tickMs
      const wholeUs = new Float64Array(ticks / 2)
      const callsUs = new Float64Array((ticks / 2) * tickRecords)
      await fill(sink, stream, warmUpRecords, contender)

      let tick = -200
      let entries = stream.take(tickRecords)
      const delay = monitorEventLoopDelay({ resolution: 1 })
      let busy = performance.eventLoopUtilization()
      const act = () => {
        const at = tick++
        if (at < 0) {
          for (const entry of entries) sink.append(entry)
        } else if (at % 2 === 0) {
          const startedMs = performance.now()
          for (const entry of entries) sink.append(entry)
          wholeUs[at >> 1] = (performance.now() - startedMs) * 1e3
        } else {
          let call = (at >> 1) * tickRecords
          for (const entry of entries) {
            const startedMs = performance.now()
            sink.append(entry)
            callsUs[call++] = (performance.now() - startedMs) * 1e3
          }
        }
        entries = stream.take(tickRecords)
      }
      await atPace(tickMs, 200 * tickMs, act)
      delay.enable()
      busy = performance.eventLoopUtilization()
      await atPace(tickMs, ticks * tickMs, act)
      const { active } = performance.eventLoopUtilization(busy)
      delay.disable()
      await sink.handedOver()
      await sink.close()
      return {
        appendP99Us: percentile(callsUs, 0.99),
        tickP99Us: percentile(wholeUs, 0.99),
        tickMedianUs: percentile(wholeUs, 0.5),
        // Node's reading counts the interval itself in.
        loopP99Us: Math.max(0, delay.percentile(99) / 1e3 - 1_000),
        busyUs: (active * 1e3) / ticks,
      }
    },
  },
}
