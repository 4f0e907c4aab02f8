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
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import type { RingOptions } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { areConsecutive, collect, contentOf, recordJson, stamp } from '../support/ring-records.js'

const smallest = 262_144

const open = async (dir: string, options: Partial<RingOptions> = {}) =>
  openRing({ dir, budgetBytes: smallest, stamp, ...options })

const sizeOf = (dir: string): number => readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)

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
    [1, 2, 3],
  )
  await first.ring.close()

  const second = await open(dir)
  t.strictSame(second.recovery, [{ path: join(dir, segmentName(1)), action: 'kept', reason: 'it is sound', lost: 0 }])
  t.equal(second.lastRecord, `{"seq":3,${recordJson(3).slice(1)}`)
  t.equal(await second.ring.append(recordJson(4), 'kernel'), 4)
  t.strictSame(second.ring.state, {
    bytes: sizeOf(dir),
    segments: 1,
    firstSeq: 1,
    lastSeq: 4,
    budgetBytes: smallest,
    mode: 'disk',
    lostUnsaid: 0,
  })
  await second.ring.close()
  t.strictSame(
    [...(await contentOf(dir)).ids],
    [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ],
  )
  t.equal(statSync(dir).mode & 0o777, 0o700, 'nobody else may look')
})

t.test('what is on the disk is text that anybody can read', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await ring.append('{"data":{"text":"grüß Gott"}}', 'kernel')
  t.strictSame(readdirSync(dir), ['00000000000000000001.log'])
  t.equal(readFileSync(join(dir, segmentName(1)), 'utf8'), 'ea7a06d9 {"seq":1,"data":{"text":"grüß Gott"}}\n')
  await ring.close()
})

t.test('an append is in the kernel within 20 ms, together with those that came with it', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await ring.append(recordJson(0), 'disk')
  const tookMs: number[] = []
  for (let attempt = 0; attempt < 5; attempt++) {
    const startMs = performance.now()
    const seqs = await Promise.all(Array.from({ length: 100 }, (_, id) => ring.append(recordJson(id), 'kernel')))
    tookMs.push(performance.now() - startMs)
    t.strictSame(
      seqs,
      Array.from({ length: 100 }, (_, id) => id + 2 + attempt * 100),
    )
  }
  // The best of five, for the machine has other tests to run.
  t.ok(Math.min(...tookMs) < 20, `${tookMs} ms`)
  await ring.close()
})

t.test(
  'the directory stays under its budget; the oldest segments go, and each time a record says how many',
  async t => {
    const dir = t.testdir()
    const { ring } = await open(dir)
    let largestBytes = 0
    const seqs: number[] = []
    for (let batch = 0; batch < 60; batch++) {
      const appended = Array.from({ length: 40 }, (_, n) => ring.append(recordJson(batch * 40 + n, 150), 'kernel'))
      seqs.push(...(await Promise.all(appended)))
      largestBytes = Math.max(largestBytes, sizeOf(dir))
    }
    await ring.close()
    t.ok(largestBytes <= smallest, `${largestBytes} bytes`)
    t.ok(largestBytes > smallest * 0.85, `${largestBytes} bytes`)
    for (const name of readdirSync(dir)) t.ok(statSync(join(dir, name)).size <= 16_384, `${name} has its size`)

    const { seqs: there, ids, gaps, inferred } = await contentOf(dir)
    t.ok(areConsecutive(there))
    t.strictSame(inferred, [])
    t.strictSame(
      seqs.flatMap((seq, id) => (seq >= there[0]! && ids.get(seq) !== id ? [seq] : [])),
      [],
      'everything that is younger than the oldest is there',
    )
    t.ok(gaps.length > 3)
    for (const gap of gaps) t.equal(gap.count, (gap.toSeq ?? 0) - (gap.fromSeq ?? 0) + 1)
    t.strictSame(
      gaps.slice(1).map(gap => gap.fromSeq),
      gaps.slice(0, -1).map(gap => (gap.toSeq ?? 0) + 1),
      'each gap begins where the one before it ended',
    )
    t.equal(gaps.at(-1)?.toSeq, there[0]! - 1, 'and the last ends where the ring begins')
  },
)

t.test('a record longer than a segment has one of its own', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  const seqs = await Promise.all([
    ring.append(recordJson(1), 'kernel'),
    ring.append(recordJson(2, 100_000), 'kernel'),
    ring.append(recordJson(3), 'kernel'),
  ])
  t.strictSame(seqs, [1, 2, 3])
  await ring.close()
  t.strictSame(readdirSync(dir), [1, 2, 3].map(segmentName))
  t.strictSame([...(await contentOf(dir)).ids.values()], [1, 2, 3])
})

t.test('a record of 256 KiB is kept, a longer one is counted as lost', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir, { budgetBytes: 1 << 20 })
  const limit = 256 * 1024
  const overhead = recordJson(1).length
  t.equal(await ring.append(recordJson(1, limit - overhead), 'kernel'), 1)
  t.equal(await ring.append(recordJson(2, limit - overhead + 1), 'kernel'), 0)
  t.equal(await ring.append(recordJson(3), 'kernel'), 3)
  await ring.close()
  const { ids, gaps } = await contentOf(dir)
  t.strictSame(
    [...ids],
    [
      [1, 1],
      [3, 3],
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
  t.equal(await ring.append(recordJson(1), 'kernel'), 2)
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
    seqs.slice(0, 10_000),
    Array.from({ length: 10_000 }, (_, id) => id + 1),
  )
  t.strictSame(
    seqs.slice(10_000),
    Array.from({ length: 500 }, () => 0),
  )
  t.equal(await ring.append(recordJson(10_500), 'kernel'), 10_002)

  const large = await Promise.all(Array.from({ length: 50 }, (_, id) => ring.append(recordJson(id, 100_000), 'kernel')))
  t.equal(large.filter(seq => seq === 0).length, 9, 'in bytes too: 41 of them are 4 MiB')
  await ring.close()
  const { gaps } = await contentOf(dir)
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
  t.strictSame(await Promise.all(appended), [1, 2])
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
  appendFileSync(path, '1234abcd {"seq":2,"at":"2026')

  const again = await open(dir)
  t.strictSame(again.recovery, [{ path, action: 'cut', reason: 'the last line was not written to its end', lost: 0 }])
  t.ok(readFileSync(path).equals(before))
  t.equal(await again.ring.append(recordJson(2), 'kernel'), 2)
  await again.ring.close()
})

t.test('damaged lines at the end are cut, and a gap record keeps their numbers', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3, 4].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  const path = join(dir, segmentName(1))
  const bytes = readFileSync(path)
  bytes[bytes.length - 20]! ^= 1
  bytes[bytes.length - 20 - bytes.length / 4]! ^= 1
  writeFileSync(path, bytes)
  t.equal(ringIsWhole(await collect(verifyRing(dir))), false)

  const again = await open(dir)
  t.strictSame(again.recovery, [{ path, action: 'cut', reason: 'at its end 2 lines are damaged', lost: 2 }])
  t.equal(await again.ring.append(recordJson(5), 'kernel'), 6)
  await again.ring.close()
  const { seqs, gaps, inferred } = await contentOf(dir)
  t.strictSame(
    { seqs, gaps, inferred },
    {
      seqs: [1, 2, 5, 6],
      gaps: [{ reason: 'damage', count: 2, fromSeq: 3, toSeq: 4 }],
      inferred: [],
    },
  )
  t.equal(ringIsWhole(await collect(verifyRing(dir))), true, 'a loss that was said is no damage')
})

t.test('a damaged line in the middle stays where it is', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  const path = join(dir, segmentName(1))
  const bytes = readFileSync(path)
  bytes[bytes.length / 2]! ^= 1
  writeFileSync(path, bytes)

  const again = await open(dir)
  t.equal(again.recovery[0]?.action, 'kept')
  await again.ring.close()
  t.ok(readFileSync(path).equals(bytes))
})

t.test('a segment without a sound line goes into quarantine, counts in the budget and goes first', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  for (let id = 0; id < 400; id++) void ring.append(recordJson(id, 150), 'kernel')
  await ring.close()
  const names = readdirSync(dir)
  writeFileSync(join(dir, names[1]!), '\n'.repeat(40_000))

  const again = await open(dir)
  const [, quarantined] = again.recovery
  t.strictSame([quarantined?.action, quarantined?.reason], ['quarantined', 'there is no sound record in it'])
  t.ok(existsSync(join(dir, `${names[1]}.bad`)))
  t.equal(again.ring.state.bytes, sizeOf(dir))
  const firstSeq = Number(names[1]!.slice(0, 20))
  const nextSeq = Number(names[2]!.slice(0, 20))
  t.equal(quarantined?.lost, nextSeq - firstSeq)
  for (let id = 400; existsSync(join(dir, `${names[1]}.bad`)); id++)
    await again.ring.append(recordJson(id, 5_000), 'kernel')
  t.ok(existsSync(join(dir, names[0]!)), 'the oldest segment is still there')
  await again.ring.close()
  const { gaps, inferred } = await contentOf(dir)
  t.strictSame(gaps, [{ reason: 'damage', count: nextSeq - firstSeq, fromSeq: firstSeq, toSeq: nextSeq - 1 }])
  t.strictSame(inferred, [])
})

t.test('numbers that a gap record has told of are not counted again when their segment goes', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  await Promise.all([1, 2, 3, 4].map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
  const path = join(dir, segmentName(1))
  const bytes = readFileSync(path)
  bytes[bytes.length - 20]! ^= 1
  writeFileSync(path, bytes)

  const again = await open(dir)
  while (again.ring.state.firstSeq === 1) await again.ring.append(recordJson(5, 5_000), 'kernel')
  const { firstSeq } = again.ring.state
  await again.ring.close()
  const { gaps } = await contentOf(dir)
  t.strictSame(gaps, [{ reason: 'overflow', count: firstSeq - 2, fromSeq: 1, toSeq: firstSeq - 1 }])
})

t.test('an index goes with its segment, and counts in the budget until then', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  for (let id = 0; id < 100; id++) void ring.append(recordJson(id, 150), 'kernel')
  await ring.close()
  const indexes = readdirSync(dir).map(name => name.replace('.log', '.idx'))
  for (const name of indexes) writeFileSync(join(dir, name), 'x'.repeat(1_000))
  const again = await open(dir)
  t.equal(again.ring.state.bytes, sizeOf(dir))
  while (again.ring.state.firstSeq === 1) await again.ring.append(recordJson(100, 5_000), 'kernel')
  await again.ring.close()
  t.equal(existsSync(join(dir, indexes[0]!)), false)
  t.equal(existsSync(join(dir, indexes[1]!)), true)
  t.ok(sizeOf(dir) <= smallest)
})

t.test('a crash between saying and doing is finished at the next start', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  while (ring.state.firstSeq <= 1) await ring.append(recordJson(1, 5_000), 'kernel')
  const { firstSeq } = ring.state
  await ring.close()
  writeFileSync(join(dir, segmentName(1)), 'what the overflow should have taken\n')

  const again = await open(dir)
  t.strictSame(again.recovery[0], {
    path: join(dir, segmentName(1)),
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
  await Promise.all(Array.from({ length: 3_000 }, (_, id) => ring.append(recordJson(id, 150), 'kernel')))
  await ring.close()
  t.ok(sizeOf(dir) > 2 * smallest)
  const again = await open(dir)
  t.ok(sizeOf(dir) <= smallest, `${sizeOf(dir)} bytes`)
  t.equal(again.ring.state.bytes, sizeOf(dir))
  await again.ring.close()
  const { seqs, gaps, inferred } = await contentOf(dir)
  t.strictSame(gaps, [{ reason: 'overflow', count: seqs[0]! - 1, fromSeq: 1, toSeq: seqs[0]! - 1 }])
  t.strictSame(inferred, [])
})

t.test('opening gets over whatever lies in the directory', async t => {
  const dir = t.testdir({
    'readme.txt': 'not ours',
    'probe.tmp': 'half',
    '00000000000000000005.idx': 'orphan',
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
  t.equal(seq, 9, 'after a gap record for number 2, and one for 3 to 6')
  t.strictSame(readdirSync(dir).sort(), [
    '00000000000000000000.log.bad',
    '00000000000000000003.ndjson.gz.bad',
    segmentName(7),
    '00000000000000000009.log',
    '1.log',
    '99999999999999999999.log.bad',
    'readme.txt',
  ])
})

t.test('records of a ring that was cut back to nothing never get a number twice', async t => {
  const dir = t.testdir()
  const { ring } = await open(dir)
  for (let id = 0; id < 200; id++) void ring.append(recordJson(id, 150), 'kernel')
  await ring.close()
  const names = readdirSync(dir)
  truncateSync(join(dir, names.at(-1)!), 0)
  const again = await open(dir)
  t.equal(await again.ring.append(recordJson(200), 'kernel'), Number(names.at(-1)!.slice(0, 20)))
  await again.ring.close()
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
