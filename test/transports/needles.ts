import fc from 'fast-check'
import t from 'tap'
import { createNeedles } from '../../transports/needles.js'
import { seed, seedSaid } from '../support/campaign.js'

const foundIn = (needles: readonly string[], text: string, ignoreCase = false): [string, number][] => {
  const found: [string, number][] = []
  createNeedles(needles, { ignoreCase }).search(text, (needle, end) => found.push([needles[needle] ?? '', end]))
  return found
}

t.test('needles within needles are found, each where it ends', async t => {
  t.strictSame(foundIn(['he', 'she', 'his', 'hers'], 'ushers his'), [
    ['she', 4],
    ['he', 4],
    ['hers', 6],
    ['his', 10],
  ])
})

t.test('without regard to case only where that was asked for, and of A to Z only', async t => {
  t.strictSame(foundIn(['sig='], 'SIG= sig= \u017fig='), [['sig=', 9]])
  t.strictSame(foundIn(['sig=', 'k'], 'SIG= \u017fig= K\u212a', true), [
    ['sig=', 4],
    ['k', 11],
  ])
})

t.test('no needle and no text find nothing, a needle that is there twice is found twice', async t => {
  t.strictSame(foundIn([], 'abc'), [])
  t.strictSame(foundIn(['abc'], ''), [])
  t.strictSame(foundIn(['b', 'b'], 'abc'), [
    ['b', 2],
    ['b', 2],
  ])
})

t.test('it finds what a search for each of them finds', async t => {
  t.comment(seedSaid)
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '=', 'ü'), minLength: 1, maxLength: 4 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '=', 'ü', 'c'), maxLength: 60 })
  const property = fc.property(fc.uniqueArray(word, { maxLength: 8 }), text, (needles, text) => {
    const one = (needle: string) =>
      Array.from({ length: text.length }, (_, at) => at)
        .filter(at => text.startsWith(needle, at))
        .map(at => `${needle} ${at + needle.length}`)
    const found = foundIn(needles, text).map(([needle, end]) => `${needle} ${end}`)
    t.strictSame(found.sort(), needles.flatMap(one).sort())
  })
  fc.assert(property, { seed, numRuns: 300 })
})
