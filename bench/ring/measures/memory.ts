/** How much memory the process needs that appends. */
import { readFileSync } from 'node:fs'
import { inBurstsAsMade } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

export const memory: Measure = {
  name: 'memory',
  how: ({ records, burst }) =>
    `the most that a process had resident (VmHWM) which appends ${records.toLocaleString('en')} records in bursts of ${burst.toLocaleString('en')}; "nobody" is Node and the stream alone`,
  rows: [
    {
      figure: 'residentMiB',
      asks: 'resident memory, at most',
      unit: 'MiB',
      bars: [
        { peer: 'pino-async', atMost: 0.6 },
        { peer: 'pino-sync', atMost: 0.85 },
      ],
    },
  ],
  together: 'nobody',
  round: ({ child }) => child('append'),

  roles: {
    async append({ contender, dir, seed, settings: { records, burst } }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      await inBurstsAsMade(sink, recordStream(seed, contender.shape), records, burst)
      await sink.close()
      return { residentMiB: residentPeakKiB() / 1024 }
    },
  },
}

/** The kernel's own mark where it has one: what getrusage says goes back to before exec, when the parent's memory was ours. */
function residentPeakKiB(): number {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (peak !== undefined) return Number(peak)
  } catch {
    // No /proc: what is left is right where the parent was smaller.
  }
  return process.resourceUsage().maxRSS
}
