import { readdirSync } from 'node:fs'
import t from 'tap'
import { contextJson, readFacts } from '../../agent/ring/context.js'
import { newestOpening } from '../../agent/ring/last.js'
import { openRing } from '../../agent/ring/open.js'
import { readName } from '../../agent/ring/segment.js'
import { contentOf, noisyJson, stamp } from '../support/ring-records.js'
import { watchedDisk } from '../support/watched-disk.js'

t.test('a context holds what its user says and what the ring must not forget', async t => {
  const facts = { goneTo: 40, told: [{ fromSeq: 43, toSeq: 44 }] }
  const json = contextJson(stamp, { run: 7 }, facts, 10_000)
  t.strictSame(JSON.parse(json), {
    ...stamp(),
    level: 30,
    type: 'context',
    conn: null,
    inc: null,
    data: { run: 7, ring: { goneTo: 40, told: [[43, 44]] } },
  })
  t.strictSame(readFacts(Buffer.from(json)), facts)
})

t.test('one that is too long goes without what its user says', async t => {
  const json = contextJson(stamp, { novel: 'x'.repeat(5_000) }, { goneTo: 3, told: [] }, 4_096)
  t.strictSame(JSON.parse(json).data, { ring: { goneTo: 3, told: [] }, leftOut: 'too long' })
})

t.test("a caller's own context, and what only looks like one, tells nothing of the ring", async t => {
  for (const json of [
    '{"type":"context","data":{}}',
    '{"type":"context"',
    '{"type":"context","data":{"ring":{"goneTo":"7","told":[]}}}',
  ])
    t.equal(readFacts(Buffer.from(json)), null, json)
  t.equal(readFacts(Buffer.from('{"type":"log","data":{"ring":{"goneTo":7,"told":[]}}}')), null)
})

/** Appends until the ring has begun so many segments. */
async function fill(dir: string, segments: number, budgetBytes = 262_144): Promise<void> {
  let told = 0
  const { ring } = await openRing({ dir, budgetBytes, stamp, context: () => ({ nth: ++told }) })
  for (let id = 0; told < segments; id += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => ring.append(noisyJson(id + n, 600), 'kernel')))
  await ring.close()
}

t.test('every segment opens with one, sealed or not', async t => {
  const dir = t.testdir()
  await fill(dir, 60)
  const { contexts } = await contentOf(dir)
  const starts = readdirSync(dir)
    .map(readName)
    .flatMap(name => (name.kind === 'segment' ? name.firstSeq : []))
  t.ok(starts.length > 5 && starts.length < 60, `${starts.length} segments are left`)
  t.strictSame([...contexts.keys()], starts)
  const newest = await newestOpening(dir)
  t.equal(newest?.seq, starts.at(-1))
  t.match(JSON.parse(newest?.json ?? '{}').data, { nth: 60 })
})

t.test('a start reads the text, of sealed segments the beginning at most, and tells nothing twice', async t => {
  const dir = t.testdir()
  await fill(dir, 140, 1 << 20)
  t.ok((await contentOf(dir)).gaps.length > 0, 'the oldest are gone')
  // The newest; and where the machine was slow, one that was full and is not sealed yet.
  const unsealed = readdirSync(dir).filter(name => name.endsWith('.log'))

  const { disk, readings } = watchedDisk()
  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp, disk })
  const { bytes, segments } = ring.state
  await ring.close()
  t.ok(segments > 20 && bytes > 900_000, `${segments} segments of ${bytes} bytes`)
  const tooMuch = readings.filter(({ name, position, bytes }) => name.endsWith('.gz') && position + bytes > 8_192)
  t.strictSame(tooMuch, [])
  t.strictSame(
    [...new Set(readings.map(({ name }) => name).filter(name => name.endsWith('.log')))].sort(),
    unsealed.sort(),
  )

  const { gaps, inferred } = await contentOf(dir)
  t.strictSame(inferred, [])
  const twice = gaps.filter(({ fromSeq }, at) => at > 0 && (fromSeq ?? 0) <= (gaps[at - 1]?.toSeq ?? 0))
  t.strictSame(twice, [])
})
