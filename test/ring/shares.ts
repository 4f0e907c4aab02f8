import t from 'tap'
import type { SegmentIndex } from '../../agent/ring/segment-index.js'
import { chooseVictim, type Holding } from '../../agent/ring/shares.js'

/** A segment of so many bytes, and how much of its text is of which type. */
const holding = (bytes: number, types: Readonly<Record<string, number>>): Holding => ({
  bytes,
  index: {
    firstSeq: 1,
    lastSeq: 10,
    thinned: false,
    types: Object.fromEntries(Object.entries(types).map(([type, textBytes]) => [type, { records: 1, textBytes }])),
    gaps: [],
    members: [],
  } satisfies SegmentIndex,
})

const budget = 1_000
const classes = [
  { types: ['episode', 'session'], share: 0.1 },
  { types: ['wire'], share: 0.25 },
]
const choose = (...holdings: Holding[]) => {
  const victim = chooseVictim(holdings, classes, budget, true)
  return victim && { position: victim.position, survives: [...victim.survives] }
}

t.test('without classes the oldest goes, whole', async t => {
  const victim = chooseVictim([holding(10, { wire: 1 }), holding(10, { wire: 1 })], [], budget, false)
  t.strictSame(victim, { position: 0, survives: new Set() })
})

t.test('what is protected survives its segment: a class of which there is not enough that is newer', async t => {
  const mixed = holding(100, { episode: 10, log: 90 })
  t.strictSame(choose(mixed, holding(90, { episode: 1 })), { position: 0, survives: ['episode', 'session'] })
  t.strictSame(choose(mixed, holding(100, { episode: 1 })), { position: 0, survives: [] }, 'newer ones fill its share')
  t.strictSame(choose(mixed, holding(60, { episode: 1 }), holding(60, { session: 1 })), { position: 0, survives: [] })
})

t.test('a class of which nothing is in the segment is no reason to keep any of it', async t => {
  t.strictSame(choose(holding(100, { log: 1 })), { position: 0, survives: [] })
})

t.test('a segment of which nearly all is protected is passed over', async t => {
  const protectedOne = holding(100, { episode: 90, log: 10 })
  t.strictSame(choose(protectedOne, holding(100, { log: 1 })), { position: 1, survives: [] })
  t.strictSame(choose(holding(100, { episode: 80, log: 20 }), holding(100, { log: 1 }))?.position, 0)
})

t.test('one is not written again only for the record that opens it', async t => {
  const rest = { episode: 80, context: 20 }
  t.equal(choose(holding(50, rest), holding(100, { log: 1 }))?.position, 1)
})

t.test('where all of it is protected, age decides; where nothing is left, nothing goes', async t => {
  t.strictSame(choose(holding(50, { episode: 1 }), holding(20, { session: 1 })), { position: 0, survives: [] })
  t.equal(choose(), null)
  t.equal(chooseVictim([holding(50, { episode: 1 })], classes, budget, false), null, 'unless there is another way')
})
