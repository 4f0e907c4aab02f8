import t from 'tap'
import { damageOf, explained, gapJson, readGap, sizeOf, without } from '../../agent/ring/gap.js'
import { stamp, withSeq } from '../support/ring-records.js'

t.test('a gap record says how many are missing, why, and which numbers they had', async t => {
  t.equal(
    withSeq(9, gapJson(stamp, { reason: 'overflow', count: 3, fromSeq: 1, toSeq: 3 })),
    '{"seq":9,"at":"2026-11-22T10:00:00.000Z","bootId":"boot-1","monoMs":1000,"level":40,"type":"gap",' +
      '"conn":null,"inc":null,"data":{"reason":"overflow","count":3,"fromSeq":1,"toSeq":3}}',
  )
})

t.test('what stays is said with it and read again; half of a word about it counts for none', async t => {
  const kept = { fromSeq: 4, types: ['episode'], opening: true, count: 2 }
  const loss = { reason: 'overflow' as const, count: 3, fromSeq: 1, toSeq: 8 }
  const read = (kept: unknown) => readGap(Buffer.from(JSON.stringify({ type: 'gap', data: { ...loss, kept } })))
  t.strictSame(readGap(Buffer.from(gapJson(stamp, { ...loss, kept }))), { ...loss, kept })
  t.strictSame(read(null), { ...loss, kept: null })
  for (const half of [undefined, 'all', {}, { ...kept, count: undefined }, { ...kept, types: null }])
    t.strictSame(read(half), loss)
})

t.test('only a gap record that knows numbers explains what is missing', async t => {
  const read = (json: string) => readGap(Buffer.from(json))
  const gap = (data: object) => JSON.stringify({ seq: 9, type: 'gap', data })
  t.strictSame(read(gap({ reason: 'damage', count: 2, fromSeq: 5, toSeq: 6 })), {
    reason: 'damage',
    count: 2,
    fromSeq: 5,
    toSeq: 6,
  })
  t.equal(read(gap({ reason: 'queue', count: 2, fromSeq: null, toSeq: null })), null)
  for (const count of [undefined, null, '2', 1.5])
    t.equal(read(gap({ reason: 'damage', count, fromSeq: 5, toSeq: 6 })), null, 'nobody knows how many are gone')
  t.equal(read(gap({ reason: 'library', count: 2, fromSeq: 5, toSeq: 6 })), null, 'numbers of somebody else')
  t.equal(read('{"seq":9,"type":"log","data":{"type":"gap","reason":"damage","fromSeq":5,"toSeq":6}}'), null)
  t.equal(read('{"seq":9,"type":"log","data":{"text":"\\"type\\":\\"gap\\""}}'), null)
  t.equal(read('{"type":"gap"'), null)
})

t.test('the oldest go first, so an overflow speaks for everything before it', async t => {
  t.strictSame(explained({ reason: 'overflow', fromSeq: 50, toSeq: 60 }), { fromSeq: 1, toSeq: 60 })
  t.strictSame(explained({ reason: 'damage', fromSeq: 50, toSeq: 60 }), { fromSeq: 50, toSeq: 60 })
})

t.test('what is explained is taken out of what is missing', async t => {
  const span = { fromSeq: 10, toSeq: 20 }
  t.strictSame(without(span, []), [span])
  t.strictSame(
    without(span, [
      { fromSeq: 1, toSeq: 9 },
      { fromSeq: 21, toSeq: 30 },
    ]),
    [span],
  )
  t.strictSame(without(span, [{ fromSeq: 1, toSeq: 30 }]), [])
  t.strictSame(
    without(span, [
      { fromSeq: 15, toSeq: 16 },
      { fromSeq: 8, toSeq: 11 },
      { fromSeq: 16, toSeq: 17 },
    ]),
    [
      { fromSeq: 12, toSeq: 14 },
      { fromSeq: 18, toSeq: 20 },
    ],
  )
  t.equal(sizeOf(without(span, [{ fromSeq: 12, toSeq: 12 }])), 10)
})

t.test('damage is told of number by number, without what was told before', async t => {
  const told = [
    { fromSeq: 1, toSeq: 5 },
    { fromSeq: 8, toSeq: 8 },
  ]
  t.strictSame(damageOf({ fromSeq: 3, toSeq: 10 }, told), [
    { reason: 'damage', count: 2, fromSeq: 6, toSeq: 7 },
    { reason: 'damage', count: 2, fromSeq: 9, toSeq: 10 },
  ])
  t.strictSame(damageOf({ fromSeq: 2, toSeq: 4 }, told), [])
})
