/** What goes by overflow is told of before it goes: neither twice nor not at all, whatever else was told of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { indexIn } from '../../agent/ring/members.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import type { RingOptions, RingWriter } from '../../agent/ring/ring.js'
import { filesMaxOf, segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { BytesDisk } from '../support/bytes-disk.js'
import { countsOf, type Gaps } from '../support/ring-counts.js'
import { faultyDisk } from '../support/ring-disk.js'
import { collect, contentOf, contextJson, noisyJson, recordJson, stamp } from '../support/ring-records.js'
import { type Numbered, writeSegment } from '../support/ring-sealed.js'

const smallest = 262_144

const open = async (dir: string, options: Partial<RingOptions> = {}) =>
  openRing({ dir, budgetBytes: smallest, stamp, ...options })

/** Until the segment that begins with that number is gone. @returns the id after the last */
async function overflow(ring: RingWriter, firstSeq: number, id: number): Promise<number> {
  let next = id
  while (ring.state.firstSeq <= firstSeq) await ring.append(noisyJson(next++, 5_000), 'kernel')
  return next
}

t.test(
  'what a segment has told of those before it is told on when it goes, though all of it was taken for lost',
  async t => {
    const dir = t.testdir()
    const large = await open(dir, { budgetBytes: 1 << 20 })
    for (const id of [1, 2]) await large.ring.append(noisyJson(id, 180_000), 'kernel')
    await large.ring.close()
    await (await open(dir)).ring.close()
    const overflown = { reason: 'overflow', count: 2, fromSeq: 1, toSeq: 2, kept: null }
    t.strictSame((await contentOf(dir)).gaps, [overflown], 'said in the second segment, because the first has no room')

    // For a moment the medium does not give it back, and nobody knows how much it holds.
    const refusing = faultyDisk((what, path) =>
      what === 'open' && path.endsWith(segmentName(3)) ? { code: 'EIO' } : null,
    )
    await (await open(dir, { disk: refusing })).ring.close()
    const { gaps, inferred } = await contentOf(dir)
    const guessed = gaps[1]!
    t.match({ gaps, inferred }, { gaps: [overflown, { reason: 'damage', count: 1, fromSeq: 3 }], inferred: [] })

    const { ring } = await open(dir)
    await overflow(ring, 3, 3)
    await ring.close()
    const after = await contentOf(dir)
    t.strictSame(
      { gap: after.gaps.find(({ reason }) => reason === 'overflow'), inferred: after.inferred },
      { gap: { reason: 'overflow', count: 0, fromSeq: 3, toSeq: guessed.toSeq, kept: null }, inferred: [] },
    )
    t.ok(ringIsWhole(await collect(verifyRing(dir))))
    const { ring: next, recovery } = await open(dir)
    await next.close()
    t.strictSame(
      { lost: recovery.map(({ lost }) => lost), gaps: (await contentOf(dir)).gaps },
      {
        lost: recovery.map(() => 0),
        gaps: after.gaps,
      },
    )
  },
)

t.test('a segment that stayed when newer ones went counts what is in it, and not those', async t => {
  const disk = new BytesDisk()
  const classes = [{ types: ['episode'], share: 1 / 8 }]
  const { ring } = await open('ring', { disk, classes })
  let gaps: Gaps = new Map()
  let id = 0
  const append = async (count: number, type: string): Promise<void> => {
    const jsons = Array.from({ length: count }, () => noisyJson(++id, 1_000, { type }))
    await Promise.all(jsons.map(json => ring.append(json, 'kernel')))
    // Before those go that were said until now.
    gaps = (await countsOf(disk, 'ring', gaps)).gaps
  }
  // All of the third segment is protected, so that nothing of it is ever taken out.
  await append(26, 'log')
  await append(13, 'episode')
  while (ring.state.lastSeq < 500) await append(100, 'log')
  t.equal(ring.state.firstSeq, 29)
  while (ring.state.firstSeq === 29) await append(20, 'episode')
  await ring.close()
  const { said, gone } = await countsOf(disk, 'ring', gaps)
  t.equal(said, gone)
})

t.test('what opening finds damaged, and has no room for, is counted once', async t => {
  const dir = t.testdir()
  const records = (fromSeq: number): Numbered[] =>
    Array.from({ length: 26 }, (_, n) => fromSeq + n).map(seq => ({
      seq,
      json: seq === fromSeq ? contextJson() : noisyJson(seq, 5_000),
    }))
  const oldest = await writeSegment(dir, 'text', records(1))
  for (const fromSeq of [27, 53]) await writeSegment(dir, 'text', records(fromSeq))
  const text = readFileSync(oldest, 'latin1')
  writeFileSync(oldest, text.replace('{"seq":5,', '{"seq":6,'), 'latin1')

  await (await open(dir)).ring.close()
  const { gaps, inferred } = await contentOf(dir)
  t.strictSame(
    { gaps, inferred },
    {
      gaps: [
        { reason: 'overflow', count: 25, fromSeq: 1, toSeq: 26, kept: null },
        { reason: 'damage', count: 1, fromSeq: 5, toSeq: 5 },
      ],
      inferred: [],
    },
  )
})

t.test('what is damaged of protected records is not forgotten when others are added to them', async t => {
  const disk = new BytesDisk()
  const classes = [{ types: ['episode'], share: 1 / 8 }]
  const { ring } = await open('ring', { disk, classes })
  let gaps: Gaps = new Map()
  let id = 0
  const append = async (): Promise<void> => {
    const jsons = Array.from({ length: 10 }, () => noisyJson(++id, 1_000, { type: id % 10 === 0 ? 'episode' : 'log' }))
    await Promise.all(jsons.map(json => ring.append(json, 'kernel')))
    gaps = (await countsOf(disk, 'ring', gaps)).gaps
  }
  const isThinned = async (name: string) => name !== '' && (await indexIn(disk, name))?.thinned
  const nameAt = async (at: number) => (await disk.names())[at] ?? ''
  while (!(await isThinned(await nameAt(0)))) await append()
  const oldest = await nameAt(0)
  const bytes = Buffer.from(disk.files.get(oldest)!)
  bytes[bytes.length - 400]! ^= 1
  const file = await disk.open(oldest, 'modify')
  await file.write(bytes, 0, bytes.length, 0)
  const inferred = async () => (await collect(readRing('ring', { disk }))).filter(({ kind }) => kind === 'gap')
  const damage = await inferred()
  t.match(damage, [{ kind: 'gap', count: 2, segment: oldest }])

  while (!(await isThinned(await nameAt(1))) && disk.files.get(oldest)?.equals(bytes)) await append()
  t.strictSame(await inferred(), damage, 'a reader finds it as before')
  while ((await disk.names()).includes(oldest)) await append()
  await ring.close()
  const { said, gone } = await countsOf(disk, 'ring', gaps)
  t.equal(said, gone)
  t.strictSame(await inferred(), [])
})

t.test('a ring of records that compress well keeps to its number of files, and counts what went', async t => {
  const disk = new BytesDisk()
  const { ring } = await open('ring', { disk })
  const filesMax = filesMaxOf(smallest)
  let gaps: Gaps = new Map()
  let largest = 0
  for (let id = 0; id < 3_200; id += 80) {
    const appended = Array.from({ length: 80 }, (_, n) => ring.append(recordJson(id + n, 2_000), 'kernel'))
    await Promise.all(appended)
    largest = Math.max(largest, (await disk.names()).length)
    gaps = (await countsOf(disk, 'ring', gaps)).gaps
  }
  await ring.close()
  const { said, gone } = await countsOf(disk, 'ring', gaps)
  t.equal(said, gone)
  t.ok(gone > 500, `${gone} went`)
  t.ok(ring.state.bytes < smallest * 0.9, `though there are only ${ring.state.bytes} bytes`)
  t.ok(filesMax - 2 <= largest && largest <= filesMax, `${largest} files`)
})
