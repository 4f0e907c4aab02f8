import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import type { RingLimits, RingNotice, RingOptions, RingWriter, Timers } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { faultyDisk } from '../support/ring-disk.js'
import {
  allSealed,
  areConsecutive,
  collect,
  contentOf,
  contextJson,
  goneIn,
  noisyJson,
  recordJson,
  stamp,
} from '../support/ring-records.js'
import { type Numbered, sealedName, writeSegment } from '../support/ring-sealed.js'

const smallest = 262_144

const open = async (dir: string, options: Partial<RingOptions> = {}) =>
  openRing({ dir, budgetBytes: smallest, stamp, ...options })

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** What a segment holds that begins with the first of these numbers. */
const records = (from: number, to: number): Numbered[] =>
  range(from, to).map(seq => ({ seq, json: seq === from ? contextJson() : recordJson(seq) }))

/** Changes a bit in the last of a file's lines, or in those before it. @param fromEnd 1 for the last */
function spoil(path: string, ...fromEnd: number[]): void {
  const lines = readFileSync(path, 'latin1').split('\n')
  for (const at of fromEnd) lines[lines.length - 1 - at] = lines.at(-1 - at)!.replace('boot-1', 'boot-l')
  writeFileSync(path, lines.join('\n'), 'latin1')
}

/** Of all files together. One that is renamed or goes between being listed and being asked is looked for again. */
function sizeOf(dir: string): number {
  for (;;) {
    const sizes = readdirSync(dir).map(name => statSync(join(dir, name), { throwIfNoEntry: false })?.size)
    if (!sizes.includes(undefined)) return sizes.reduce<number>((sum, size = 0) => sum + size, 0)
  }
}

/** What the ring says it takes, once it has seen the end of what it did in the background. */
async function settledBytes(ring: RingWriter, dir: string): Promise<number> {
  await allSealed(dir)
  for (let turn = 0; turn < 10_000 && ring.state.bytes !== sizeOf(dir); turn++) await setImmediate()
  return ring.state.bytes
}

t.test('numbers begin with 1, rise by 1 in the order of the calls, and go on over restarts', async t => {
  const dir = join(t.testdir(), 'deep', 'ring')
  const first = await open(dir)
  t.strictSame({ recovery: first.recovery, lastRecord: first.lastRecord }, { recovery: [], lastRecord: null })
  t.strictSame(
    await Promise.all([
      first.ring.append(recordJson(1), 'kernel'),
      first.ring.append(recordJson(2), 'disk'),
      first.ring.append(recordJson(3), 'kernel'),
    ]),
    [2, 3, 4],
    '1 is the context that opens the segment',
  )
  await first.ring.close()

  const second = await open(dir)
  t.strictSame(second.recovery, [{ path: join(dir, segmentName(1)), action: 'kept', reason: 'it is sound', lost: 0 }])
  t.equal(second.lastRecord, `{"seq":4,${recordJson(3).slice(1)}`)
  const bytesBefore = sizeOf(dir)
  const { writtenDayBytes } = second.ring.state
  t.equal(await second.ring.append(recordJson(4), 'kernel'), 5)
  t.strictSame(second.ring.state, {
    bytes: sizeOf(dir),
    segments: 1,
    firstSeq: 1,
    lastSeq: 5,
    budgetBytes: smallest,
    mode: 'disk',
    lostUnsaid: 0,
    writtenDayBytes: writtenDayBytes + sizeOf(dir) - bytesBefore,
    writesAreGrouped: false,
  })
  await second.ring.close()
  const { ids, contexts } = await contentOf(dir)
  t.strictSame(
    { ids: [...ids], contexts: [...contexts] },
    {
      ids: [
        [2, 1],
        [3, 2],
        [4, 3],
        [5, 4],
      ],
      contexts: [[1, { ring: { goneTo: 0, told: [] } }]],
    },
  )
  t.equal(statSync(dir).mode & 0o777, 0o700, 'nobody else may look')
})

t.test('what is on the disk is text that anybody can read', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await ring.append('{"data":{"text":"grüß Gott"}}', 'kernel')
  t.strictSame(readdirSync(dir), ['00000000000000000001.log'])
  t.equal(
    readFileSync(join(dir, segmentName(1)), 'utf8'),
    'fa01d7f2 {"seq":1,"at":"2026-11-22T10:00:00.000Z","bootId":"boot-1","monoMs":1000,"level":30,"type":"context",' +
      '"conn":null,"inc":null,"data":{"ring":{"goneTo":0,"told":[]}}}\n' +
      '23650e66 {"seq":2,"data":{"text":"grüß Gott"}}\n',
  )
  await ring.close()
})

t.test('an append is in the kernel soon, together with those that came with it', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir, { budgetBytes: 16 << 20 })
  await ring.append(recordJson(0), 'disk')
  const tookMs: number[] = []
  for (let attempt = 0; attempt < 5; attempt++) {
    const startMs = performance.now()
    const seqs = await Promise.all(Array.from({ length: 100 }, (_, id) => ring.append(recordJson(id), 'kernel')))
    tookMs.push(performance.now() - startMs)
    t.strictSame(
      seqs,
      Array.from({ length: 100 }, (_, id) => id + 3 + attempt * 100),
    )
  }
  // Waiting for a limit, or for one another, would take some hundred times as long as the writing.
  t.ok(Math.min(...tookMs) < 5_000, `${tookMs} ms`)
  await ring.close()
})

t.test('a full segment is sealed: what is in it is there, byte for byte, and takes less room', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const seqs = await Promise.all(range(1, 150).map(id => ring.append(recordJson(id, 150), 'kernel')))
  await allSealed(dir)
  const names = readdirSync(dir).sort()
  const [first, second, third] = names.map(name => Number.parseInt(name, 10)) as [number, number, number]
  t.strictSame(names, [sealedName(first), sealedName(second), segmentName(third)])
  for (const name of names.slice(0, -1)) t.ok(statSync(join(dir, name)).size < 2_500, name)
  t.equal(await settledBytes(ring, dir), sizeOf(dir))
  t.equal(ring.state.segments, 3)
  await ring.close()
  const { seqs: there, ids, contexts, gaps, inferred } = await contentOf(dir)
  t.strictSame(there, range(1, seqs.at(-1)!))
  t.strictSame(
    [...ids.entries()],
    seqs.map((seq, at) => [seq, at + 1]),
  )
  t.strictSame([...contexts.keys()], [first, second, third])
  t.strictSame({ gaps, inferred }, { gaps: [], inferred: [] })
})

t.test(
  'the directory stays under its budget; the oldest segments go, and each time a record says how many',
  async t => {
    const dir = t.testdir()
    const { ring } = await open(dir)
    let largestBytes = 0
    const seqs: number[] = []
    for (let batch = 0; batch < 120; batch++) {
      const appended = range(batch * 40, batch * 40 + 39).map(id => ring.append(noisyJson(id, 150), 'kernel'))
      for (const one of appended) {
        seqs.push(await one)
        largestBytes = Math.max(largestBytes, sizeOf(dir))
      }
    }
    await ring.close()
    t.ok(largestBytes <= smallest, `${largestBytes} bytes`)
    t.ok(largestBytes > smallest * 0.85, `${largestBytes} bytes`)
    for (const name of readdirSync(dir)) t.ok(statSync(join(dir, name)).size <= 16_384, `${name} has its size`)

    const { seqs: there, ids, contexts, gaps, inferred } = await contentOf(dir)
    t.ok(areConsecutive(there))
    t.strictSame(inferred, [])
    t.strictSame(
      seqs.flatMap((seq, id) => (seq >= there[0]! && ids.get(seq) !== id ? [seq] : [])),
      [],
      'everything that is younger than the oldest is there',
    )
    t.ok(gaps.length > 3)
    for (const gap of gaps) t.equal(gap.count, (gap.toSeq ?? 0) - (gap.fromSeq ?? 0) + 1)
    t.equal(goneIn(gaps).toSeq, there[0]! - 1, 'the last ends where the ring begins')
    t.strictSame(
      [...contexts.keys()],
      readdirSync(dir)
        .map(name => Number.parseInt(name, 10))
        .sort((a, b) => a - b),
      'each segment opens with a context',
    )
  },
)

t.test('a record longer than a segment has one of its own', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const seqs = await Promise.all([
    ring.append(recordJson(1), 'kernel'),
    ring.append(recordJson(2, 100_000), 'kernel'),
    ring.append(recordJson(3, 5_000), 'kernel'),
  ])
  t.strictSame(seqs, [2, 4, 6])
  await allSealed(dir)
  t.strictSame(readdirSync(dir).sort(), [sealedName(1), sealedName(3), segmentName(5)])
  await ring.close()
  const { ids, contexts } = await contentOf(dir)
  t.strictSame([...ids.values()], [1, 2, 3])
  t.strictSame([...contexts.keys()], [1, 3, 5])
})

t.test('a record of 256 KiB is kept, a longer one is counted as lost', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir, { budgetBytes: 1 << 20 })
  const limit = 256 * 1024
  const overhead = recordJson(1).length
  t.equal(await ring.append(recordJson(1, limit - overhead), 'kernel'), 2)
  t.equal(await ring.append(recordJson(2, limit - overhead + 1), 'kernel'), 0)
  t.equal(await ring.append(recordJson(3), 'kernel'), 4)
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame(
    [...ids],
    [
      [2, 1],
      [4, 3],
    ],
  )
  t.strictSame(gaps, [{ reason: 'queue', count: 1, fromSeq: null, toSeq: null }])
})

t.test('what cannot be a line is counted as lost, and harms nothing', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const strange = ['', '[]', 'null', '{\n}', '{"a":"\0"}', '{"a":1', `{"a":"${'x'.repeat(150_000)}"}`]
  t.strictSame(
    await Promise.all(strange.map(json => ring.append(json, 'disk'))),
    strange.map(() => 0),
  )
  t.equal(ring.state.lostUnsaid, strange.length)
  t.equal(await ring.append(recordJson(1), 'kernel'), 3, 'after the context and the gap record')
  t.equal(ring.state.lostUnsaid, 0)
  await ring.close()
  const { gaps } = await contentOf(dir)
  t.strictSame(gaps, [{ reason: 'queue', count: strange.length, fromSeq: null, toSeq: null }])
})

t.test('more than the queue holds is dropped and counted, in its place', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir, { budgetBytes: 16 << 20 })
  const seqs = await Promise.all(Array.from({ length: 10_500 }, (_, id) => ring.append(recordJson(id), 'kernel')))
  t.strictSame(
    seqs.slice(10_000),
    Array.from({ length: 500 }, () => 0),
  )
  t.equal(await ring.append(recordJson(10_500), 'kernel'), seqs[9_999]! + 2)

  const large = await Promise.all(Array.from({ length: 50 }, (_, id) => ring.append(recordJson(id, 100_000), 'kernel')))
  t.equal(large.filter(seq => seq === 0).length, 9, 'in bytes too: 41 of them are 4 MiB')
  await ring.close()
  const { seqs: there, ids, gaps } = await contentOf(dir)
  t.ok(areConsecutive(there))
  t.strictSame(
    [...ids],
    [
      ...seqs.slice(0, 10_000).map((seq, id) => [seq, id]),
      [seqs[9_999]! + 2, 10_500],
      ...large.slice(0, 41).map((seq, id) => [seq, id]),
    ],
  )
  t.strictSame(gaps, [
    { reason: 'queue', count: 500, fromSeq: null, toSeq: null },
    { reason: 'queue', count: 9, fromSeq: null, toSeq: null },
  ])
})

t.test('a closed ring has written everything and takes nothing more', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const appended = [ring.append(recordJson(1), 'kernel'), ring.append(recordJson(2), 'disk')]
  await Promise.all([ring.close(), ring.close()])
  t.strictSame(await Promise.all(appended), [2, 3])
  t.equal(await ring.append(recordJson(3), 'kernel'), 0)
  t.strictSame([...(await contentOf(dir)).ids.values()], [1, 2])
})

t.test('half a line at the end is cut when the ring is opened', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await ring.append(recordJson(1), 'kernel')
  await ring.close()
  const path = join(dir, segmentName(1))
  const before = readFileSync(path)
  appendFileSync(path, '1234abcd {"seq":3,"at":"2026')

  const again = await open(dir)
  t.strictSame(again.recovery, [{ path, action: 'cut', reason: 'the last line was not written to its end', lost: 0 }])
  t.ok(readFileSync(path).equals(before))
  t.equal(await again.ring.append(recordJson(2), 'kernel'), 3)
  await again.ring.close()
})

t.test('a segment that was killed before its first line was whole begins anew, with a context', async t => {
  const dir = t.testdir()
  writeFileSync(join(dir, segmentName(1)), '1234abcd {"seq":1,"at":"2026')
  const { ring } = await open(dir)
  t.equal(await ring.append(recordJson(1), 'kernel'), 2)
  await ring.close()
  const { ids, contexts } = await contentOf(dir)
  t.strictSame({ ids: [...ids], contexts: [...contexts.keys()] }, { ids: [[2, 1]], contexts: [1] })
})

t.test('damaged lines at the end are cut, and a gap record keeps their numbers', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3, 4].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  const path = join(dir, segmentName(1))
  spoil(path, 1, 2)
  t.equal(ringIsWhole(await collect(verifyRing(dir))), false)

  const again = await open(dir)
  t.strictSame(again.recovery, [{ path, action: 'cut', reason: 'at its end 2 lines are damaged', lost: 2 }])
  t.equal(await again.ring.append(recordJson(5), 'kernel'), 7)
  await again.ring.close()
  const { seqs, gaps, inferred } = await contentOf(dir)
  t.strictSame(
    { seqs, gaps, inferred },
    {
      seqs: [1, 2, 3, 6, 7],
      gaps: [{ reason: 'damage', count: 2, fromSeq: 4, toSeq: 5 }],
      inferred: [],
    },
  )
  t.equal(ringIsWhole(await collect(verifyRing(dir))), true, 'a loss that was said is no damage')
})

t.test('a damaged line in the middle stays where it is, and is told of at the next start, once', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  const path = join(dir, segmentName(1))
  spoil(path, 2)
  const bytes = readFileSync(path)
  t.equal(ringIsWhole(await collect(verifyRing(dir))), false)

  for (const time of ['first', 'second']) {
    const again = await open(dir)
    t.strictSame(again.recovery, [{ path, action: 'kept', reason: '1 stretch is damaged', lost: 0 }], time)
    await again.ring.close()
    const { seqs, gaps, inferred } = await contentOf(dir)
    t.strictSame(
      { seqs, gaps, inferred },
      { seqs: [1, 2, 4, 5], gaps: [{ reason: 'damage', count: 1, fromSeq: 3, toSeq: 3 }], inferred: [] },
      time,
    )
  }
  t.ok(readFileSync(path).subarray(0, bytes.length).equals(bytes))
  t.equal(ringIsWhole(await collect(verifyRing(dir))), true)
})

t.test('what is found damaged when a segment is sealed is told of, and not again when it goes', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const seqs = await Promise.all(range(1, 40).map(id => ring.append(recordJson(id, 150), 'kernel')))
  spoil(join(dir, segmentName(1)), 5, 6)
  const said = { reason: 'damage', count: 2, fromSeq: seqs[34]!, toSeq: seqs[35]! }
  for (let id = 41; !existsSync(join(dir, sealedName(1))); id++) await ring.append(recordJson(id, 150), 'kernel')
  await allSealed(dir)
  await ring.append(recordJson(0), 'kernel')
  const there = await contentOf(dir)
  t.strictSame({ gaps: there.gaps, inferred: there.inferred }, { gaps: [said], inferred: [] })
  t.ok(ringIsWhole(await collect(verifyRing(dir))))

  for (let id = 1_000; ring.state.firstSeq === 1; id++) await ring.append(noisyJson(id, 5_000), 'kernel')
  await ring.close()
  const overflow = goneIn((await contentOf(dir)).gaps.filter(({ reason }) => reason === 'overflow'))
  t.strictSame(overflow, { count: ring.state.firstSeq - 3, fromSeq: 1, toSeq: ring.state.firstSeq - 1 })
})

t.test('a segment without a sound line goes into quarantine, counts in the budget and goes first', async t => {
  const dir = t.testdir()
  const first = await writeSegment(dir, 'text', records(1, 50))
  const second = await writeSegment(dir, 'text', records(51, 100))
  await writeSegment(dir, 'text', records(101, 150))
  writeFileSync(second, '\n'.repeat(40_000))

  const { ring, recovery } = await open(dir)
  t.strictSame(recovery[1], {
    path: second,
    action: 'quarantined',
    reason: 'there is no sound record in it',
    lost: 50,
  })
  t.ok(existsSync(`${second}.bad`))
  await allSealed(dir)
  t.notOk(existsSync(first))
  t.equal(await settledBytes(ring, dir), sizeOf(dir))
  for (let id = 151; existsSync(`${second}.bad`); id++) {
    await ring.append(noisyJson(id, 5_000), 'kernel')
    t.ok(sizeOf(dir) <= smallest)
  }
  t.ok(existsSync(join(dir, sealedName(1))), 'the oldest segment is still there')
  await ring.close()
  const { gaps, inferred } = await contentOf(dir)
  t.strictSame(gaps, [{ reason: 'damage', count: 50, fromSeq: 51, toSeq: 100 }])
  t.strictSame(inferred, [])
})

t.test('numbers that a gap record has told of are not counted again when their segment goes', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3, 4].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  spoil(join(dir, segmentName(1)), 1)

  const again = await open(dir)
  for (let id = 5; again.ring.state.firstSeq === 1; id++) await again.ring.append(noisyJson(id, 5_000), 'kernel')
  await again.ring.close()
  const { firstSeq } = again.ring.state
  const { gaps } = await contentOf(dir)
  t.strictSame(
    goneIn(gaps),
    { count: firstSeq - 2, fromSeq: 1, toSeq: firstSeq - 1 },
    'all but the damaged one, which was counted in a record that is gone as well',
  )
})

t.test('a crash between saying and doing is finished at the next start', async t => {
  const dir = t.testdir()
  // A crash in between leaves the gap record in a text segment, because nothing is sealed meanwhile.
  const toldIn = (names: readonly string[], toSeq: number) =>
    names.some(name => name.endsWith('.log') && readFileSync(join(dir, name), 'utf8').includes(`"toSeq":${toSeq},`))
  let firstSeq = 1
  let gone: { fromSeq: number | null; toSeq: number | null } | undefined
  for (let id = 1; !gone || !toldIn(readdirSync(dir), gone.toSeq ?? 0); ) {
    const { ring } = await open(dir)
    const before = ring.state.firstSeq
    while (ring.state.firstSeq <= Math.max(1, before)) await ring.append(noisyJson(id++, 5_000), 'kernel')
    await ring.close()
    firstSeq = ring.state.firstSeq
    gone = (await contentOf(dir)).gaps.at(-1)
  }
  const path = join(dir, segmentName(gone.fromSeq ?? 0))
  writeFileSync(path, 'what the overflow should have taken\n')

  const again = await open(dir)
  t.strictSame(again.recovery[0], {
    path,
    action: 'deleted',
    reason: 'a gap record says already that it went by overflow',
    lost: 0,
  })
  t.equal(again.ring.state.firstSeq, firstSeq)
  await again.ring.close()
})

t.test('a budget that has become smaller is kept from the start', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir, { budgetBytes: 1 << 20 })
  await Promise.all(range(0, 4_999).map(id => ring.append(noisyJson(id, 150), 'kernel')))
  await allSealed(dir)
  await ring.close()
  t.ok(sizeOf(dir) > 2 * smallest, `${sizeOf(dir)} bytes`)
  const again = await open(dir)
  t.ok(sizeOf(dir) <= smallest, `${sizeOf(dir)} bytes`)
  await allSealed(dir)
  t.equal(await settledBytes(again.ring, dir), sizeOf(dir))
  await again.ring.close()
  const { seqs, gaps, inferred } = await contentOf(dir)
  t.ok(areConsecutive(seqs))
  t.strictSame(goneIn(gaps), { count: seqs[0]! - 1, fromSeq: 1, toSeq: seqs[0]! - 1 })
  t.strictSame(inferred, [])
})

t.test('opening gets over whatever lies in the directory', async t => {
  const dir = t.testdir({
    'readme.txt': 'not ours',
    'probe.tmp': 'half',
    '00000000000000000005.idx': 'of no use any more',
    '00000000000000000000.log': 'no segment begins with 0\n',
    '99999999999999999999.log': 'no ring reaches that\n',
    '00000000000000000007.log': '\0'.repeat(4_096),
    '00000000000000000003.ndjson.gz': 'no gzip at all',
    '00000000000000000002.log': '',
    '1.log': 'too short a name\n',
  })
  mkdirSync(join(dir, '00000000000000000009.log'))
  const { ring } = await open(dir)
  const seq = await ring.append(recordJson(1), 'kernel')
  await ring.close()
  t.equal(seq, 10, 'after the context, a gap record for number 2, and one for 3 to 6')
  t.strictSame(readdirSync(dir).sort(), [
    '00000000000000000000.log.bad',
    '00000000000000000003.ndjson.gz.bad',
    segmentName(7),
    '00000000000000000009.log',
    '1.log',
    '99999999999999999999.log.bad',
    'readme.txt',
  ])
  t.strictSame((await contentOf(dir)).gaps, [
    { reason: 'damage', count: 1, fromSeq: 2, toSeq: 2 },
    { reason: 'damage', count: 4, fromSeq: 3, toSeq: 6 },
  ])
})

t.test('records of a ring that was cut back to nothing never get a number twice', async t => {
  const dir = t.testdir()
  await writeSegment(dir, 'sealed', records(1, 50))
  truncateSync(await writeSegment(dir, 'text', records(51, 100)), 0)
  const { ring } = await open(dir)
  t.equal(await ring.append(recordJson(200), 'kernel'), 52, 'after its context')
  await ring.close()
  const { seqs, ids } = await contentOf(dir)
  t.strictSame(seqs, range(1, 52))
  t.equal(ids.get(52), 200)
})

t.test('no file call on the way of an append is synchronous', async t => {
  const source = `
    import fs from 'node:fs'
    for (const name of Object.keys(fs)) {
      if (name.endsWith('Sync')) fs[name] = () => { throw new Error(name) }
    }
    const { openRing } = await import(process.argv[1])
    const stamp = () => ({ at: '', bootId: '', monoMs: 0 })
    const { ring } = await openRing({ dir: process.argv[2], budgetBytes: 262144, stamp })
    for (let n = 0; n < 3000; n++) void ring.append('{"data":"' + 'x'.repeat(200) + '"}', n % 100 ? 'kernel' : 'disk')
    await ring.close()
    console.log(ring.state.lastSeq > 3000)
  `
  const module = join(process.cwd(), 'dist', 'agent', 'ring', 'open.js')
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', source, module, t.testdir()], {
    encoding: 'utf8',
  })
  t.strictSame({ out: child.stdout, err: child.stderr }, { out: 'true\n', err: '' })
})

/** Time that passes when a test says so. It has come to rest when the ring waits for its next regular sync. */
function manualTimers() {
  let nowMs = 0
  let waiting: { atMs: number; act: () => void }[] = []
  const timers: Timers = {
    nowMs: () => nowMs,
    after(delayMs, act) {
      const timer = { atMs: nowMs + delayMs, act }
      waiting.push(timer)
      return () => {
        waiting = waiting.filter(other => other !== timer)
      }
    },
  }
  const advance = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms
    for (;;) {
      const [next] = waiting.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
      if (!next) break
      waiting = waiting.filter(timer => timer !== next)
      nowMs = next.atMs
      next.act()
      while (waiting.length === 0) await setImmediate()
    }
    nowMs = untilMs
  }
  return { timers, advance }
}

/** A ring by manual time, and when each sync of its active segment was asked for. */
async function timedRing(dir: string, limits: Partial<RingLimits>) {
  const { timers, advance } = manualTimers()
  const syncsMs: number[] = []
  const notices: (RingNotice & { atMs: number })[] = []
  const disk = faultyDisk((operation, path) => {
    if (operation === 'datasync' && path.endsWith('.log')) syncsMs.push(timers.nowMs())
    return null
  })
  const onNotice = (notice: RingNotice) => notices.push({ ...notice, atMs: timers.nowMs() })
  // So large that nothing is sealed meanwhile.
  const { ring } = await open(dir, { budgetBytes: 16 << 20, limits, timers, disk, onNotice })
  return { ring, advance, syncsMs, notices }
}

t.test('what nobody waits for is on the device within 5 s, and what somebody waits for at once', async t => {
  const { ring, advance, syncsMs, notices } = await timedRing(t.testdir(), {})
  const kernel = ring.append(recordJson(1), 'kernel')
  await advance(4_999)
  t.equal(await kernel, 2)
  t.strictSame(syncsMs, [])
  await advance(1)
  t.strictSame(syncsMs, [5_000])
  await advance(20_000)
  t.strictSame(syncsMs, [5_000], 'where there is nothing new there is nothing to sync')
  t.equal(await ring.append(recordJson(2), 'disk'), 3)
  t.strictSame(syncsMs, [5_000, 25_000])
  t.strictSame(notices, [])
  await ring.close()
})

t.test('over the day’s bytes syncs are put together, promises wait for them, and the user is told', async t => {
  const limitBytes = 100_000
  const { ring, advance, syncsMs, notices } = await timedRing(t.testdir(), { dailyWriteBytesMax: limitBytes })
  t.equal(await ring.append(recordJson(1), 'disk'), 2)
  t.strictSame(syncsMs, [0])
  const much = ring.append(recordJson(2, 100_000), 'kernel')
  await advance(20)
  await much
  t.equal(ring.state.writesAreGrouped, false, 'it is noticed when something is to be synced')
  await advance(4_980)
  const { writtenDayBytes } = ring.state
  t.ok(writtenDayBytes > limitBytes)
  const begun = { notice: 'writeBudget', exceeded: true, writtenBytes: writtenDayBytes, limitBytes, atMs: 5_000 }
  t.strictSame(notices, [begun])
  t.equal(ring.state.writesAreGrouped, true)

  // One who waits from the beginning of the minute, and one who comes late.
  const early = ring.append(recordJson(3), 'disk')
  const syncsAtAnswer: Promise<number>[] = [early.then(() => syncsMs.length)]
  await advance(50_000)
  const late = ring.append(recordJson(4), 'disk')
  while (ring.state.lastSeq < 5) await setImmediate()
  syncsAtAnswer.push(late.then(() => syncsMs.length))
  await advance(4_999)
  t.strictSame(syncsMs, [0], 'for nearly a minute nothing is synced')
  await advance(1)
  t.strictSame(await Promise.all([early, late]), [4, 5])
  t.strictSame(syncsMs, [0, 60_000])
  t.strictSame(await Promise.all(syncsAtAnswer), [2, 2], 'nobody was answered before the sync')

  const next = ring.append(recordJson(5), 'disk')
  await advance(59_999)
  t.strictSame(syncsMs, [0, 60_000])
  await advance(1)
  t.equal(await next, 6)
  t.strictSame(syncsMs, [0, 60_000, 120_000])

  await advance(24 * 3_600_000 - 120_000)
  t.equal(ring.state.writesAreGrouped, false)
  const { atMs, ...ended } = notices[1]!
  t.strictSame(ended, { notice: 'writeBudget', exceeded: false, writtenBytes: 0, limitBytes })
  t.equal(atMs, 24 * 3_600_000, 'when the hour of the writing is a day ago')
  t.equal(await ring.append(recordJson(6), 'disk'), 7)
  t.strictSame(syncsMs, [0, 60_000, 120_000, 24 * 3_600_000])
  t.equal(notices.length, 2)
  await ring.close()
})

t.test('a ring that is closed while syncs are put together answers those who wait after a sync', async t => {
  const dir = t.testdir()
  const { ring, advance, syncsMs } = await timedRing(dir, { dailyWriteBytesMax: 1 })
  const first = ring.append(recordJson(1), 'kernel')
  await advance(5_000)
  await first
  t.strictSame(syncsMs, [])
  const waiting = ring.append(recordJson(2), 'disk')
  await ring.close()
  t.equal(await waiting, 3)
  t.strictSame(syncsMs, [5_000])
})

t.test('a text that is back after its segment was sealed takes nothing with it', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  for (let id = 0; id < 200; id += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => ring.append(noisyJson(id + n, 600), 'kernel')))
  await ring.close()
  const before = await contentOf(dir)
  const sealed = readdirSync(dir).filter(name => name.endsWith('.gz'))
  t.ok(sealed.length > 3, `${sealed.length} sealed segments`)
  // Its deletion was not on the device when the power went, and neither was what stood in it.
  const text = join(dir, sealed[0]!.replace('.ndjson.gz', '.log'))
  writeFileSync(text, '')

  const again = await open(dir)
  t.strictSame(
    again.recovery.find(({ path }) => path === text),
    { path: text, action: 'deleted', reason: 'the same is there as another file', lost: 0 },
  )
  await again.ring.close()
  const { ids, gaps, inferred } = await contentOf(dir)
  t.strictSame({ ids, gaps, inferred }, { ids: before.ids, gaps: [], inferred: [] })
})
