import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { gapJson, type Loss } from '../../agent/ring/gap.js'
import { lastRecords, newestOpening } from '../../agent/ring/last.js'
import { openRing } from '../../agent/ring/open.js'
import { followRing, type ReadOptions, readRing } from '../../agent/ring/read.js'
import type { RingItem } from '../../agent/ring/ring.js'
import { segmentName } from '../../agent/ring/segment.js'
import type { MemberEntry } from '../../agent/ring/segment-index.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { faultyDisk } from '../support/ring-disk.js'
import {
  allSealed,
  collect,
  contentOf,
  contextJson,
  noisyJson,
  recordJson,
  seedFrom,
  stamp,
  withSeq,
} from '../support/ring-records.js'
import { linesOf, member, type Numbered, sealedName, sealedOf, textOf, writeSegment } from '../support/ring-sealed.js'
import { watchedDisk } from '../support/watched-disk.js'

const smallest = 262_144

const open = async (dir: string) => (await openRing({ dir, budgetBytes: smallest, stamp })).ring

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** A ring of one segment: its context, and so many records with their own numbers as ids. */
async function ringOf(dir: string, lastSeq: number): Promise<void> {
  const ring = await open(dir)
  await Promise.all(range(2, lastSeq).map(id => ring.append(recordJson(id), 'kernel')))
  await ring.close()
}

/** What a segment holds that begins with the first of these numbers. */
const records = (from: number, to: number, paddingBytes = 0): Numbered[] =>
  range(from, to).map(seq => ({ seq, json: seq === from ? contextJson() : recordJson(seq, paddingBytes) }))

/** Two sealed segments and the text after them: 1 to 50, 51 to 100, 101 to 150. */
async function threeSegments(dir: string): Promise<void> {
  await writeSegment(dir, 'sealed', records(1, 50))
  await writeSegment(dir, 'sealed', records(51, 100))
  await writeSegment(dir, 'text', records(101, 150))
}

const gapRecord = (seq: number, loss: Loss): Numbered => ({ seq, json: gapJson(stamp, loss) })

/** `5` for record 5, `5-7` for a gap. */
const brief = (items: readonly RingItem[]): string =>
  items.map(item => (item.kind === 'record' ? `${item.seq}` : `(${item.fromSeq}-${item.toSeq})`)).join(' ')

const numbers = (from: number, to: number): string => range(from, to).join(' ')

const briefOf = async (dir: string, fromSeq?: number): Promise<string> =>
  brief(await collect(readRing(dir, fromSeq === undefined ? {} : { fromSeq })))

/** Changes a file of a ring as the line numbers say. */
function edit(dir: string, name: string, change: (lines: string[]) => readonly string[]): void {
  const path = join(dir, name)
  const lines = readFileSync(path, 'latin1').split('\n').slice(0, -1)
  writeFileSync(path, change(lines).join('\n').concat('\n'), 'latin1')
}

const spoilt = (line: string): string => line.replace('"boot-1"', '"boot-l"')

t.test('records come oldest first, whole, and from the number that was asked for', async t => {
  const dir = t.testdir()
  await ringOf(dir, 5)
  t.strictSame(await collect(readRing(dir)), [
    { kind: 'record', seq: 1, json: withSeq(1, contextJson()) },
    ...range(2, 5).map(seq => ({ kind: 'record', seq, json: withSeq(seq, recordJson(seq)) })),
  ])
  t.equal(await briefOf(dir, 4), '4 5')
  t.equal(await briefOf(dir, 6), '')
})

t.test('reading from a number begins in its segment', async t => {
  const dir = t.testdir()
  await threeSegments(dir)
  rmSync(join(dir, sealedName(1)))
  t.equal(await briefOf(dir, 51), numbers(51, 150), 'what is missing before it is not asked for')
  t.equal(await briefOf(dir, 49), `(49-50) ${numbers(51, 150)}`)
  const { disk, readings } = watchedDisk()
  t.equal(brief(await collect(readRing(dir, { fromSeq: 101, disk }))), numbers(101, 150))
  t.strictSame(new Set(readings.map(({ name }) => name)), new Set([segmentName(101)]))
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
  await ringOf(dir, 3)
  const path = join(dir, segmentName(1))
  writeFileSync(path, readFileSync(path).subarray(0, -10))
  t.equal(await briefOf(dir), '1 2')
})

t.test('lines that stand there twice come once', async t => {
  const dir = t.testdir()
  await ringOf(dir, 4)
  edit(dir, segmentName(1), ([a, b, c, d]) => [a!, b!, a!, b!, c!, d!, a!])
  t.equal(await briefOf(dir), '1 2 3 4')
})

t.test('a line that stands there twice, between damaged ones at the end, makes none of them whole', async t => {
  const dir = t.testdir()
  await ringOf(dir, 4)
  edit(dir, segmentName(1), ([a, b, c, d]) => [a!, b!, spoilt(c!), a!, spoilt(d!)])
  t.equal(await briefOf(dir), '1 2 (3-4)')
  t.strictSame(
    (await collect(verifyRing(dir))).map(({ lost }) => lost),
    [2],
  )
  const ring = await open(dir)
  await ring.append(recordJson(5), 'kernel')
  await ring.close()
  const { inferred, ids } = await contentOf(dir)
  t.strictSame(inferred, [])
  t.strictSame([...ids.values()], [2, 5])
  const gaps = (await collect(readRing(dir))).flatMap(item => {
    const { type, data } = item.kind === 'record' ? JSON.parse(item.json) : { type: item.kind, data: item }
    return type === 'gap' ? [{ reason: data.reason, count: data.count, fromSeq: data.fromSeq, toSeq: data.toSeq }] : []
  })
  t.strictSame(gaps, [{ reason: 'damage', count: 2, fromSeq: 3, toSeq: 4 }])
})

t.test('segments that somebody took away are gaps', async t => {
  const dir = t.testdir()
  await threeSegments(dir)
  rmSync(join(dir, sealedName(1)))
  t.equal(await briefOf(dir), `(1-50) ${numbers(51, 150)}`)
  rmSync(join(dir, sealedName(51)))
  t.equal(await briefOf(dir), `(1-100) ${numbers(101, 150)}`)
})

t.test('what went by overflow is a record and not a gap, however often the ring has turned', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  for (let id = 1; id <= 6_000; id += 100)
    await Promise.all(range(id, id + 99).map(id => ring.append(noisyJson(id, 150), 'kernel')))
  await ring.close()
  const { seqs, ids, inferred } = await contentOf(dir)
  t.ok(seqs[0]! > 2_000, `${seqs[0]}`)
  t.equal([...ids.values()].at(-1), 6_000)
  t.strictSame(inferred, [])
})

t.test('a ring can be read while it is written, sealed, turns over, and loses its oldest segments', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  let writing = true
  const written = (async () => {
    for (let id = 1; id <= 9_000; id += 50)
      await Promise.all(range(id, id + 49).map(id => ring.append(noisyJson(id, 150), 'kernel')))
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
  t.ok(ring.state.firstSeq > 4_000, `${ring.state.firstSeq}`)
  t.ok(rounds > 3, `${rounds} rounds`)
})

t.test('a segment that is sealed between being listed and being read is read where it is now', async t => {
  const dir = t.testdir()
  await writeSegment(dir, 'sealed', records(1, 50))
  await writeSegment(dir, 'text', records(51, 100))
  await writeSegment(dir, 'text', records(101, 150))
  const sealed = await sealedOf(records(51, 100))
  const path = join(dir, segmentName(51))
  const text = readFileSync(path)
  const sealing = () =>
    faultyDisk((operation, opened) => {
      if (operation === 'open' && opened === path) {
        writeFileSync(join(dir, sealedName(51)), sealed.bytes)
        rmSync(path, { force: true })
      }
      return null
    })
  const textAgain = () => {
    rmSync(join(dir, sealedName(51)), { force: true })
    writeFileSync(path, text)
  }
  t.equal(brief(await collect(readRing(dir, { disk: sealing() }))), numbers(1, 150))
  textAgain()
  t.strictSame(await collect(verifyRing(dir, sealing())), [
    { path: join(dir, sealedName(1)), status: 'ok', records: 50, lost: 0, reason: null },
    { path: join(dir, sealedName(51)), status: 'ok', records: 50, lost: 0, reason: null },
    { path: join(dir, segmentName(101)), status: 'ok', records: 50, lost: 0, reason: null },
  ])
  textAgain()
  t.strictSame(
    (await lastRecords(dir, 75, { disk: sealing() })).map(({ seq }) => seq),
    range(76, 150),
  )
})

t.test(
  'the newest segment may grow, be full and be sealed while it is read: nothing comes twice or is missed',
  async t => {
    const sealed = (await sealedOf([...records(1, 40), ...records(41, 50)])).bytes
    const story = (dir: string, path: string) => {
      const count = { names: 0, open: 0 }
      return faultyDisk((operation, subject) => {
        if (operation === 'names' && ++count.names === 2) {
          appendFileSync(path, textOf(records(41, 50)))
          writeFileSync(join(dir, segmentName(51)), textOf(records(51, 60)))
        }
        if (operation === 'open' && subject === path && ++count.open === 2) {
          writeFileSync(join(dir, sealedName(1)), sealed)
          rmSync(path)
        }
        return null
      })
    }
    const read = join(t.testdir(), 'read')
    const disk = story(read, await writeSegment(read, 'text', records(1, 40)))
    t.equal(brief(await collect(readRing(read, { disk }))), numbers(1, 60))

    const verified = join(t.testdirName, 'verified')
    const again = story(verified, await writeSegment(verified, 'text', records(1, 40)))
    t.strictSame(await collect(verifyRing(verified, again)), [
      { path: join(verified, sealedName(1)), status: 'ok', records: 50, lost: 0, reason: null },
      { path: join(verified, segmentName(51)), status: 'ok', records: 10, lost: 0, reason: null },
    ])
  },
)

t.test('what is left of a segment is found where it was added to its neighbour meanwhile', async t => {
  const dir = t.testdir()
  const left = (...seqs: number[]) => seqs.map(seq => ({ seq, json: recordJson(seq) }))
  const first = { firstSeq: 1, lastSeq: 50, thinned: true }
  const second = { firstSeq: 51, lastSeq: 100, thinned: true }
  const both = { firstSeq: 1, lastSeq: 100, thinned: true }
  await writeSegment(dir, 'sealed', left(7, 9), first)
  const path = await writeSegment(dir, 'sealed', left(55, 58), second)
  await writeSegment(dir, 'text', [
    ...records(101, 110),
    gapRecord(111, { reason: 'overflow', count: 48, fromSeq: 1, toSeq: 50 }),
    gapRecord(112, { reason: 'overflow', count: 48, fromSeq: 51, toSeq: 100 }),
  ])
  const merged = (await sealedOf(left(7, 9, 55, 58), both)).bytes
  const disk = faultyDisk((operation, opened) => {
    if (operation === 'open' && opened === path) {
      writeFileSync(join(dir, 'merged.tmp'), merged)
      renameSync(join(dir, 'merged.tmp'), join(dir, sealedName(1)))
      rmSync(path, { force: true })
    }
    return null
  })
  t.equal(brief(await collect(readRing(dir, { disk }))), `7 9 55 58 ${numbers(101, 112)}`)
})

t.test('room that is made while a damaged ring is read is explained by what is told of it meanwhile', async t => {
  const dir = t.testdir()
  const context = [{ seq: 1, json: contextJson() }]
  await writeSegment(dir, 'sealed', context, { firstSeq: 1, lastSeq: 50, thinned: true })
  await writeSegment(
    dir,
    'sealed',
    records(51, 100).filter(({ seq }) => seq !== 60),
  )
  const path = await writeSegment(dir, 'sealed', records(101, 150))
  const told = gapRecord(161, { reason: 'overflow', count: 49, fromSeq: 1, toSeq: 50 })
  const newest = await writeSegment(dir, 'text', [...records(151, 160), told])
  const thinned = (await sealedOf(records(101, 102), { lastSeq: 150, thinned: true })).bytes
  let isDone = false
  const disk = faultyDisk((operation, opened) => {
    if (operation !== 'open' || opened !== path || isDone || !isRead) return null
    isDone = true
    appendFileSync(newest, textOf([gapRecord(162, { reason: 'overflow', count: 48, fromSeq: 51, toSeq: 150 })]))
    writeFileSync(path, thinned)
    return null
  })
  let isRead = false
  const items: RingItem[] = []
  for await (const item of readRing(dir, { disk })) {
    items.push(item)
    isRead ||= item.kind === 'gap'
  }
  t.equal(brief(items), `1 ${numbers(51, 59)} (60-60) ${numbers(61, 102)} ${numbers(151, 162)}`)
})

t.test('reading changes nothing, and needs no right to', async t => {
  const dir = join(t.testdir(), 'copy')
  const original = join(t.testdirName, 'ring')
  await writeSegment(original, 'sealed', records(1, 25))
  await writeSegment(original, 'text', records(26, 50))
  mkdirSync(dir)
  for (const name of readdirSync(original)) copyFileSync(join(original, name), join(dir, name))
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
  t.equal(await briefOf(dir), numbers(1, 50))
  await collect(verifyRing(dir))
  await lastRecords(dir, 3)
  await newestOpening(dir)
  t.strictSame(look(), before)
  chmodSync(dir, 0o755)
})

t.test('a directory that cannot be listed is an error with a name', async t => {
  const nowhere = join(t.testdir(), 'nowhere')
  await t.rejects(collect(readRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(collect(followRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(collect(verifyRing(nowhere)), { code: 'RING_UNREADABLE' })
  await t.rejects(lastRecords(nowhere, 1), { code: 'RING_UNREADABLE' })
  await t.rejects(newestOpening(nowhere), { code: 'RING_UNREADABLE' })
})

t.test('an empty directory is an empty ring', async t => {
  const dir = t.testdir()
  t.strictSame(await collect(readRing(dir)), [])
  t.strictSame(await lastRecords(dir, 10), [])
  t.equal(await newestOpening(dir), null)
})

t.test('reading stops with the reason it was told', async t => {
  const dir = t.testdir()
  await threeSegments(dir)
  const stop = new AbortController()
  const reading = (async () => {
    for await (const _ of readRing(dir, { signal: stop.signal })) stop.abort(new Error('enough'))
  })()
  await t.rejects(reading, { message: 'enough' })
})

t.test('a record of 256 KiB is read whole, as text and sealed', async t => {
  const dir = t.testdir()
  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp })
  const json = recordJson(1, 256 * 1024 - recordJson(1).length)
  t.equal(await ring.append(json, 'kernel'), 2)
  await ring.close()
  const items = [
    { kind: 'record', seq: 1, json: withSeq(1, contextJson()) },
    { kind: 'record', seq: 2, json: withSeq(2, json) },
  ]
  t.strictSame(await collect(readRing(dir)), items)
  const sealed = join(t.testdirName, 'sealed')
  await writeSegment(sealed, 'sealed', [
    { seq: 1, json: contextJson() },
    { seq: 2, json },
  ])
  t.strictSame(await collect(readRing(sealed)), items)
})

t.test('a long stretch of nothing is given up without being kept, and what follows is read', async t => {
  const dir = t.testdir()
  await ringOf(dir, 3)
  edit(dir, segmentName(1), ([a, , c]) => [a!, '\0'.repeat(3_000_000), c!])
  t.equal(await briefOf(dir), '1 (2-2) 3')
})

t.test('the last records are read from the end', async t => {
  const dir = t.testdir()
  await threeSegments(dir)
  const seqs = async (count: number) => (await lastRecords(dir, count)).map(({ seq }) => seq)
  t.strictSame(await seqs(1), [150])
  t.strictSame(await seqs(75), range(76, 150), 'over several segments')
  t.strictSame(await seqs(1_000), range(1, 150))
  t.strictSame(await lastRecords(dir, 1), [{ seq: 150, json: withSeq(150, recordJson(150)) }])
  const { disk, readings } = watchedDisk()
  await lastRecords(dir, 60, { disk })
  t.strictSame(new Set(readings.map(({ name }) => name)), new Set([segmentName(101), sealedName(51)]))
})

t.test('of a sealed segment only the members with the last records are read', async t => {
  const dir = t.testdir()
  const segment = range(1, 200).map(seq => ({ seq, json: noisyJson(seq, 1_000) }))
  await writeSegment(dir, 'sealed', segment)
  const { members } = (await sealedOf(segment)).index
  t.ok(members.length > 3)
  const { disk, readings } = watchedDisk()
  t.strictSame(
    (await lastRecords(dir, 10, { disk })).map(({ seq }) => seq),
    range(191, 200),
  )
  const last = members.at(-1)!
  const size = members.reduce((sum, { bytes }) => sum + bytes, 0)
  t.strictSame(
    readings.filter(({ position }) => position > 0),
    [{ name: sealedName(1), position: size - last.bytes, bytes: last.bytes }],
  )
})

t.test('the last records of a type are found, however far back they are', async t => {
  const dir = t.testdir()
  const marked = (seq: number) => ({ seq, json: recordJson(seq).replace('"log"', '"mark"') })
  await writeSegment(dir, 'sealed', [...records(1, 49), marked(50)])
  await writeSegment(dir, 'sealed', records(51, 100))
  await writeSegment(dir, 'text', [...records(101, 110), marked(111), ...records(112, 150)])
  const { disk, readings } = watchedDisk()
  t.strictSame(await lastRecords(dir, 1, { types: ['mark'], disk }), [
    { seq: 111, json: withSeq(111, marked(111).json) },
  ])
  t.strictSame(
    (await lastRecords(dir, 2, { types: ['mark'], disk })).map(({ seq }) => seq),
    [50, 111],
  )
  t.strictSame(
    readings.filter(({ name, position }) => name === sealedName(51) && position > 0),
    [],
    'its index says that there is none in it',
  )
  t.strictSame(
    (await lastRecords(dir, 4, { types: ['mark', 'context'] })).map(({ seq }) => seq),
    [51, 101, 111, 112].slice(-4),
  )
})

t.test('the newest record that opens a segment is found, where there is one', async t => {
  const dir = t.testdir()
  const opening = (seq: number) => ({ seq, json: withSeq(seq, contextJson()) })
  await writeSegment(dir, 'sealed', records(1, 50))
  t.strictSame(await newestOpening(dir), opening(1))
  await writeSegment(dir, 'text', records(51, 100))
  t.strictSame(await newestOpening(dir), opening(51))
  writeFileSync(join(dir, segmentName(101)), '12345678 {"seq":101,"torn')
  t.strictSame(await newestOpening(dir), opening(51), 'one that is being begun does not hide it')
  await writeSegment(
    dir,
    'text',
    range(101, 110).map(seq => ({ seq, json: recordJson(seq) })),
  )
  t.strictSame(await newestOpening(dir), opening(51), 'nor one of an earlier version')
})

t.test('who follows sees each new record, over rotations and sealing, and no old one', async t => {
  const dir = t.testdir()
  const ring = await open(dir)
  await ring.append(recordJson(0), 'kernel')
  const stop = new AbortController()
  const following = followRing(dir, { signal: stop.signal })
  const nextRecord = async () => {
    for (;;) {
      const next = await following.next()
      const isContext = next.value?.kind === 'record' && next.value.json.includes('"type":"context"')
      if (!isContext) return next
    }
  }
  const delaysMs: number[] = []
  let seen = nextRecord()
  for (let id = 1; id <= 30; id++) {
    const seq = await ring.append(recordJson(id, 5_000), 'kernel')
    const promisedMs = performance.now()
    const { value } = await seen
    delaysMs.push(performance.now() - promisedMs)
    t.strictSame(value, { kind: 'record', seq, json: withSeq(seq, recordJson(id, 5_000)) })
    seen = nextRecord()
  }
  t.ok(ring.state.segments > 5)
  t.comment(`usually ${delaysMs.sort((a, b) => a - b)[delaysMs.length / 2]} ms after the promise`)
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

t.test('what another program has packed is read like the ring’s own', async t => {
  const dir = t.testdir()
  const lines = (from: number, to: number) => linesOf(range(from, to).map(seq => ({ seq, json: recordJson(seq) })))
  const members = [member(lines(1, 10), Buffer.from('hubrec')), member(lines(11, 20)), member(lines(21, 30))]
  writeFileSync(join(dir, sealedName(1)), Buffer.concat(members))
  writeFileSync(join(dir, sealedName(31)), member(lines(31, 40)))
  const { ring, recovery } = await openRing({ dir, budgetBytes: smallest, stamp })
  t.strictSame(
    recovery.map(({ action }) => action),
    ['kept', 'kept'],
  )
  t.equal(await ring.append(recordJson(42), 'kernel'), 42, 'after the context of a segment of its own')
  await ring.close()
  t.equal(await briefOf(dir), numbers(1, 42))
  t.equal(await briefOf(dir, 15), numbers(15, 42))
  t.strictSame(
    (await lastRecords(dir, 15)).map(({ seq }) => seq),
    range(28, 42),
  )
  t.ok(ringIsWhole(await collect(verifyRing(dir))))

  const damaged = Buffer.concat(members)
  damaged[members[0]!.length + 60]! ^= 0x10
  writeFileSync(join(dir, sealedName(1)), damaged)
  t.equal(await briefOf(dir), `${numbers(1, 10)} (11-20) ${numbers(21, 42)}`)
})

t.test('a sealed copy beside its text is no second ring', async t => {
  const dir = t.testdir()
  await writeSegment(dir, 'sealed', records(1, 10))
  await writeSegment(dir, 'text', records(1, 10))
  t.equal(await briefOf(dir), numbers(1, 10))
  t.strictSame(
    (await lastRecords(dir, 4)).map(({ seq }) => seq),
    range(7, 10),
  )
  t.ok(ringIsWhole(await collect(verifyRing(dir))))
})

const secondMs = (seconds: number): number => Date.parse(stamp().at) + seconds * 1_000

/** One record each second, every tenth of another type, in three sealed segments of several members each and a text. */
async function longRing(dir: string): Promise<Map<string, { members: readonly MemberEntry[] }>> {
  const timed = (seq: number): Numbered => {
    const type = seq % 10 === 0 && seq <= 200 ? 'sample' : 'log'
    return { seq, json: noisyJson(seq, 1_000, { at: new Date(secondMs(seq)).toISOString(), type }) }
  }
  const indexes = new Map<string, { members: readonly MemberEntry[] }>()
  for (const from of [1, 201, 401]) {
    const segment = range(from, from + 199).map(timed)
    await writeSegment(dir, 'sealed', segment)
    indexes.set(sealedName(from), (await sealedOf(segment)).index)
  }
  await writeSegment(dir, 'text', range(601, 610).map(timed))
  return indexes
}

/** The members of which something beyond the beginning of the file was read, as `segment:position in its list`. */
async function membersRead(
  dir: string,
  options: ReadOptions,
  indexes: ReadonlyMap<string, { members: readonly MemberEntry[] }>,
): Promise<{ seqs: number[]; members: string[] }> {
  const { disk, readings } = watchedDisk()
  const items = await collect(readRing(dir, { ...options, disk }))
  const members = [...indexes].flatMap(([name, { members }]) => {
    let position = 0
    return members.flatMap(({ bytes }, at) => {
      const own = readings.some(
        reading => reading.name === name && reading.position === position && reading.bytes === bytes,
      )
      position += bytes
      return own ? [`${Number.parseInt(name, 10)}:${at}`] : []
    })
  })
  return { seqs: items.flatMap(item => (item.kind === 'record' ? [item.seq] : [0])), members }
}

t.test('of a window of time only the members are read in which it may lie, and nothing in it is missed', async t => {
  const dir = t.testdir()
  const indexes = await longRing(dir)
  const all = [...indexes].flatMap(([name, { members }]) => members.map((member, at) => ({ name, at, ...member })))
  t.ok(all.length > 9, `${all.length} members`)
  for (const [since, until] of [
    [150, 250],
    [200, 200],
    [1, 1],
    [590, 700],
    [-10, 0],
    [700, 800],
  ] as const) {
    const expected = all.filter(({ firstSeq, lastSeq }) => firstSeq <= until && lastSeq >= since)
    const { seqs, members } = await membersRead(dir, { sinceMs: secondMs(since), untilMs: secondMs(until) }, indexes)
    t.strictSame(
      members,
      expected.map(({ name, at }) => `${Number.parseInt(name, 10)}:${at}`),
      `${since} to ${until}`,
    )
    const wanted = range(1, 610).filter(seq => seq >= since && seq <= until)
    t.strictSame(
      wanted.filter(seq => !seqs.includes(seq)),
      [],
    )
    t.notOk(seqs.includes(0), 'what was not read is no gap')
  }
})

t.test(
  'the window before an outage is found with few looks, however long the ring is and whatever the clock has done',
  async t => {
    const dir = t.testdir()
    const startMs = Date.UTC(2026, 10, 25)
    const minuteMs = 60_000
    // The first life's clock goes back a day; the second goes on with what the first has left.
    const atMsOf = (id: number): number => startMs + id * minuteMs - (id > 150 && id < 300 ? 1_440 * minuteMs : 0)
    for (const ids of [range(1, 400), range(401, 900)]) {
      let at = new Date(atMsOf(ids[0]!)).toISOString()
      const { ring } = await openRing({ dir, budgetBytes: 4 << 20, stamp: () => ({ ...stamp(), at }) })
      for (const id of ids) {
        at = new Date(atMsOf(id)).toISOString()
        await ring.append(noisyJson(id, 3_000, { at }), 'kernel')
      }
      await allSealed(dir)
      await ring.close()
    }
    const files = readdirSync(dir)
    t.ok(files.length > 20, `${files.length} segments`)
    t.strictSame((await contentOf(dir)).gaps, [], 'the ring has all of them')

    for (const [from, to, most] of [
      [860, 880, 10],
      [1, 900, 100],
      [200, 250, 100],
      [301, 310, 100],
      [950, 990, 10],
    ] as const) {
      const { disk, readings } = watchedDisk()
      const [sinceMs, untilMs] = [atMsOf(from), atMsOf(to)]
      const items = await collect(readRing(dir, { sinceMs, untilMs, disk }))
      const found = items.flatMap(item => (item.kind === 'record' ? [JSON.parse(item.json).data.id as number] : []))
      const wanted = range(1, 900).filter(id => atMsOf(id) >= sinceMs && atMsOf(id) <= untilMs)
      t.strictSame(
        wanted.filter(id => !found.includes(id)),
        [],
        `${from} to ${to}`,
      )
      t.notOk(items.some(({ kind }) => kind === 'gap'))
      const looked = new Set(readings.map(({ name }) => name))
      t.ok(looked.size <= most, `${looked.size} of ${files.length} were looked at`)
    }
  },
)

t.test('of types only the members are read that hold them', async t => {
  const dir = t.testdir()
  const indexes = await longRing(dir)
  const { seqs, members } = await membersRead(dir, { types: ['sample'] }, indexes)
  const first = indexes.get(sealedName(1))!.members
  t.strictSame(
    members,
    first.map((_, at) => `1:${at}`),
  )
  t.strictSame(seqs, [...range(1, 200), ...range(601, 610)], 'a text is read whole')
})

for (const kind of ['text', 'sealed'] as const) {
  t.test(
    `whatever happens to the bytes of a ${kind} segment: no false record, no throw, and every loss is counted`,
    async t => {
      const seed = seedFrom('RING_SEED')
      t.comment(`RING_SEED=${seed}`)
      const dir = t.testdir()
      const [first, last, size] = [61, 140, 200]
      // Long enough for several members.
      const middle = range(first, last).map(seq => ({ seq, json: noisyJson(seq, 2_000) }))
      await writeSegment(dir, 'sealed', records(1, first - 1))
      const path = await writeSegment(dir, kind, middle)
      await writeSegment(dir, 'text', records(last + 1, size))
      const sound = readFileSync(path)
      const place = fc.nat({ max: sound.length - 1 })
      const damage = fc.oneof(
        fc.tuple(place, fc.nat({ max: 7 })).map(([at, bit]) => {
          const bytes = Buffer.from(sound)
          bytes[at]! ^= 1 << bit
          return bytes
        }),
        place.map(at => sound.subarray(0, at)),
        place.map(at =>
          Buffer.concat([
            sound.subarray(0, at),
            Buffer.alloc(Math.min(512, sound.length - at)),
            sound.subarray(at + 512),
          ]),
        ),
        fc.tuple(place, fc.nat({ max: 2_000 })).map(([at, length]) => {
          const block = sound.subarray(at, at + length)
          return Buffer.concat([sound.subarray(0, at), block, sound.subarray(at)])
        }),
        fc.nat({ max: 5_000 }).map(length => Buffer.concat([sound, randomBytes(length)])),
      )
      const original = new Map((await lastRecords(dir, 1_000)).map(({ seq, json }) => [seq, json]))
      t.equal(original.size, size)
      await fc.assert(
        fc.asyncProperty(damage, async bytes => {
          writeFileSync(path, bytes)
          const items = await collect(readRing(dir))
          const records = items.filter(item => item.kind === 'record')
          const lost = items.reduce((sum, item) => sum + (item.kind === 'gap' ? item.count : 0), 0)
          const healths = await collect(verifyRing(dir))
          const isTrue = records.every(({ seq, json }) => original.get(seq) === json)
          const isCounted = records.length + lost === size
          const isOrdered = records.every(({ seq }, index) => index === 0 || seq > records[index - 1]!.seq)
          const isKnown = lost === 0 || !ringIsWhole(healths)
          const isSaid = healths.reduce((sum, health) => sum + health.lost, 0) === lost
          const isNear = items.every(item => item.kind === 'record' || (item.fromSeq >= first && item.toSeq <= last))
          return isTrue && isCounted && isOrdered && isKnown && isSaid && isNear
        }),
        { seed, numRuns: 200 },
      )
    },
  )
}
