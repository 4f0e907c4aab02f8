/** What the ring does while the disk says no. The disk is the real one, made to fail where a test wants it. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { followRing } from '../../agent/ring/read.js'
import type { RingOptions, RingWriter } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { type Fault, type FaultPlan, faultyDisk, type Operation } from '../support/ring-disk.js'
import { areConsecutive, collect, contentOf, noisyJson, recordJson, stamp } from '../support/ring-records.js'

// Healing is tried every 2 s of real time, so the stories wait side by side.
t.jobs = 20

const smallest = 262_144

const open = async (dir: string, plan: FaultPlan, options: Partial<RingOptions> = {}) =>
  (await openRing({ dir, budgetBytes: smallest, stamp, disk: faultyDisk(plan), ...options })).ring

/** Resolves once the record with that id can be read. */
async function isThere(dir: string, id: number): Promise<void> {
  mkdirSync(dir, { recursive: true })
  for await (const item of followRing(dir, { fromSeq: 1 }))
    if (item.kind === 'record' && JSON.parse(item.json).data.id === id) return
}

const appendAll = (ring: RingWriter, ids: readonly number[], paddingBytes = 0): Promise<number[]> =>
  Promise.all(ids.map(id => ring.append(recordJson(id, paddingBytes), 'kernel')))

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** A disk that fails as `broken` says, while it says so. */
const breakable = () => {
  const now: { broken: Fault | null; operations: readonly Operation[] } = { broken: null, operations: ['write'] }
  return {
    now,
    plan: ((operation: Operation) => (now.operations.includes(operation) ? now.broken : null)) as FaultPlan,
  }
}

t.test('a disk that fills up in the middle of a line keeps the whole lines before it, and memory the rest', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  const ring = await open(dir, plan)
  t.strictSame(await appendAll(ring, [1]), [2], 'after the record that opens the segment')
  const before = statSync(join(dir, segmentName(1))).size
  t.strictSame(await appendAll(ring, [2]), [3])
  const lineBytes = statSync(join(dir, segmentName(1))).size - before

  let remaining = 2
  const disk = faultyDisk(operation => {
    if (operation !== 'write' || now.broken === null) return null
    return remaining-- === 2 ? { code: 'ENOSPC', takes: Math.floor(2.5 * lineBytes) } : { code: 'ENOSPC' }
  })
  await ring.close()
  const again = (await openRing({ dir, budgetBytes: smallest, stamp, disk })).ring
  now.broken = { code: 'ENOSPC' }
  t.strictSame(await appendAll(again, [3, 4, 5, 6]), [4, 5, 0, 0], 'two and a half lines were taken')
  t.strictSame(
    { mode: again.state.mode, refusal: again.state.refusal, lostUnsaid: again.state.lostUnsaid },
    { mode: 'memory', refusal: 'ENOSPC: write was made to fail', lostUnsaid: 0 },
  )
  t.equal(statSync(join(dir, segmentName(1))).size, before + 3 * lineBytes, 'the half line is gone')
  t.equal(await again.append(recordJson(7), 'disk'), 0)

  now.broken = null
  await isThere(dir, 7)
  t.equal(await again.append(recordJson(8), 'kernel'), 9)
  t.equal(again.state.mode, 'disk')
  await again.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame(
    [...ids],
    range(1, 8).map(id => [id + 1, id]),
  )
  t.strictSame(gaps, [], 'nothing was lost, so nothing is said')
})

for (const [code, reason] of [
  ['ENOSPC', 'diskFull'],
  ['EDQUOT', 'diskFull'],
  ['EROFS', 'readOnly'],
  ['EIO', 'ioError'],
] as const) {
  t.test(
    `while every write ends in ${code} the newest 2,000 records are kept, and the others counted as ${reason}`,
    async t => {
      const dir = t.testdir()
      const { now, plan } = breakable()
      const ring = await open(dir, plan, { budgetBytes: 1 << 20 })
      t.strictSame(await appendAll(ring, [1, 2, 3]), [2, 3, 4])
      now.broken = { code }
      t.equal(await ring.append(recordJson(4), 'kernel'), 0)
      t.equal(ring.state.mode, 'memory')
      t.strictSame(new Set(await appendAll(ring, range(5, 5_003))), new Set([0]))
      t.equal(ring.state.lostUnsaid, 3_000)
      now.broken = null
      await isThere(dir, 5_003)
      t.equal(ring.state.lostUnsaid, 0)
      const last = await ring.append(recordJson(5_004), 'kernel')
      await ring.close()
      const { seqs, ids, gaps, inferred } = await contentOf(dir)
      t.ok(areConsecutive(seqs))
      t.equal(ids.get(last), 5_004)
      t.strictSame([...ids.values()], [1, 2, 3, ...range(3_004, 5_004)])
      t.strictSame(gaps, [{ reason, count: 3_000, fromSeq: null, toSeq: null }])
      t.strictSame(inferred, [])
    },
  )
}

t.test('memory is bounded in bytes too', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  const ring = await open(dir, plan, { budgetBytes: 16 << 20 })
  now.broken = { code: 'ENOSPC' }
  await ring.append(recordJson(1), 'kernel')
  await appendAll(ring, range(2, 30), 100_000)
  now.broken = null
  await isThere(dir, 30)
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame([...ids.values()], range(21, 30), '10 of them are 1 MB')
  t.strictSame(gaps, [{ reason: 'diskFull', count: 20, fromSeq: null, toSeq: null }])
})

t.test('each reason is counted for itself, in the order they came', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  const ring = await open(dir, plan, { budgetBytes: 16 << 20 })
  const queued = appendAll(ring, range(1, 10_100))
  now.broken = { code: 'EIO' }
  await queued
  now.broken = null
  await isThere(dir, 10_000)
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame([...ids.values()], range(8_001, 10_000))
  t.strictSame(gaps, [
    { reason: 'ioError', count: 8_000, fromSeq: null, toSeq: null },
    { reason: 'queue', count: 100, fromSeq: null, toSeq: null },
  ])
})

t.test('a sync that fails is not believed: the segment moves to fresh blocks, and nothing is lost', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  now.operations = ['datasync']
  const ring = await open(dir, plan)
  t.equal(await ring.append(recordJson(1), 'disk'), 2)
  const { ino } = statSync(join(dir, segmentName(1)))
  now.broken = { code: 'EIO' }
  t.strictSame(await Promise.all([ring.append(recordJson(2), 'disk'), ring.append(recordJson(3), 'kernel')]), [0, 4])
  t.equal(ring.state.mode, 'memory')
  t.equal(await ring.append(recordJson(4), 'disk'), 0)
  now.broken = null
  await isThere(dir, 4)
  t.equal(await ring.append(recordJson(5), 'disk'), 6)
  await ring.close()
  t.not(statSync(join(dir, segmentName(1))).ino, ino)
  t.strictSame(readdirSync(dir), [segmentName(1)])
  t.strictSame(
    [...(await contentOf(dir)).ids],
    range(1, 5).map(id => [id + 1, id]),
  )
})

t.test('a directory that cannot be listed is waited for, and then recovered', async t => {
  const dir = t.testdir()
  const before = await open(dir, () => null)
  await appendAll(before, [1, 2])
  await before.close()

  const { now, plan } = breakable()
  now.operations = ['list']
  now.broken = { code: 'EACCES' }
  const { ring, recovery, lastRecord } = await openRing({ dir, budgetBytes: smallest, stamp, disk: faultyDisk(plan) })
  t.strictSame({ recovery, lastRecord }, { recovery: [], lastRecord: null })
  t.strictSame(ring.state, {
    bytes: 0,
    segments: 0,
    firstSeq: 0,
    lastSeq: 0,
    budgetBytes: smallest,
    mode: 'memory',
    refusal: 'EACCES: list was made to fail',
    lostUnsaid: 0,
    writtenDayBytes: 0,
    writesAreGrouped: false,
  })
  t.equal(await ring.append(recordJson(3), 'kernel'), 0)
  now.broken = null
  await isThere(dir, 3)
  await ring.close()
  t.strictSame(
    [...(await contentOf(dir)).ids],
    [
      [2, 1],
      [3, 2],
      [4, 3],
    ],
  )
})

t.test('a segment that cannot be deleted is told of once, and goes when the disk lets it', async t => {
  const dir = t.testdir()
  let isBroken = true
  const ring = await open(dir, (operation, path) =>
    isBroken && operation === 'remove' && path.endsWith('.gz') ? { code: 'EIO' } : null,
  )
  let id = 0
  while (ring.state.mode === 'disk') await ring.append(noisyJson(++id, 5_000), 'kernel')
  t.equal(ring.state.firstSeq, 1)
  isBroken = false
  await isThere(dir, id)
  await ring.close()
  const { seqs, ids, gaps, inferred } = await contentOf(dir)
  t.ok(areConsecutive(seqs))
  t.equal([...ids.values()].at(-1), id)
  t.ok(seqs[0]! > 1)
  t.equal(
    gaps.reduce((sum, { count }) => sum + count, 0),
    seqs[0]! - 1,
  )
  t.strictSame(inferred, [])
})

t.test('a ring that is deleted while it is written is noticed, told of, and begun anew', async t => {
  const dir = join(t.testdir(), 'ring')
  const ring = await open(dir, () => null)
  await appendAll(ring, range(1, 10))
  rmSync(dir, { recursive: true })
  mkdirSync(dir)
  t.strictSame(await appendAll(ring, range(11, 20)), range(12, 21), 'the kernel goes on taking them')
  for await (const item of followRing(dir, { fromSeq: 1 })) if (item.kind === 'record') break
  t.equal(await ring.append(recordJson(21), 'kernel'), 24, 'after the record that opens the segment, and the gap')
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame([...ids], [[24, 21]])
  t.strictSame(gaps, [{ reason: 'damage', count: 21, fromSeq: 1, toSeq: 21 }])
})

t.test('what is in memory is written at the end, if the disk has healed by then', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  const ring = await open(dir, plan)
  now.broken = { code: 'ENOSPC' }
  await appendAll(ring, [1, 2])
  now.broken = null
  await ring.close()
  t.strictSame(
    [...(await contentOf(dir)).ids],
    [
      [2, 1],
      [3, 2],
    ],
  )
})

t.test('closing ends even when the disk never takes anything again', async t => {
  const dir = t.testdir()
  const { now, plan } = breakable()
  const ring = await open(dir, plan)
  now.broken = { code: 'EIO' }
  const appended = [ring.append(recordJson(1), 'kernel'), ring.append(recordJson(2), 'disk')]
  await ring.close()
  t.strictSame(await Promise.all(appended), [0, 0])
})

t.test('whichever operation fails, once or for a while: what was promised is there, and nothing twice', async t => {
  const operations = await operationsOf(join(t.testdir(), 'sound'))
  t.ok(operations > 100, `${operations} operations`)
  const stories = range(1, operations).flatMap(at => [
    { at, lasting: 1, code: 'EIO' },
    ...(at % 3 === 0 ? [{ at, lasting: 4, code: 'ENOSPC' }] : []),
  ])
  const wrong: string[] = []
  // Each waits for its healing, so many go together.
  for (let start = 0; start < stories.length; start += 300) {
    const told = stories.slice(start, start + 300).map(async story => {
      const dir = join(t.testdirName, `${story.at}-${story.lasting}`)
      for (const problem of await problemsOf(dir, story)) wrong.push(`${JSON.stringify(story)}: ${problem}`)
      rmSync(dir, { recursive: true, force: true })
    })
    await Promise.all(told)
  }
  t.strictSame(wrong, [])
})

/** Writes, rotates, deletes, is closed and opened again; records are large, so that little of it does all that. */
async function scenario(dir: string, plan: FaultPlan): Promise<Map<number, number>> {
  const promised = new Map<number, number>()
  let id = 0
  for (const rounds of [12, 8]) {
    const ring = await open(dir, plan)
    for (let round = 0; round < rounds; round++) {
      const ids = range(id + 1, id + 3)
      id += 3
      const seqs = await Promise.all(
        ids.map((id, n) => ring.append(recordJson(id, 5_000), n === 1 ? 'disk' : 'kernel')),
      )
      for (const [n, seq] of seqs.entries()) if (seq > 0) promised.set(seq, ids[n]!)
    }
    if (ring.state.mode === 'memory') await isThere(dir, id)
    await ring.close()
  }
  return promised
}

async function operationsOf(dir: string): Promise<number> {
  let count = 0
  await scenario(dir, () => {
    count++
    return null
  })
  return count
}

async function problemsOf(dir: string, { at, lasting, code }: { at: number; lasting: number; code: string }) {
  let count = 0
  const promised = await scenario(dir, () => {
    count++
    return count >= at && count < at + lasting ? { code, takes: 3_000 } : null
  })
  const { seqs, ids, gaps, inferred } = await contentOf(dir)
  const problems: string[] = []
  const gone = Math.max(0, ...gaps.filter(({ reason }) => reason === 'overflow').map(gap => gap.toSeq ?? 0))
  for (const [seq, id] of promised)
    if (seq > gone && ids.get(seq) !== id) problems.push(`${id} was promised as ${seq}, there is ${ids.get(seq)}`)
  if (seqs.some((seq, index) => index > 0 && seq <= seqs[index - 1]!)) problems.push(`numbers do not rise: ${seqs}`)
  if (new Set(ids.values()).size !== ids.size) problems.push('a record is there twice')
  if (inferred.length > 0) problems.push(`inferred: ${JSON.stringify(inferred)}`)
  const last = [...ids.values()].at(-1)
  if (last !== 60) problems.push(`the last is ${last}`)
  if (!ringIsWhole(await collect(verifyRing(dir)))) problems.push('verify says it is damaged')
  const bytes = readdirSync(dir).reduce((sum, name) => sum + readFileSync(join(dir, name)).length, 0)
  if (bytes > smallest) problems.push(`${bytes} bytes`)
  return problems
}

t.test('lines that were cut away are counted, though the rest of the opening failed', async t => {
  const dir = t.testdir()
  const ring = await open(dir, () => null)
  await appendAll(ring, [1, 2, 3])
  await ring.close()
  const path = join(dir, segmentName(1))
  writeFileSync(path, readFileSync(path, 'latin1').replaceAll(/"id":[23]/g, '"id":7'), 'latin1')
  writeFileSync(join(dir, 'left-over.tmp'), '')

  let refusals = 1
  const again = await open(dir, operation => (operation === 'remove' && refusals-- > 0 ? { code: 'EIO' } : null))
  t.equal(again.state.mode, 'memory')
  await again.append(recordJson(4), 'kernel')
  await again.close()
  const { ids, gaps, inferred } = await contentOf(dir)
  t.strictSame(
    { ids: [...ids], gaps, inferred },
    {
      ids: [
        [2, 1],
        [6, 4],
      ],
      gaps: [{ reason: 'damage', count: 2, fromSeq: 3, toSeq: 4 }],
      inferred: [],
    },
  )
})

for (const { what, refuses, gaps } of [
  {
    what: 'while it opens has lost nothing',
    refuses: (operation: Operation) => operation === 'syncDirectory',
    gaps: [],
  },
  {
    what: 'when it begins the next is counted as what it held for certain',
    refuses: (operation: Operation, path: string) => operation === 'open' && !path.endsWith(segmentName(1)),
    gaps: [{ reason: 'damage', count: 1, fromSeq: 1 }],
  },
]) {
  t.test(`a segment that is not given back for a moment, to a ring that is refused once more ${what}`, async t => {
    const dir = t.testdir()
    const ring = await open(dir, () => null)
    await appendAll(ring, [1, 2, 3])
    await ring.close()

    let [reads, others] = [1, 1]
    const again = await open(dir, (operation, path) => {
      if (operation === 'open' && path.endsWith(segmentName(1)) && reads-- > 0) return { code: 'EIO' }
      return refuses(operation, path) && others-- > 0 ? { code: 'ENOENT' } : null
    })
    t.equal(again.state.mode, 'memory')
    await again.append(recordJson(4), 'kernel')
    await again.close()
    const content = await contentOf(dir)
    t.match(content, { gaps, inferred: [] })
    t.strictSame([content.gaps.length, [...content.ids.values()]], [gaps.length, [1, 2, 3, 4]])
  })
}
