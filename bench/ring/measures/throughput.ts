/** How fast records are taken, in bursts as they come from a storm, and without a pause. */
import { join } from 'node:path'
import { inBursts } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'
import { nobody } from '../verdict.js'

/** Without a pause, it waits for everything to be with the kernel whenever so many have been appended. */
const outstandingMax = 4_000

export const throughput: Measure = {
  name: 'throughput',
  how: ({ records, burst }) =>
    `${n(records)} records in bursts of ${n(burst)} with 50 ms between, time from the first append of a burst until all of it is with the kernel; then as many without a pause, waiting whenever ${n(outstandingMax)} are not there yet`,
  rows: [
    {
      figure: 'burst',
      asks: 'append, bursts',
      unit: 'perSecond',
      bars: [
        { peer: 'pino-async', atLeast: 2.5 },
        { peer: 'pino-sync', atLeast: 1.8 },
      ],
    },
    { figure: 'sustained', asks: 'append, without a pause', unit: 'perSecond', bars: [] },
    { figure: 'cpuUs', asks: 'processor time of a record in bursts, all threads', unit: 'us', bars: [] },
  ],
  together: 'nobody',

  async round({ child, dir }) {
    const bursts = await child('bursts', { dir: join(dir, 'bursts') })
    return { ...bursts, ...(await child('sustained', { dir: join(dir, 'sustained') })) }
  },

  /** What nobody needs is what the stream and the pauses cost. Its speed is none. */
  settle(round) {
    const floorUs = round.get(nobody)?.cpuUs ?? Number.NaN
    return new Map(
      [...round]
        .filter(([name]) => name !== nobody)
        .map(([name, figures]) => [name, { ...figures, cpuUs: (figures.cpuUs ?? 0) - floorUs }]),
    )
  },

  roles: {
    async bursts({ contender, dir, seed, settings: { records, burst } }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const before = process.cpuUsage()
      const tookMs = await inBursts(sink, recordStream(seed, contender.shape), records, burst)
      await sink.close()
      const { user, system } = process.cpuUsage(before)
      return { burst: (records / tookMs) * 1e3, cpuUs: (user + system) / records }
    },

    async sustained({ contender, dir, seed, settings: { records } }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const stream = recordStream(seed, contender.shape)
      let tookMs = 0
      for (let done = 0; done < records; done += outstandingMax) {
        const entries = stream.take(Math.min(outstandingMax, records - done))
        const startedMs = performance.now()
        for (const entry of entries) sink.append(entry)
        await sink.handedOver()
        tookMs += performance.now() - startedMs
      }
      await sink.close()
      return { sustained: (records / tookMs) * 1e3 }
    },
  },
}

const n = (value: number): string => value.toLocaleString('en')
