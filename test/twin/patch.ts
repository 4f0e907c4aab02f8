/** Merge patches as IoT Hub does them, and the smallest one between two documents. */
import fc from 'fast-check'
import t from 'tap'
import { type Json, merged, patchBetween } from '../../agent/twin/patch.js'

t.test('a patch removes, merges and replaces', async t => {
  const document = { a: 1, b: { c: 2, d: 3 }, e: { f: 4 }, g: [1] }
  t.strictSame(merged(document, { a: null, b: { c: 5, x: { y: null } }, e: 6, g: [2, 3] }), {
    b: { c: 5, d: 3, x: {} },
    e: 6,
    g: [2, 3],
  })
})

t.test('between two documents only what differs is said', async t => {
  t.strictSame(patchBetween({ a: 1, b: { c: 2, d: 3 }, gone: true }, { a: 1, b: { c: 2, d: 4 }, come: 'x' }), {
    gone: null,
    b: { d: 4 },
    come: 'x',
  })
  t.equal(patchBetween({ a: { b: 1 } }, { a: { b: 1 } }), null)
  t.equal(patchBetween({ $version: 7, $metadata: {} }, {}), null, 'what is the hub’s is left alone')
  t.equal(patchBetween({ a: {} }, { b: {} }), null, 'an empty object is nothing')
  t.strictSame(patchBetween({ a: { b: 1 } }, { a: {} }), { a: null })
  t.strictSame(patchBetween({ a: 5 }, { a: { b: 1 } }), { a: { b: 1 } })
})

const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer()))
const { document } = fc.letrec<{ document: Json; value: unknown }>(tie => ({
  document: fc.dictionary(fc.stringMatching(/^[a-e]$/), tie('value'), { maxKeys: 4 }),
  value: fc.oneof({ maxDepth: 3 }, leaf, tie('document')),
}))

/** An object without anything in it is as good as none. */
const full = (json: Json): Json =>
  Object.fromEntries(
    Object.entries(json).flatMap(([key, value]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[key, value]]
      const inner = full(value as Json)
      return Object.keys(inner).length === 0 ? [] : [[key, inner]]
    }),
  )

t.test('whatever the two are, the patch leads from one to the other, and then there is none', async t => {
  fc.assert(
    fc.property(document, document, (from, to) => {
      const [before, wanted] = [full(from), full(to)]
      const patch = patchBetween(before, wanted)
      const after = patch === null ? before : merged(before, patch)
      t.strictSame(sorted(full(after)), sorted(wanted))
      return patchBetween(after, wanted) === null
    }),
    { numRuns: 300 },
  )
})

const sorted = (json: unknown): unknown =>
  typeof json !== 'object' || json === null || Array.isArray(json)
    ? json
    : Object.fromEntries(
        Object.entries(json)
          .sort(([a], [b]) => a.localeCompare(b))
          .map(([key, value]) => [key, sorted(value)]),
      )
