import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { withSeq } from '../../agent/ring/line.js'
import { openRing } from '../../agent/ring/open.js'
import type { RingHealth } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { faultyDisk } from '../support/ring-disk.js'
import { collect, recordJson, stamp } from '../support/ring-records.js'
import { member, sealedName } from '../support/ring-sealed.js'

async function ringOf(dir: string, records: number, paddingBytes = 0): Promise<void> {
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  const ids = Array.from({ length: records }, (_, n) => n + 1)
  await Promise.all(ids.map(id => ring.append(recordJson(id, paddingBytes), 'kernel')))
  await ring.close()
}

function edit(dir: string, name: string, change: (lines: string[]) => readonly string[]): void {
  const path = join(dir, name)
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1)
  writeFileSync(path, change(lines).join('\n').concat('\n'), 'latin1')
}

const spoilt = (line: string): string => line.replace('"type":"log"', '"type":"lag"')

const verified = async (dir: string): Promise<{ healths: RingHealth[]; isWhole: boolean }> => {
  const healths = await collect(verifyRing(dir))
  return { healths, isWhole: ringIsWhole(healths) }
}

const health = (path: string, different: Partial<RingHealth>): RingHealth => ({
  path,
  status: 'ok',
  records: 0,
  lost: 0,
  reason: null,
  ...different,
})

t.test('a sound ring is whole, and so is an empty one', async t => {
  const dir = t.testdir()
  t.strictSame(await verified(dir), { healths: [], isWhole: true })
  await ringOf(dir, 5)
  t.strictSame(await verified(dir), { healths: [health(join(dir, segmentName(1)), { records: 5 })], isWhole: true })
})

t.test('half a line at the end is torn, and nothing is known to be lost', async t => {
  const dir = t.testdir()
  await ringOf(dir, 5)
  const path = join(dir, segmentName(1))
  appendFileSync(path, '12345678 {"seq":6')
  t.strictSame(await verified(dir), {
    healths: [
      health(path, {
        status: 'torn',
        records: 5,
        reason: 'it ends in 17 bytes of a line that was not written to its end',
      }),
    ],
    isWhole: true,
  })
})

t.test('damaged lines are counted by the numbers around them', async t => {
  const dir = t.testdir()
  await ringOf(dir, 8)
  const path = join(dir, segmentName(1))
  edit(dir, segmentName(1), ([a, b, c, d, ...others]) => [
    a!,
    spoilt(b!),
    c!,
    `${spoilt(d!)}${others[0]}`,
    ...others.slice(1),
  ])
  t.strictSame(await verified(dir), {
    healths: [
      health(path, {
        status: 'damaged',
        records: 5,
        lost: 3,
        reason: '2 stretches are no record; missing: 2, 4 to 5',
      }),
    ],
    isWhole: false,
  })
})

t.test('a damaged last line is known to be lost', async t => {
  const dir = t.testdir()
  await ringOf(dir, 3)
  edit(dir, segmentName(1), ([a, b, c]) => [a!, b!, spoilt(c!)])
  t.strictSame(await verified(dir), {
    healths: [
      health(join(dir, segmentName(1)), { status: 'damaged', records: 2, lost: 1, reason: '1 stretch is no record' }),
    ],
    isWhole: false,
  })
})

t.test('a segment that is missing is the damage of the one that follows', async t => {
  const dir = t.testdir()
  await ringOf(dir, 200, 150)
  const [first, second, third] = readdirSync(dir).map(name => Number(name.slice(0, 20)))
  rmSync(join(dir, segmentName(second!)))
  const { healths, isWhole } = await verified(dir)
  t.equal(isWhole, false)
  t.strictSame(healths.slice(0, 2), [
    health(join(dir, segmentName(first!)), { records: second! - 1 }),
    health(join(dir, segmentName(third!)), {
      status: 'damaged',
      records: healths[1]!.records,
      lost: third! - second!,
      reason: `missing: ${second} to ${third! - 1}`,
    }),
  ])
})

t.test('the oldest segments are missed too when no gap record says that they went', async t => {
  const dir = t.testdir()
  await ringOf(dir, 200, 150)
  const [first, second] = readdirSync(dir)
  rmSync(join(dir, first!))
  const { healths, isWhole } = await verified(dir)
  t.equal(isWhole, false)
  t.equal(healths[0]?.lost, Number(second!.slice(0, 20)) - 1)
})

t.test('damage at the end of a full segment is put down to that segment', async t => {
  const dir = t.testdir()
  await ringOf(dir, 200, 150)
  edit(dir, segmentName(1), lines => [...lines.slice(0, -2), ...lines.slice(-2).map(spoilt)])
  const { healths } = await verified(dir)
  t.strictSame(
    healths.map(({ status, lost }) => [status, lost]),
    [
      ['damaged', 2],
      ['ok', 0],
      ['ok', 0],
      ['ok', 0],
    ].slice(0, healths.length),
  )
})

t.test('what a gap record says is no damage any more', async t => {
  const dir = t.testdir()
  await ringOf(dir, 200, 150)
  const [, second, third] = readdirSync(dir)
  writeFileSync(join(dir, second!), 'no record\n')
  t.equal((await verified(dir)).isWhole, false)
  const { ring, recovery } = await openRing({ dir, budgetBytes: 262_144, stamp })
  await ring.close()
  t.equal(recovery[1]?.lost, Number(third!.slice(0, 20)) - Number(second!.slice(0, 20)))
  const { healths, isWhole } = await verified(dir)
  t.equal(isWhole, true)
  t.strictSame(new Set(healths.map(({ status, lost }) => `${status} ${lost}`)), new Set(['ok 0']))
})

t.test('bytes that do not belong there are damage even when no record is missing', async t => {
  const dir = t.testdir()
  await ringOf(dir, 3)
  edit(dir, segmentName(1), ([a, b, c]) => [a!, 'somebody was here', b!, a!, c!])
  t.strictSame(await verified(dir), {
    healths: [
      health(join(dir, segmentName(1)), { status: 'damaged', records: 3, reason: '2 stretches are no record' }),
    ],
    isWhole: false,
  })
})

t.test('a segment the medium will not give back is damaged, and says why', async t => {
  const dir = t.testdir()
  await ringOf(dir, 200, 150)
  const [first, second] = readdirSync(dir)
  const disk = faultyDisk((operation, path) => (operation === 'read' && path.endsWith(first!) ? { code: 'EIO' } : null))
  const [damaged, sound] = await collect(verifyRing(dir, disk))
  t.strictSame(damaged, {
    path: join(dir, first!),
    status: 'damaged',
    records: 0,
    lost: Number(second!.slice(0, 20)) - 1,
    reason: `the disk does not give all of it back (EIO); 1 stretch is no record; missing: 1 to ${Number(second!.slice(0, 20)) - 1}`,
  })
  t.equal(sound?.status, 'ok')
})

t.test('sealed segments are verified member by member', async t => {
  const dir = t.testdir()
  const lines = (...seqs: number[]) => seqs.map(seq => `${withSeq(seq, recordJson(seq))}\n`).join('')
  const damaged = member(lines(3, 4))
  damaged[30]! ^= 1
  writeFileSync(join(dir, sealedName(1)), Buffer.concat([member(lines(1, 2)), damaged, member(lines(5, 6))]))
  writeFileSync(join(dir, sealedName(7)), member(lines(7, 8)))
  t.strictSame(await verified(dir), {
    healths: [
      health(join(dir, sealedName(1)), {
        status: 'damaged',
        records: 4,
        lost: 2,
        reason: '1 stretch is no record; missing: 3 to 4',
      }),
      health(join(dir, sealedName(7)), { records: 2 }),
    ],
    isWhole: false,
  })
})
