/** Which stretches of the verbose records are written down, told as stories; and what holds for every story. */
import fc from 'fast-check'
import t from 'tap'
import { Choice, calm, type News, refilled, type Stretch, settleMs, step, wakeAtMs } from '../../agent/recall/window.js'
import { seedFrom } from '../support/ring-records.js'

/** Twice the detection limit at a keepalive of 60 s. */
const spanMs = 180_000

type Told = Readonly<{ at: number; news: News }>

const lost = (at: number, episode: string): Told => ({ at, news: { what: 'lost', episode } })
const told = (at: number, what: 'back' | 'left' | 'stopping' | 'time'): Told => ({ at, news: { what } })

/** Tells it all, wakes it when it wants to be woken, and returns what it wanted to be written down, and when. */
function tell(...story: readonly Told[]): { at: number; stretch: Stretch }[] {
  let watch = calm
  const written: { at: number; stretch: Stretch }[] = []
  const take = ({ at, news }: Told): void => {
    const next = step(watch, news, at, spanMs)
    watch = next.watch
    written.push(...next.stretches.map(stretch => ({ at, stretch })))
  }
  for (const next of [...story, null]) {
    const untilMs = next?.at ?? Number.POSITIVE_INFINITY
    for (let due = wakeAtMs(watch, spanMs); due !== null && due < untilMs; due = wakeAtMs(watch, spanMs))
      take(told(due, 'time'))
    if (next !== null) take(next)
  }
  return written
}

const minute = 60_000

t.test('a short outage: what was before it at once, the rest 10 s into the next session', async t => {
  t.strictSame(tell(lost(600_000, 'e1'), told(604_000, 'back')), [
    { at: 600_000, stretch: { episode: 'e1', name: 'before', fromMs: 420_000, toMs: 600_000, keep: 'newest' } },
    { at: 614_000, stretch: { episode: 'e1', name: 'back', fromMs: 600_000, toMs: 614_000, keep: 'newest' } },
  ])
})

t.test('of an outage of an hour its beginning and its end', async t => {
  t.strictSame(tell(lost(0, 'e1'), told(60 * minute, 'back')), [
    { at: 0, stretch: { episode: 'e1', name: 'before', fromMs: -spanMs, toMs: 0, keep: 'newest' } },
    { at: 3 * minute, stretch: { episode: 'e1', name: 'after', fromMs: 0, toMs: 3 * minute, keep: 'oldest' } },
    {
      at: 60 * minute + settleMs,
      stretch: { episode: 'e1', name: 'back', fromMs: 57 * minute, toMs: 60 * minute + settleMs, keep: 'newest' },
    },
  ])
})

t.test('a session that is lost again within 10 s belongs to both outages', async t => {
  t.strictSame(tell(lost(600_000, 'e1'), told(601_000, 'back'), lost(605_000, 'e2'), told(606_000, 'back')), [
    { at: 600_000, stretch: { episode: 'e1', name: 'before', fromMs: 420_000, toMs: 600_000, keep: 'newest' } },
    { at: 605_000, stretch: { episode: 'e1', name: 'back', fromMs: 600_000, toMs: 605_000, keep: 'newest' } },
    { at: 605_000, stretch: { episode: 'e2', name: 'before', fromMs: 425_000, toMs: 605_000, keep: 'newest' } },
    { at: 616_000, stretch: { episode: 'e2', name: 'back', fromMs: 605_000, toMs: 616_000, keep: 'newest' } },
  ])
})

t.test('a goodbye or a stop within 10 s ends it, and in an outage a stop writes what there is', async t => {
  for (const what of ['left', 'stopping'] as const) {
    t.strictSame(
      tell(lost(600_000, 'e1'), told(601_000, 'back'), told(603_000, what)).at(-1),
      { at: 603_000, stretch: { episode: 'e1', name: 'back', fromMs: 600_000, toMs: 603_000, keep: 'newest' } },
      what,
    )
  }
  t.strictSame(tell(lost(600_000, 'e1'), told(900_000, 'stopping')).at(-1), {
    at: 900_000,
    stretch: { episode: 'e1', name: 'back', fromMs: 780_000, toMs: 900_000, keep: 'newest' },
  })
})

t.test('nothing is written of goodbyes, returns and stops alone', async t => {
  t.strictSame(tell(told(1, 'left'), told(2, 'back'), told(3, 'left'), told(4, 'back'), told(5, 'stopping')), [])
})

t.test('an outage that a run inherits is written from its own beginning', async t => {
  t.strictSame(tell({ at: 5_000, news: { what: 'resumed', episode: 'e1' } }, told(7_000, 'back')), [
    { at: 17_000, stretch: { episode: 'e1', name: 'back', fromMs: 5_000, toMs: 17_000, keep: 'newest' } },
  ])
})

t.test('a timer that is early changes nothing', async t => {
  const away = step(calm, { what: 'lost', episode: 'e1' }, 0, spanMs).watch
  t.strictSame(step(away, { what: 'time' }, spanMs - 1, spanMs), { watch: away, stretches: [] })
})

/** By a plainer rule than the code's: what has to be in some stretch. */
function wantedOf(story: readonly Told[]): [fromMs: number, toMs: number][] {
  const wanted: [number, number][] = []
  let lostMs: number | null = null
  for (const [index, { at, news }] of story.entries()) {
    const later = story.slice(index + 1)
    if (news.what === 'lost' && lostMs === null) {
      const backMs = later.find(({ news }) => news.what === 'back')?.at ?? at + spanMs
      wanted.push([at - spanMs, at], [at, Math.min(at + spanMs, backMs)])
      lostMs = at
    } else if (news.what === 'back' && lostMs !== null) {
      const endMs = later.find(({ news }) => news.what !== 'back')?.at ?? at + settleMs
      wanted.push([Math.max(at - spanMs, lostMs), at], [at, Math.min(at + settleMs, endMs)])
      lostMs = null
    }
  }
  return wanted
}

t.test('every story: what surrounds a loss and a return is written down, and nothing before it happens', async t => {
  const seed = seedFrom('RECALL_SEED')
  t.comment(`RECALL_SEED=${seed}`)
  const happening = fc.record({
    afterMs: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 20 * minute })),
    what: fc.constantFrom('lost' as const, 'back' as const, 'left' as const),
  })
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 20 }), happenings => {
      let at = 0
      const story = happenings.map(({ afterMs, what }, index): Told => {
        at += afterMs
        return what === 'lost' ? lost(at, `e${index}`) : told(at, what)
      })
      const written = tell(...story, told(at + 60 * minute, 'stopping'))
      for (const [from, to] of wantedOf(story)) {
        for (const moment of [from, (from + to) / 2, to]) {
          const isThere = written.some(({ stretch }) => stretch.fromMs <= moment && moment <= stretch.toMs)
          if (!isThere) throw new Error(`${moment} of ${from} to ${to} is in none of ${JSON.stringify(written)}`)
        }
      }
      return written.every(({ at, stretch }) => stretch.toMs <= at && stretch.fromMs <= stretch.toMs)
    }),
    { seed, numRuns: 2_000 },
  )
})

const lines = (count: number) => Array.from({ length: count }, (_, n) => ({ id: n + 1, json: 'x'.repeat(100) }))

t.test('of what is too much the newest is kept, or the oldest, and the rest is counted', async t => {
  const kept = (keep: 'newest' | 'oldest', bytesMax: number) => {
    const choice = new Choice<{ id: number; json: string }>(bytesMax, keep)
    for (const line of lines(10)) choice.add(line)
    const { lines: found, ...rest } = choice.kept
    return { ids: found.map(({ id }) => id), ...rest }
  }
  t.strictSame(kept('newest', 350), { ids: [8, 9, 10], leftOut: 7, bytes: 300 })
  t.strictSame(kept('oldest', 350), { ids: [1, 2, 3], leftOut: 7, bytes: 300 })
  t.strictSame(kept('newest', 1_000), { ids: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], leftOut: 0, bytes: 1_000 })
  t.strictSame(kept('oldest', 99), { ids: [], leftOut: 10, bytes: 0 })

  const choice = new Choice<{ id: number; json: string }>(250, 'oldest')
  for (const [id, length] of [100, 200, 100].entries()) choice.add({ id, json: 'x'.repeat(length) })
  t.equal(choice.kept.lines.length, 1, 'nothing after the first that did not fit')
})

t.test('the allowance fills up within an hour, and not above it', async t => {
  const hour = 60 * minute
  t.strictSame(refilled({ bytes: 0, atMs: 0 }, hour / 4, 4_000), { bytes: 1_000, atMs: hour / 4 })
  t.strictSame(refilled({ bytes: 3_500, atMs: 0 }, hour, 4_000), { bytes: 4_000, atMs: hour })
  t.strictSame(refilled({ bytes: 500, atMs: hour }, 0, 4_000), { bytes: 500, atMs: 0 })
})
