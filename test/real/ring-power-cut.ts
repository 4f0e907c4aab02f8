/**
 * The power goes, on real file systems: whatever was promised to be on the device is there when it is mounted again, what is
 * missing is explained, and the ring goes on. That the power really went shows a writer beside it that never syncs, and loses.
 *
 * `RING_EXT4_CUTS` and `RING_XFS_CUTS` set how often.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { codeOf } from '../../agent/ring/disk.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { countOf, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { DyingWriter } from '../support/dying-writer.js'
import { LoopMount, loopMountLacks } from '../support/loop-mount.js'
import { budgetBytes, classes, durabilityOf, loadJson } from '../support/ring-load.js'
import { collect, stamp, withSeq } from '../support/ring-records.js'

const cuts = {
  ext4: countOf('RING_EXT4_CUTS', { slice: 30, long: 300 }),
  xfs: countOf('RING_XFS_CUTS', { slice: 10, long: 100 }),
}

t.setTimeout(120_000 + (cuts.ext4 + cuts.xfs) * 5_000)
t.jobs = 2

type Found = Readonly<{ records: ReadonlyMap<number, string>; goneTo: number; inferred: number; problems: string[] }>

/** What a reader finds, and what of it nobody can have written. */
async function read(dir: string): Promise<Found> {
  const records = new Map<number, string>()
  const problems: string[] = []
  let goneTo = 0
  let inferred = 0
  for await (const item of readRing(dir)) {
    if (item.kind === 'gap') {
      inferred += item.count
      continue
    }
    const { type, data } = JSON.parse(item.json)
    if (type === 'gap' && data.reason === 'overflow') goneTo = Math.max(goneTo, data.toSeq)
    else if (type === 'gap' && data.reason !== 'damage') problems.push(`lost: ${item.json}`)
    else if (data.id !== undefined && item.json !== withSeq(item.seq, loadJson(data.id)))
      problems.push(`nobody wrote ${item.json}`)
    records.set(item.seq, item.json)
  }
  return { records, goneTo, inferred, problems }
}

for (const kind of ['ext4', 'xfs'] as const) {
  const skip = loopMountLacks(kind, 'xfs_io')
  t.test(`${cuts[kind]} times without power on ${kind}: what was synced is there`, { skip }, async t => {
    const random = randomFrom(seed)
    t.comment(seedSaid)
    const disk = LoopMount.make(t, kind)
    const ringDir = join(disk.dir, 'ring')
    const problems: string[] = []
    const sum = { promised: 0, synced: 0, unsyncedLost: 0, plain: 0, plainLost: 0, cutsWithLoss: 0 }
    /** The greatest number that was ever promised to be on the device. */
    let syncedTo = 0

    for (let cut = 0; cut < cuts[kind] && problems.length < 20; cut++) {
      const firstId = 1 + cut * 1_000_000
      const plainFile = join(disk.dir, `plain-${cut}`)
      // Where syncs are seldom there is something that they did not take along.
      const diskEvery = cut % 2 === 0 ? 17 : 257
      const writer = new DyingWriter('ring-writer.js', ringDir, `${firstId}`, `${diskEvery}`)
      const plain = new DyingWriter('plain-writer.js', plainFile, `${firstId}`)
      await Promise.all([writer.spoke, plain.spoke])
      await delay(random() * 300)
      // Stopped first: a sync that is on its way while the file system goes down may say that all is well.
      await Promise.all([writer.stop(), plain.stop()])
      disk.cutPower()
      const [said, plainSaid] = await Promise.all([writer.kill(), plain.kill()])
      disk.unmount()
      disk.mount()

      const complain = (problem: string) => problems.push(`cut ${cut}: ${problem}`.slice(0, 400))
      const before = await read(ringDir)
      const synced = said.filter(([, id = 0]) => durabilityOf(id, diskEvery) === 'disk')
      if (said.some(([seq]) => seq === 0)) complain('a promise was answered with 0')
      for (const [seq = 0] of synced) if (seq <= syncedTo) complain(`${seq} was given twice`)
      // A sync takes everything before along, so those that only the kernel was to have must be there as well.
      syncedTo = Math.max(syncedTo, ...synced.map(([seq = 0]) => seq))

      const { ring } = await openRing({ dir: ringDir, budgetBytes, stamp, classes })
      if (ring.state.mode !== 'disk') complain(`it came back in memory: ${ring.state.refusal}`)
      const next = await ring.append(loadJson(firstId + 999_999), 'disk')
      await ring.close()
      const after = await read(ringDir)

      let missing = 0
      for (const [seq = 0, id = 0] of said) {
        const json = withSeq(seq, loadJson(id))
        for (const { records, goneTo } of [before, after]) {
          if (records.get(seq) === json || seq <= goneTo) continue
          if (seq <= syncedTo) complain(`${id} was promised as ${seq}; there is ${records.get(seq)}`)
          else if (records === after.records) missing++
        }
      }
      for (const [seq, json] of before.records)
        if (after.records.get(seq) !== json && seq > after.goneTo) complain(`opening took ${json}`)
      before.problems.forEach(complain)
      after.problems.forEach(complain)
      if (after.inferred > 0) complain(`${after.inferred} records are missing, and no gap record says so`)
      if (next <= syncedTo) complain(`it goes on with ${next} after ${syncedTo}`)
      if (after.records.get(next) !== withSeq(next, loadJson(firstId + 999_999))) complain(`${next} is not there`)
      if (!ringIsWhole(await collect(verifyRing(ringDir)))) complain('verify calls it damaged')
      syncedTo = Math.max(syncedTo, next)

      const plainThere = linesThere(plainFile)
      const plainLost = plainSaid.filter(([id = 0], index) => plainThere[index] !== loadJson(id)).length
      sum.promised += said.length
      sum.synced += synced.length
      sum.unsyncedLost += missing
      sum.plain += plainSaid.length
      sum.plainLost += plainLost
      sum.cutsWithLoss += plainLost > 0 ? 1 : 0
    }

    t.comment(`${kind}: ${JSON.stringify(sum)}`)
    t.strictSame(problems, [])
    t.ok(sum.synced > cuts[kind], 'there was something to lose')
    t.ok(sum.plainLost > 0, 'who never syncs loses: else no power was cut')
  })
}

/** Of a file that nobody ever synced not even the name need be there, nor what the name leads to be readable. */
function linesThere(path: string): string[] {
  try {
    const lines = readFileSync(path, 'latin1').split('\n')
    rmSync(path)
    return lines
  } catch (error) {
    if (['ENOENT', 'EIO', 'EUCLEAN'].includes(codeOf(error))) return []
    throw error
  }
}
