/** How long it takes until records can be written again after kill -9, with a ring that is full. */
import { writeSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { random } from '../../random.js'
import { atPace, fill } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

const fillRecords = 500_000

export const opening: Measure = {
  name: 'open',
  how: () =>
    `${fillRecords.toLocaleString('en')} records, then 5,000/s until SIGKILL after 0.5 to 2 s; opened by a fresh process, without the loading of its modules, the page cache warm. SQLite is open when it has answered what its newest number is`,
  rows: [
    { figure: 'openMs', asks: 'open after SIGKILL', unit: 'ms', bars: [{ peer: 'sqlite', atMost: 1 }] },
    { figure: 'firstMs', asks: 'open, and one more record with the kernel', unit: 'ms', bars: [] },
  ],
  together: 'nobody',

  async round({ child }) {
    await child('die', { dies: true })
    return child('open')
  },

  roles: {
    /** Ends by SIGKILL, in the middle of what it does, when it has said so. */
    async die({ contender, dir, seed }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const stream = recordStream(seed, contender.shape)
      await fill(sink, stream, fillRecords, contender)
      const dueMs = random(seed).between(500, 2_000)
      await atPace(10, dueMs, () => {
        for (const entry of stream.take(50)) sink.append(entry)
      })
      writeSync(1, '{"figures":{}}\n')
      process.kill(process.pid, 'SIGKILL')
      return {}
    },

    async open({ contender, dir, seed }: Job): Promise<Figures> {
      const [entry] = recordStream(seed + 1, contender.shape).take(1)
      for (const name of await readdir(dir)) await readFile(join(dir, name))
      const startedMs = performance.now()
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const openMs = performance.now() - startedMs
      sink.append(entry!)
      await sink.handedOver()
      const firstMs = performance.now() - startedMs
      await sink.close()
      return { openMs, firstMs }
    },
  },
}
