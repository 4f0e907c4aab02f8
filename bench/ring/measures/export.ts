/** How long it takes to give everything away, compressed, in one file. */
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { fill } from '../appending.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

const fillRecords = 500_000
const newline = 0x0a

export const exporting: Measure = {
  name: 'export',
  how: () =>
    `a full ring to one file of compressed lines, the page cache warm; SQLite by its rows in order, through gzip. The time is divided by the number of lines that are found in the file`,
  rows: [
    { figure: 'us', asks: 'export of everything, per record', unit: 'us', bars: [{ peer: 'sqlite', atMost: 0.2 }] },
    { figure: 'bytes', asks: 'bytes of the file, per record', unit: 'bytes', bars: [] },
  ],
  together: 'nobody',
  prepare: ({ child }) => child('fill'),
  round: ({ child }) => child('export'),

  roles: {
    async fill({ contender, dir, seed }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      await fill(sink, recordStream(seed, contender.shape), fillRecords, contender)
      await sink.close()
      return {}
    },

    async export({ contender, dir }: Job): Promise<Figures> {
      const { archive } = contender
      if (!archive?.exportTo) throw new Error(`${contender.name} exports nothing`)
      for (const name of await readdir(dir)) await readFile(join(dir, name))
      const file = `${dir}.ndjson.gz`
      const startedMs = performance.now()
      await archive.exportTo(dir, file)
      const tookMs = performance.now() - startedMs
      const records = await linesIn(file)
      return { us: (tookMs * 1e3) / records, bytes: (await stat(file)).size / records }
    },
  },
}

async function linesIn(file: string): Promise<number> {
  let lines = 0
  for await (const chunk of createReadStream(file).pipe(createGunzip()) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) lines++
  }
  return lines
}
