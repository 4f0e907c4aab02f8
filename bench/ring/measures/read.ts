/** How long it takes until a part of what is kept can be looked at. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { median } from '../../statistics.js'
import { fill } from '../appending.js'
import type { Reader } from '../contender.js'
import type { Figures, Job, Measure } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'

const fillRecords = 500_000
const hourMs = 3_600_000

/** The hour ends so long before the newest record: a full ring still has it, and it is not at the end. */
const hourEndsBeforeMs = 4 * hourMs
const lastRecords = 1_000
const again = 9

const bars = [{ peer: 'sqlite', atMost: 1 }] as const

export const reading: Measure = {
  name: 'read',
  how: () =>
    `out of a full ring, the page cache warm: the hour that ended 4 h before the newest record, and the last ${lastRecords.toLocaleString('en')}; the first time in a fresh process, as a command does it, and the median of ${again} more, as the daemon does it`,
  rows: [
    { figure: 'hourMs', asks: 'one hour, first time', unit: 'ms', bars },
    { figure: 'hourAgainMs', asks: 'one hour, again', unit: 'ms', bars },
    { figure: 'hourParsedMs', asks: 'one hour, again, and each record parsed', unit: 'ms', bars: [] },
    { figure: 'lastMs', asks: 'last 1,000 records, first time', unit: 'ms', bars },
    { figure: 'lastAgainMs', asks: 'last 1,000 records, again', unit: 'ms', bars },
    { figure: 'hourRecords', asks: 'records in the hour', unit: 'records', bars: [] },
  ],
  together: 'nobody',
  prepare: ({ child }) => child('fill'),

  async round({ child }) {
    const hour = await child('hour')
    const last = await child('last')
    return {
      hourMs: hour.firstMs!,
      hourAgainMs: hour.againMs!,
      hourParsedMs: hour.parsedMs!,
      hourRecords: hour.records!,
      lastMs: last.firstMs!,
      lastAgainMs: last.againMs!,
      ends: last.newestMs!,
    }
  },

  settle(round) {
    const answers = new Set([...round.values()].map(({ hourRecords, ends }) => `${hourRecords} to ${ends}`))
    if (answers.size > 1) throw new Error(`not everybody found the same: ${[...answers].join('; ')}`)
    return round
  },

  roles: {
    async fill({ contender, dir, seed }: Job): Promise<Figures> {
      const sink = await contender.open({ dir, budgetBytes: ringBudgetBytes })
      await fill(sink, recordStream(seed, contender.shape), fillRecords, contender)
      await sink.close()
      return {}
    },

    async hour(job: Job): Promise<Figures> {
      const untilMs = newestMsOf(job) - hourEndsBeforeMs
      return timed(job, reader => reader.between(untilMs - hourMs, untilMs))
    },

    last: (job: Job): Promise<Figures> => timed(job, reader => reader.last(lastRecords)),
  },
}

/** The stream says it: it is the same for everybody. */
function newestMsOf({ seed }: Job): number {
  const stream = recordStream(seed)
  for (let record = 0; record < fillRecords; record++) stream.next()
  return stream.nowMs()
}

async function timed({ contender, dir }: Job, read: (reader: Reader) => Promise<string[]>): Promise<Figures> {
  const { archive } = contender
  if (!archive?.read) throw new Error(`${contender.name} cannot be read`)
  for (const name of await readdir(dir)) await readFile(join(dir, name))

  const startedMs = performance.now()
  const reader = await archive.read(dir)
  const found = await read(reader)
  const firstMs = performance.now() - startedMs

  const againMs = await medianMs(() => read(reader))
  const parsedMs = await medianMs(async () => (await read(reader)).map(json => JSON.parse(json)))
  const newest = JSON.parse(found.at(-1) ?? '{}') as { at?: string }
  return { firstMs, againMs, parsedMs, records: found.length, newestMs: Date.parse(newest.at ?? '') }
}

async function medianMs(act: () => Promise<unknown>): Promise<number> {
  const timesMs: number[] = []
  for (let time = 0; time < again; time++) {
    const startedMs = performance.now()
    await act()
    timesMs.push(performance.now() - startedMs)
  }
  return median(timesMs)
}
