/** How many records there are to be found in the same number of bytes. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fill } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

/** More than twice of what anybody here can keep. */
const feedRecords = 700_000

/** Counted at several moments, because what goes goes a file at a time. */
const looks = 4
const betweenLooks = 1_700

export const kept: Measure = {
  name: 'kept',
  how: () =>
    `${feedRecords.toLocaleString('en')} records into 16 MiB, all files together; then the mean of ${looks} counts, ${betweenLooks.toLocaleString('en')} records apart`,
  rows: [
    { figure: 'kept', asks: 'records kept in 16 MiB', unit: 'records', bars: [{ peer: 'pino-roll', atLeast: 4.5 }] },
    { figure: 'bytesMax', asks: 'bytes of all files, at most', unit: 'bytes', bars: [] },
  ],
  together: 'nobody',
  round: ({ child }) => child('feed'),

  settle(round) {
    for (const [name, { bytesMax = 0 }] of round) {
      if (bytesMax > ringBudgetBytes) throw new Error(`${name} took ${bytesMax} bytes, which is more than it may`)
    }
    return round
  },

  roles: {
    async feed({ contender, dir, seed }: Job): Promise<Figures> {
      const { archive } = contender
      if (!archive?.count) throw new Error(`${contender.name} cannot count`)
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      const stream = recordStream(seed, contender.shape)
      await fill(sink, stream, feedRecords, contender)
      let counted = 0
      let bytesMax = 0
      for (let look = 0; look < looks; look++) {
        await fill(sink, stream, betweenLooks, contender)
        bytesMax = Math.max(bytesMax, await bytesIn(dir))
        counted += await archive.count(dir)
      }
      await sink.close()
      return { kept: Math.round(counted / looks), bytesMax }
    },
  },
}

async function bytesIn(dir: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(dir)) {
    // What is deleted in this moment takes nothing.
    bytes += await stat(join(dir, name)).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes
}
