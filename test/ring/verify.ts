import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import type { RingHealth } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { faultyDisk } from '../support/ring-disk.js'
import { collect, contextJson, noisyJson, recordJson, stamp } from '../support/ring-records.js'
import { linesOf, member, type Numbered, sealedName, sealedOf, writeSegment } from '../support/ring-sealed.js'

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** What a segment holds that begins with the first of these numbers. */
const records = (from: number, to: number): Numbered[] =>
  range(from, to).map(seq => ({ seq, json: seq === from ? contextJson() : recordJson(seq) }))

/** A ring of one segment that was never full: its context and what was appended. */
async function ringOf(dir: string, lastSeq: number): Promise<void> {
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  await Promise.all(range(2, lastSeq).map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
}

/** 1 to 50 and 51 to 100 sealed or not, 101 to 150 as text. @returns their paths */
async function threeSegments(dir: string, kind: 'text' | 'sealed'): Promise<[string, string, string]> {
  return [
    await writeSegment(dir, kind, records(1, 50)),
    await writeSegment(dir, kind, records(51, 100)),
    await writeSegment(dir, 'text', records(101, 150)),
  ]
}

function edit(path: string, change: (lines: string[]) => readonly string[]): void {
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1)
  writeFileSync(path, change(lines).join('\n').concat('\n'), 'latin1')
}

const spoilt = (line: string): string => line.replace('"boot-1"', '"boot-l"')

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
  edit(join(dir, segmentName(1)), ([a, b, c, d, ...others]) => [
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
  edit(join(dir, segmentName(1)), ([a, b, c]) => [a!, b!, spoilt(c!)])
  t.strictSame(await verified(dir), {
    healths: [
      health(join(dir, segmentName(1)), { status: 'damaged', records: 2, lost: 1, reason: '1 stretch is no record' }),
    ],
    isWhole: false,
  })
})

for (const kind of ['text', 'sealed'] as const) {
  t.test(`a ${kind} segment that is missing is the damage of the one that follows`, async t => {
    const dir = t.testdir()
    const [first, second, third] = await threeSegments(dir, kind)
    rmSync(second)
    t.strictSame(await verified(dir), {
      healths: [
        health(first, { records: 50 }),
        health(third, { status: 'damaged', records: 50, lost: 50, reason: 'missing: 51 to 100' }),
      ],
      isWhole: false,
    })
  })

  t.test(`the oldest ${kind} segments are missed too when no gap record says that they went`, async t => {
    const dir = t.testdir()
    const [first, second, third] = await threeSegments(dir, kind)
    rmSync(first)
    t.strictSame(await verified(dir), {
      healths: [
        health(second, { status: 'damaged', records: 50, lost: 50, reason: 'missing: 1 to 50' }),
        health(third, { records: 50 }),
      ],
      isWhole: false,
    })
  })
}

t.test('damage at the end of a full segment is put down to that segment', async t => {
  const dir = t.testdir()
  const [first, second, third] = await threeSegments(dir, 'text')
  edit(first, lines => [...lines.slice(0, -2), ...lines.slice(-2).map(spoilt)])
  t.strictSame(await verified(dir), {
    healths: [
      health(first, {
        status: 'damaged',
        records: 48,
        lost: 2,
        reason: '2 stretches are no record; missing: 49 to 50',
      }),
      health(second, { records: 50 }),
      health(third, { records: 50 }),
    ],
    isWhole: false,
  })
})

t.test('what a gap record says is no damage any more', async t => {
  const dir = t.testdir()
  const [first, , third] = await threeSegments(dir, 'sealed')
  rmSync(join(dir, sealedName(51)))
  const second = join(dir, segmentName(51))
  writeFileSync(second, 'no record\n')
  t.equal((await verified(dir)).isWhole, false)
  const { ring, recovery } = await openRing({ dir, budgetBytes: 262_144, stamp })
  await ring.close()
  t.strictSame(recovery[1], {
    path: second,
    action: 'quarantined',
    reason: 'there is no sound record in it',
    lost: 50,
  })
  t.strictSame(await verified(dir), {
    healths: [health(first, { records: 50 }), health(third, { records: 51 })],
    isWhole: true,
  })
})

t.test('bytes that do not belong there are damage even when no record is missing', async t => {
  const dir = t.testdir()
  await ringOf(dir, 3)
  edit(join(dir, segmentName(1)), ([a, b, c]) => [a!, 'somebody was here', b!, a!, c!])
  t.strictSame(await verified(dir), {
    healths: [
      health(join(dir, segmentName(1)), { status: 'damaged', records: 3, reason: '2 stretches are no record' }),
    ],
    isWhole: false,
  })
})

for (const kind of ['text', 'sealed'] as const) {
  t.test(`a ${kind} segment the medium will not give back is damaged, and says why`, async t => {
    const dir = t.testdir()
    const [first, second, third] = await threeSegments(dir, kind)
    const disk = faultyDisk((operation, path) => (operation === 'read' && path === first ? { code: 'EIO' } : null))
    t.strictSame(await collect(verifyRing(dir, disk)), [
      health(first, {
        status: 'damaged',
        lost: 50,
        reason: 'the disk does not give all of it back (EIO); 1 stretch is no record; missing: 1 to 50',
      }),
      health(second, { records: 50 }),
      health(third, { records: 50 }),
    ])
  })
}

t.test('sealed segments are verified member by member', async t => {
  const dir = t.testdir()
  const segment = range(1, 200).map(seq => ({ seq, json: noisyJson(seq, 1_000) }))
  const path = await writeSegment(dir, 'sealed', segment)
  await writeSegment(dir, 'text', records(201, 210))
  const { bytes, index } = await sealedOf(segment)
  const [one, two] = index.members
  // In the middle of the second member.
  bytes[one!.bytes + Math.floor(two!.bytes / 2)]! ^= 1
  writeFileSync(path, bytes)
  t.strictSame(await verified(dir), {
    healths: [
      health(path, {
        status: 'damaged',
        records: 200 - two!.records,
        lost: two!.records,
        reason: `1 stretch is no record; missing: ${two!.firstSeq} to ${two!.lastSeq}`,
      }),
      health(join(dir, segmentName(201)), { records: 10 }),
    ],
    isWhole: false,
  })
})

t.test('a sealed segment whose index is damaged is read all the same, and nothing is lost', async t => {
  const dir = t.testdir()
  const segment = range(1, 200).map(seq => ({ seq, json: noisyJson(seq, 1_000) }))
  const path = await writeSegment(dir, 'sealed', segment)
  const bytes = readFileSync(path)
  bytes[bytes.indexOf('"members"')]! ^= 1
  writeFileSync(path, bytes)
  t.strictSame(await verified(dir), { healths: [health(path, { records: 200 })], isWhole: true })
})

t.test('what a thinned segment no longer holds is no damage, and what is damaged of the rest is', async t => {
  const dir = t.testdir()
  const left = [7, ...range(30, 33)].map(seq => ({ seq, json: noisyJson(seq, 40_000) }))
  const span = { firstSeq: 1, lastSeq: 50, thinned: true }
  const path = await writeSegment(dir, 'sealed', left, span)
  const overflow = { ...stamp(), type: 'gap', data: { reason: 'overflow', count: 45, fromSeq: 1, toSeq: 50 } }
  await writeSegment(dir, 'text', [...records(51, 59), { seq: 60, json: JSON.stringify(overflow) }])
  const text = health(join(dir, segmentName(51)), { records: 10 })
  t.strictSame(await verified(dir), { healths: [health(path, { records: 5 }), text], isWhole: true })

  const { bytes, index } = await sealedOf(left, span)
  t.strictSame(
    index.members.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]),
    [7, 30, 31, 32, 33].map(seq => [seq, seq]),
  )
  bytes[bytes.length - 1_000]! ^= 1
  writeFileSync(path, bytes)
  t.strictSame(await verified(dir), {
    healths: [
      health(path, {
        status: 'damaged',
        records: 4,
        lost: 1,
        reason: '1 stretch is no record; missing: 33',
      }),
      text,
    ],
    isWhole: false,
  })
})

t.test('what another program has packed is verified too', async t => {
  const dir = t.testdir()
  const lines = (...seqs: number[]) => linesOf(seqs.map(seq => ({ seq, json: recordJson(seq) })))
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
