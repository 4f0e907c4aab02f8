/** Moments that are over in a blink: what happens in them beside the ring's own work, or ends it there. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Disk } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import { segmentName } from '../../agent/ring/segment.js'
import { verifyRing } from '../../agent/ring/verify.js'
import { BytesDisk } from '../support/bytes-disk.js'
import { among, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { countsOf, type Gaps } from '../support/ring-counts.js'
import { budgetBytes, classes, loadJson } from '../support/ring-load.js'
import { collect, recordJson, stamp } from '../support/ring-records.js'

const dir = 'ring'

t.setTimeout(240_000)

t.test('a sync may begin while a new segment is being made', async t => {
  const disk = new BytesDisk()
  let syncs = 0
  /** Making a file takes until others have synced. */
  const slow: Disk = new Proxy(disk, {
    get: (target, key: keyof Disk) => {
      if (key !== 'open') return target[key].bind(target)
      return async (path: string, how: 'read' | 'modify' | 'create') => {
        const before = syncs
        for (let turns = 0; how === 'create' && syncs === before && turns < 50; turns++) await turn()
        const file = await target.open(path, how)
        const datasync = async () => {
          await turn()
          syncs++
        }
        return { ...file, datasync }
      }
    },
  })
  const { ring } = await openRing({ dir, budgetBytes, stamp, disk: slow })
  const refusals = new Set<string>()
  const write = async (from: number): Promise<void> => {
    for (let id = from; id < 2_000; id += 16) {
      const seq = await ring.append(recordJson(id, 500), id % 3 === 0 ? 'disk' : 'kernel')
      if (seq === 0) refusals.add(ring.state.refusal ?? 'closed')
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, from) => write(from)))
  t.strictSame([...refusals], [])
  t.ok(ring.state.segments > 10, `it rotated often, with ${syncs} syncs`)
  await ring.close()
})

t.test('who waits for the device is answered, also where another brought the record there', async t => {
  const disk = new BytesDisk()
  let toCome = 0
  let release = (): void => {}
  /** The first sync of the first segment takes until it is released. */
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const slow: Disk = new Proxy(disk, {
    get: (target, key: keyof Disk) => {
      if (key !== 'open') return target[key].bind(target)
      return async (path: string, how: 'read' | 'modify' | 'create') => {
        // Sealing waits with it, and so does not take it out of the way.
        if (path.endsWith('.tmp')) await held
        const file = await target.open(path, how)
        const isFirst = path.endsWith(segmentName(1))
        return { ...file, datasync: () => (isFirst && toCome++ === 0 ? held : Promise.resolve()) }
      }
    },
  })
  const { ring } = await openRing({ dir, budgetBytes, stamp, disk: slow })
  const filling = Array.from({ length: 10 }, (_, id) => ring.append(recordJson(id, 2_000), 'kernel'))
  await Promise.all(filling)
  const first = ring.append(recordJson(10), 'disk')
  while (toCome === 0) await turn()
  // Two segments are being synced, this one goes into the second, and is there before the sync comes to it.
  const second = ring.append(recordJson(11), 'disk')
  for (let turns = 0; turns < 20; turns++) await turn()
  release()
  const seqs = await Promise.all([...filling, first, second])
  t.strictSame(
    seqs,
    [...seqs].sort((a, b) => a - b),
  )
  t.ok(seqs.every(seq => seq > 0))
  await ring.close()
})

type Files = ReadonlyMap<string, Buffer>

/** The disk that tells what lies on it before its directory changes: what a `kill -9` in this moment would leave. */
function watched(disk: BytesDisk, onMoment: (files: Files) => void): Disk {
  const before =
    <A extends unknown[], R>(act: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      onMoment(disk.files)
      return act(...args)
    }
  return {
    makeDirectory: () => disk.makeDirectory(),
    list: () => disk.list(),
    names: () => disk.names(),
    space: () => disk.space(),
    syncDirectory: () => disk.syncDirectory(),
    rename: before((from: string, to: string) => disk.rename(from, to)),
    remove: before((path: string) => disk.remove(path)),
    open: (path, how) => {
      if (how === 'create') onMoment(disk.files)
      return disk.open(path, how)
    },
  }
}

async function write(disk: Disk, fromId: number, toId: number): Promise<void> {
  const { ring } = await openRing({ dir, budgetBytes, stamp, classes, disk })
  for (let id = fromId; id <= toId; id += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => ring.append(loadJson(id + n), 'kernel')))
  await ring.close()
}

t.test('a ring that is killed at any moment is whole for its reader, and counts each loss once', async t => {
  const disk = new BytesDisk()
  // Until it is full nothing goes.
  await write(disk, 1, 1_500)
  const moments: Files[] = []
  const onMoment = (files: Files) => moments.push(files)
  await write(watched(disk, onMoment), 1_501, 1_900)

  const random = randomFrom(seed)
  t.comment(seedSaid)
  const problems = new Set<string>()
  let gaps: Gaps = new Map()
  let killed = 0
  for (const files of moments) {
    for (const { status, path, reason } of await collect(verifyRing(dir, new BytesDisk(files))))
      if (status === 'damaged') problems.add(`verify calls ${path} damaged: ${reason}`)
    const before = await countsOf(new BytesDisk(files), dir, gaps)
    gaps = before.gaps
    if (before.said < before.gone) problems.add(`${before.gone} are gone, and only ${before.said} are said to be`)
    // Said, and not done yet: whoever comes after must do it, and not say it again.
    if (before.said === before.gone) continue
    killed++
    // The next is killed as well, before it has come to that.
    const next = new BytesDisk(files)
    const again: Files[] = []
    await write(
      watched(next, files => again.push(files)),
      10_001,
      10_060,
    )
    for (const files of [next.files, again[among(random, 0, again.length - 1)]!]) {
      const last = new BytesDisk(files)
      const between = await countsOf(new BytesDisk(files), dir, gaps)
      await write(last, 20_001, 20_100)
      const { said, gone } = await countsOf(last, dir, between.gaps)
      if (said !== gone) problems.add(`${said} are said to be gone after kills, and ${gone} are`)
    }
  }
  t.comment(`${moments.length} moments, ${killed} of them between the word and the deed`)
  t.ok(killed > 10)
  t.strictSame([...problems].slice(0, 10), [])
})
