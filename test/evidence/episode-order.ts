import fc from 'fast-check'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { orderEpisodes } from '../../agent/evidence/episode-order.js'
import { readEpisodes } from '../../agent/evidence/read.js'
import { episodeOf, type Line, recordRing, storyStartMs } from '../support/recorded-ring.js'
import { collect, seedFrom } from '../support/ring-records.js'

const seed = seedFrom('HUBREC_TEST_SEED')
t.comment(`HUBREC_TEST_SEED=${seed}`)

const always = { since: 0, until: 8e15 }

const told = (atS: number, episode: Episode): Line => ({ atS, type: 'episode', conn: episode.conn, data: episode })

/** Open when it began, closed when it was over, and of another connection than its neighbour. */
const twoVersions = (id: string, fromS: number, toS: number, conn = 'hubrec'): Line[] => {
  const endedAt = new Date(storyStartMs + toS * 1e3).toISOString()
  const open = episodeOf(id, fromS, { conn, state: 'open', endedAt: null, durationMs: null })
  return [told(fromS, open), told(toS, episodeOf(id, fromS, { conn, endedAt }))]
}

t.test('an outage that lasted as long as a thousand others comes before them, in its newest version', async t => {
  const dir = t.testdir()
  const short = Array.from({ length: 1_000 }, (_, n) => twoVersions(`short-${n}`, 10 + 2 * n, 11 + 2 * n)).flat()
  const long = twoVersions('long', 5, 5_000, 'application')
  await recordRing(
    dir,
    [...long, ...short].sort((a, b) => a.atS - b.atS),
  )
  const order = await orderEpisodes(dir, always)
  t.equal(order.count, 1_001)
  const found = await collect(order.read())
  t.strictSame(found, await readEpisodes(dir))
  t.match(found[0], { id: 'long', state: 'closed' })
  t.strictSame(await collect(order.read()), found, 'and may be asked again')
})

t.test('whatever the clock did, it is what the ring held at once has', async t => {
  const story = fc.array(
    fc.record({ id: fc.nat(40), startS: fc.nat(500), lastsS: fc.nat(100), conn: fc.constantFrom('hubrec', 'a', 'b') }),
    { maxLength: 60 },
  )
  const window = fc.tuple(fc.nat(600), fc.nat(600))
  let n = 0
  await fc.assert(
    fc.asyncProperty(story, window, async (episodes, [aS, bS]) => {
      n += 1
      const dir = `${t.testdirName}-${n}`
      const lines = episodes.flatMap(({ id, startS, lastsS, conn }) =>
        twoVersions(`e${id}`, startS, startS + lastsS, conn),
      )
      await recordRing(dir, lines, { budgetBytes: 262_144 })
      const window = { since: storyStartMs + Math.min(aS, bS) * 1e3, until: storyStartMs + Math.max(aS, bS) * 1e3 }
      for (const each of [always, window]) {
        t.strictSame(await collect((await orderEpisodes(dir, each)).read()), await readEpisodes(dir, each))
      }
    }),
    { seed, numRuns: 25 },
  )
})

t.test('what goes from the full ring meanwhile is counted', async t => {
  const dir = t.testdir()
  const budgetBytes = 262_144
  const episode = (n: number): Line => {
    const noise = Array.from({ length: 40 }, (_, i) => Math.imul(n * 41 + i, 0x9e3779b1).toString(36)).join(' ')
    return told(n, episodeOf(`e${n}`, n, { sdkSaid: { name: 'Error', message: noise } }))
  }
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => episode(from + n))
  await recordRing(dir, range(0, 300), { budgetBytes })
  const order = await orderEpisodes(dir, always)
  const before = await readEpisodes(dir)
  t.equal(order.count, before.length)
  await recordRing(dir, range(300, 1_500), { budgetBytes })
  let missed = 0
  const found = await collect(
    order.read(undefined, count => {
      missed += count
    }),
  )
  t.ok(missed > 0, `${missed} of ${order.count} have gone`)
  t.equal(found.length + missed, order.count)
  t.strictSame(found, before.slice(missed), 'the oldest')
})
