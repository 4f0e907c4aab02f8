/** What reaches the flash: sectors written to a block device of its own, counted when everything has arrived there. */
import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { atPace, fill } from '../appending.js'
import type { Figures, Job, Measure, Part } from '../measure.js'
import { ringBudgetBytes } from '../measure.js'
import { recordStream } from '../stream.js'
import { nobody, ours } from '../verdict.js'
import { sectorBytes, sectorsWritten, volumesMissing, withVolume } from '../volume.js'

/** Fills a ring of 16 MiB more than once, so that counting begins when what goes is deleted as it is for the rest of its life. */
const fillRecords = 500_000

/** For a run of a minute: segments are so much smaller, or none would be full, sealed and deleted within it. */
const smallBudgetBytes = ringBudgetBytes / 4

const stormSecondsOf = (long: boolean): number => (long ? 120 : 30)
const trickleSecondsOf = (long: boolean): number => (long ? 300 : 60)

const row = {
  figure: 'bytes',
  unit: 'bytes',
} as const

export const storm: Measure = {
  name: 'storm',
  how: ({ long }) =>
    `5,000 records/s for ${stormSecondsOf(long)} s with the default syncing, each on ext4 on a loop device of its own; sectors written from a freeze of the file system before, which empties its journal, until after umount, less those of a device where nobody wrote`,
  rows: [
    {
      ...row,
      asks: 'device bytes of a record, 5,000/s',
      bars: [
        { peer: 'pino-async', atMost: 1.4 },
        { peer: 'sqlite', atMost: 0.25 },
      ],
    },
  ],
  together: 'round',
  missing: volumesMissing,
  round: onVolume,
  settle: lessIdle,
  roles: {
    write: job =>
      write(job, { tickMs: 10, records: 50, seconds: stormSecondsOf(job.settings.long), budgetBytes: ringBudgetBytes }),
  },
}

export const trickle: Measure = {
  name: 'trickle',
  how: ({ long }) =>
    `the same at 10 records/s for ${trickleSecondsOf(long)} s${long ? '' : ' (300 s with --long), and a ring of 4 MiB'}, all rounds at the same time`,
  rows: [
    {
      ...row,
      asks: 'device bytes of a record, 10/s',
      bars: [
        { peer: 'pino-async', atMost: 1.5 },
        { peer: 'sqlite', atMost: 0.25 },
      ],
    },
  ],
  together: 'all',
  missing: volumesMissing,
  round: onVolume,
  settle: lessIdle,
  roles: {
    write: job => {
      const { long } = job.settings
      const budgetBytes = long ? ringBudgetBytes : smallBudgetBytes
      return write(job, { tickMs: 100, records: 1, seconds: trickleSecondsOf(long), budgetBytes })
    },
  },
}

function onVolume({ dir, child }: Part): Promise<Figures> {
  return withVolume(dir, async ({ mountPoint, device, unmount }) => {
    const { records, sectorsBefore } = await child('write', { dir: `${mountPoint}/records`, device })
    await unmount()
    const sectors = sectorsWritten(device) - sectorsBefore!
    return { deviceBytes: sectors * sectorBytes, records: records! }
  })
}

type Pace = Readonly<{ tickMs: number; records: number; seconds: number; budgetBytes: number }>

async function write(
  { contender, dir, device, seed }: Job,
  { tickMs, records, seconds, budgetBytes }: Pace,
): Promise<Figures> {
  if (device === null) throw new Error('no device')
  const sink = await contender.open({ dir, budgetBytes })
  const stream = recordStream(seed, contender.shape)
  // Those without a budget do not change with what they hold.
  if (contender.name === ours) await fill(sink, stream, (fillRecords * budgetBytes) / ringBudgetBytes, contender)
  await sleep(2_000)
  settleDevice(dirname(dir))
  const sectorsBefore = sectorsWritten(device)

  const ticks = await atPace(tickMs, seconds * 1e3, () => {
    for (const entry of stream.take(records)) sink.append(entry)
  })
  await sink.handedOver()
  await sink.close()
  return { records: ticks * records, sectorsBefore }
}

/**
 * Everything that was written is in its last place: also what the journal still has to bring there, which otherwise comes with
 * the unmounting and would be counted for the records that follow.
 */
function settleDevice(mountPoint: string): void {
  for (const step of ['--freeze', '--unfreeze']) execFileSync('fsfreeze', [step, mountPoint])
}

/** A file system writes a little by itself when it is mounted, for a while, and when it goes. */
function lessIdle(round: ReadonlyMap<string, Figures>): ReadonlyMap<string, Figures> {
  const idleBytes = round.get(nobody)?.deviceBytes ?? Number.NaN
  return new Map(
    [...round]
      .filter(([name]) => name !== nobody)
      .map(([name, { deviceBytes = 0, records = 1 }]) => [name, { bytes: (deviceBytes - idleBytes) / records }]),
  )
}
