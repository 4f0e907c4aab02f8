import { randomBytes } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { withSeq } from '../../agent/ring/line.js'
import { openRing } from '../../agent/ring/open.js'
import { followRing, lastRecords, readRing } from '../../agent/ring/read.js'
import type { RingItem } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { collect, contentOf, recordJson, seedFrom, stamp } from '../support/ring-records.js'
import { member, sealedName } from '../support/ring-sealed.js'

const smallest = 262_144

const open = async (dir: string) => (await openRing({ dir, budgetBytes: smallest, stamp })).ring

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** A ring of so many records, each its own number as id. */
async function ringOf(dir: string, records: number, paddingBytes = 0): Promise<void> {
  const ring = await open(dir)
  await Promise.all(range(1, records).map(id => ring.append(recordJson(id, paddingBytes), 'kernel')))
  await ring.close()
}

/** `5` for record 5, `5-7` for a gap. */
const brief = (items: readonly RingItem[]): string =>
  items.map(item => (item.kind === 'record' ? `${item.seq}` : `(${item.fromSeq}-${item.toSeq})`)).join(' ')

const briefOf = async (dir: string, fromSeq?: number): Promise<string> =>
  brief(await collect(readRing(dir, fromSeq === undefined ? {} : { fromSeq })))

/** Changes a file of a ring as the line numbers say. */
function edit(dir: string, name: string, change: (lines: string[]) => readonly string[]): void {
  const path = join(dir, name)
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1)
  writeFileSync(path, change(lines).join('\n').concat('\n'), 'latin1')
}

const spoilt = (line: string): string => line.replace('"type":"log"', '"type":"lag"')

t.test('records come oldest first, whole, and from the number that was asked for', async t => {
  const dir = t.testdir()
  await ringOf(dir, 5)
  t.strictSame(
    await collect(readRing(dir)),
    range(1, 5).map(seq => ({ kind: 'record', seq, json: withSeq(seq, recordJson(seq)) })),
  )
  t.equal(await briefOf(dir, 4), '4 5')
  t.equal(await briefOf(dir, 6), '')
})

t.test('reading from a number begins in its segment', async t => {
  const dir = t.testdir()
  await ringOf(dir, 300, 150)
  const names = readdirSync(dir)
  t.ok(names.length > 3)
  rmSync(join(dir, names[0]!))
  const second = Number(names[1]!.slice(0, 20))
  t.equal(await briefOf(dir, second), range(second, 300).join(' '), 'what is missing before it is not asked for')
  t.equal(await briefOf(dir, second - 2), `(${second - 2}-${second - 1}) ${range(second, 300).join(' ')}`)
})

t.test('a damaged line is a gap in its place, and costs no other', async t => {
  const dir = t.testdir()
  await ringOf(dir, 6)
  edit(dir, segmentName(1), ([a, b, c, d, e, f]) => [a!, spoilt(b!), c!, spoilt(d!), spoilt(e!), f!])
  t.strictSame(
    (await collect(readRing(dir))).filter(({ kind }) => kind === 'gap'),
    [
      { kind: 'gap', fromSeq: 2, toSeq: 2, count: 1, segment: segmentName(1) },
      { kind: 'gap', fromSeq: 4, toSeq: 5, count: 2, segment: segmentName(1) },
    ],
  )
  t.equal(await briefOf(dir), '1 (2-2) 3 (4-5) 6')
  t.equal(await briefOf(dir, 5), '(5-5) 6')
})

t.test('damage at the beginning and at the end of the ring is counted too', async t => {
  const dir = t.testdir()
  await ringOf(dir, 4)
  edit(dir, segmentName(1), ([a, b, c, d]) => [spoilt(a!), b!, spoilt(c!), spoilt(d!)])
  t.equal(await briefOf(dir), '(1-1) 2 (3-4)')
})

t.test('a line that is still being written is no damage', async t => {
  const dir = t.testdir()
  await ringOf(dir, 2)
  const path = join(dir, segmentName(1))
  writeFileSync(path, readFileSync(path).subarray(0, -10))
  t.equal(await briefOf(dir), '1')
})

t.test('lines that stand there twice come once', async t => {
  const dir = t.testdir()
  await ringOf(dir, 4)
  edit(dir, segmentName(1), ([a, b, c, d]) => [a!, b!, a!, b!, c!, d!, a!])
  t.equal(await briefOf(dir), '1 2 3 4')
})

t.test('segments that somebody took away are gaps', async t => {
  const dir = t.testdir()
  await ringOf(dir, 300, 150)
  const names = readdirSync(dir)
  const [first, second, third] = names.map(name => Number(name.slice(0, 20)))
  rmSync(join(dir, names[0]!))
  t.equal(await briefOf(dir), `(1-${second! - 1}) ${range(second!, 300).join(' ')}`)
  rmSync(join(dir, names[1]!))
  t.equal(await briefOf(dir), `(${first}-${third! - 1}) ${range(third!, 300).join(' ')}`)
})

t.test('what went by overflow is a record and not a gap, however often the ring has turned', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  for (let id = 1; id <= 3_000; id += 100)
    await Promise.all(range(id, id + 99).map(id => ring.append(recordJson(id, 150), 'kernel')))
  await ring.close()
  const { seqs, inferred } = await contentOf(dir)
  t.ok(seqs[0]! > 1_000)
  t.strictSame(inferred, [])
})

t.test('a ring can be read while it is written, turns over, and loses its oldest segments', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  let writing = true
  const written = (async () => {
    for (let id = 1; id <= 6_000; id += 50)
      await Promise.all(range(id, id + 49).map(id => ring.append(recordJson(id, 150), 'kernel')))
    writing = false
  })()
  let rounds = 0
  while (writing) {
    const items = await collect(readRing(dir))
    const healths = await collect(verifyRing(dir))
    t.strictSame(
      items.filter(({ kind }) => kind === 'gap'),
      [],
    )
    t.ok(ringIsWhole(healths), JSON.stringify(healths.filter(({ status }) => status === 'damaged')))
    rounds++
  }
  await written
  await ring.close()
  t.ok(rounds > 3, `${rounds} rounds`)
})

t.test('reading changes nothing, and needs no right to', async t => {
  const dir = join(t.testdir(), 'copy')
  const original = join(t.testdirName, 'ring')
  await ringOf(original, 50)
  mkdirSync(dir)
  copyFileSync(join(original, segmentName(1)), join(dir, segmentName(1)))
  writeFileSync(join(dir, 'half.tmp'), 'a reader leaves it')
  writeFileSync(join(dir, segmentName(51)), '12345678 {"seq":51,"torn')
  for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o444)
  chmodSync(dir, 0o555)
  const look = () =>
    [dir, ...readdirSync(dir).map(name => join(dir, name))].map(path => [
      path,
      statSync(path).mtimeMs,
      statSync(path).size,
    ])
  const before = look()
  t.equal(await briefOf(dir), range(1, 50).join(' '))
  await collect(verifyRing(dir))
  await lastRecords(dir, 3)
  t.strictSame(look(), before)
  chmodSync(dir, 0o755)
})

t.test('a directory that cannot be listed is an error with a name', async t => {
  const nowhere = join(t.testdir(), 'nowhere')
  await t.rejects(collect(readRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(collect(followRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(collect(verifyRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(lastRecords(nowhere, 1), { code: 'RING_UNREADABLE' })
})

t.test('an empty directory is an empty ring', async t => {
  const dir = t.testdir()
  t.strictSame(await collect(readRing(dir)), [])
  t.strictSame(await lastRecords(dir, 10), [])
})

t.test('reading stops with the reason it was told', async t => {
  const dir = t.testdir()
  await ringOf(dir, 2_000, 100)
  const stop = new AbortController()
  const reading = (async () => {
    for await (const _ of readRing(dir, { signal: stop.signal })) stop.abort(new Error('enough'))
  })()
  await t.rejects(reading, { message: 'enough' })
})

t.test('a record of 256 KiB is read whole', async t => {
  const dir = t.testdir()
  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp })
  const json = recordJson(1, 256 * 1024 - recordJson(1).length)
  t.equal(await ring.append(json, 'kernel'), 1)
  await ring.close()
  t.strictSame(await collect(readRing(dir)), [{ kind: 'record', seq: 1, json: withSeq(1, json) }])
})

t.test('a long stretch of nothing is given up without being kept, and what follows is read', async t => {
  const dir = t.testdir()
  await ringOf(dir, 3)
  edit(dir, segmentName(1), ([a, , c]) => [a!, '\0'.repeat(3_000_000), c!])
  t.equal(await briefOf(dir), '1 (2-2) 3')
})

t.test('the last records are read from the end', async t => {
  const dir = t.testdir()
  await ringOf(dir, 300, 150)
  const seqs = async (count: number) => (await lastRecords(dir, count)).map(({ seq }) => seq)
  t.strictSame(await seqs(1), [300])
  t.strictSame(await seqs(200), range(101, 300), 'over several segments')
  t.strictSame(await seqs(1_000), range(1, 300))
  t.strictSame(await lastRecords(dir, 1), [{ seq: 300, json: withSeq(300, recordJson(300, 150)) }])
})

t.test('who follows sees each new record within 200 ms, over rotations, and no old one', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  await ring.append(recordJson(0), 'kernel')
  const stop = new AbortController()
  const following = followRing(dir, { signal: stop.signal })
  const next = following.next()
  const delaysMs: number[] = []
  let seen = next
  for (let id = 1; id <= 30; id++) {
    const seq = await ring.append(recordJson(id, 5_000), 'kernel')
    const promisedMs = performance.now()
    const { value } = await seen
    delaysMs.push(performance.now() - promisedMs)
    t.equal(value?.kind === 'record' && value.seq, seq)
    seen = following.next()
  }
  t.ok(ring.state.segments > 5)
  // One may be late: the machine has other things to do while tests run.
  const slowMs = delaysMs.sort((a, b) => a - b).at(-2)!
  t.ok(slowMs < 200, `${slowMs} ms`)
  stop.abort()
  t.strictSame(await seen, { done: true, value: undefined })
  await ring.close()
})

t.test('who follows from a number gets what is there first, and outlives the writer', async t => {
  const dir = t.testdir()
  await ringOf(dir, 10)
  const seen: number[] = []
  const stop = new AbortController()
  const ringGoesOn = async () => {
    const ring = await open(dir)
    await Promise.all([ring.append(recordJson(11), 'kernel'), ring.append(recordJson(12), 'kernel')])
    await ring.close()
  }
  const followed = (async () => {
    for await (const item of followRing(dir, { fromSeq: 8, signal: stop.signal })) {
      if (item.kind === 'record') seen.push(item.seq)
      if (seen.length === 3) await ringGoesOn()
      if (seen.length === 5) stop.abort()
    }
  })()
  await followed
  t.strictSame(seen, [8, 9, 10, 11, 12])
})

t.test('sealed segments are read like the others', async t => {
  const dir = t.testdir()
  const lines = (from: number, to: number) =>
    range(from, to)
      .map(seq => `${withSeq(seq, recordJson(seq))}\n`)
      .join('')
  const members = [member(lines(1, 10), Buffer.from('hubrec')), member(lines(11, 20)), member(lines(21, 30))]
  writeFileSync(join(dir, sealedName(1)), Buffer.concat(members))
  writeFileSync(join(dir, sealedName(31)), member(lines(31, 40)))
  const { ring, recovery } = await openRing({ dir, budgetBytes: smallest, stamp })
  t.strictSame(
    recovery.map(({ action }) => action),
    ['kept', 'kept'],
  )
  t.equal(await ring.append(recordJson(41), 'kernel'), 41)
  await ring.close()
  t.equal(await briefOf(dir), range(1, 41).join(' '))
  t.equal(await briefOf(dir, 15), range(15, 41).join(' '))
  t.strictSame(
    (await lastRecords(dir, 15)).map(({ seq }) => seq),
    range(27, 41),
  )
  t.ok(ringIsWhole(await collect(verifyRing(dir))))

  const damaged = Buffer.concat(members)
  damaged[members[0]!.length + 60]! ^= 0x10
  writeFileSync(join(dir, sealedName(1)), damaged)
  t.equal(await briefOf(dir), `${range(1, 10).join(' ')} (11-20) ${range(21, 41).join(' ')}`)
})

t.test('a sealed copy beside its text is no second ring', async t => {
  const dir = t.testdir()
  await ringOf(dir, 10)
  const text = range(1, 10)
    .map(seq => `${withSeq(seq, recordJson(seq))}\n`)
    .join('')
  writeFileSync(join(dir, sealedName(1)), member(text))
  t.equal(await briefOf(dir), range(1, 10).join(' '))
  t.strictSame(
    (await lastRecords(dir, 4)).map(({ seq }) => seq),
    range(7, 10),
  )
})

t.test('whatever happens to the bytes: no false record, no throw, and every loss is counted', async t => {
  const seed = seedFrom('RING_SEED')
  t.comment(`RING_SEED=${seed}`)
  const dir = t.testdir()
  await ringOf(dir, 200, 20)
  const names = readdirSync(dir)
  t.equal(names.length, 3)
  const [, name] = names
  const sound = readFileSync(join(dir, name!))
  const last = Number(names[2]!.slice(0, 20)) - 1
  const first = Number(name!.slice(0, 20))
  const place = fc.nat({ max: sound.length - 1 })
  const damage = fc.oneof(
    fc.tuple(place, fc.nat({ max: 7 })).map(([at, bit]) => {
      const bytes = Buffer.from(sound)
      bytes[at]! ^= 1 << bit
      return bytes
    }),
    place.map(at => sound.subarray(0, at)),
    place.map(at =>
      Buffer.concat([sound.subarray(0, at), Buffer.alloc(Math.min(512, sound.length - at)), sound.subarray(at + 512)]),
    ),
    fc.tuple(place, fc.nat({ max: 2_000 })).map(([at, length]) => {
      const block = sound.subarray(at, at + length)
      return Buffer.concat([sound.subarray(0, at), block, sound.subarray(at)])
    }),
    fc.nat({ max: 5_000 }).map(length => Buffer.concat([sound, randomBytes(length)])),
  )
  const original = new Map((await lastRecords(dir, 1_000)).map(({ seq, json }) => [seq, json]))
  await fc.assert(
    fc.asyncProperty(damage, async bytes => {
      writeFileSync(join(dir, name!), bytes)
      const items = await collect(readRing(dir))
      const records = items.filter(item => item.kind === 'record')
      const lost = items.reduce((sum, item) => sum + (item.kind === 'gap' ? item.count : 0), 0)
      const healths = await collect(verifyRing(dir))
      const isTrue = records.every(({ seq, json }) => original.get(seq) === json)
      const isCounted = records.length + lost === 200
      const isOrdered = records.every(({ seq }, index) => index === 0 || seq > records[index - 1]!.seq)
      const isKnown = lost === 0 || !ringIsWhole(healths)
      const isSaid = healths.reduce((sum, health) => sum + health.lost, 0) === lost
      const isNear = items.every(item => item.kind === 'record' || (item.fromSeq >= first && item.toSeq <= last))
      return isTrue && isCounted && isOrdered && isKnown && isSaid && isNear
    }),
    { seed, numRuns: 300 },
  )
})
