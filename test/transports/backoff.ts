import fc from 'fast-check'
import t from 'tap'
import { after, defaultLimits, initialBackoff, nextDelay, type Outcome } from '../../transports/backoff.js'

const second = 1_000
const minute = 60 * second

/** Tell what happened, at which times; return the longest delay that could follow, and why. */
const longest = (...story: (readonly [atMs: number, outcome: Outcome])[]) => {
  const backoff = story.reduce((state, [atMs, outcome]) => after(state, outcome, atMs), initialBackoff(0))
  return nextDelay(backoff, defaultLimits, story.at(-1)?.[0] ?? 0, () => 1 - Number.EPSILON)
}

const failed: Outcome = { what: 'attemptFailed', refused: false }
const refused: Outcome = { what: 'attemptFailed', refused: true }
const session = (lastedMs: number, likeTakeOver = false): Outcome => ({ what: 'sessionEnded', lastedMs, likeTakeOver })

t.test('the first retry is jittered too, and comes within a second', async t => {
  t.strictSame(longest([10 * minute, session(10 * minute)]), { delayMs: second, policy: 'network' })
})

t.test('the delay doubles with each failure and never exceeds the outage so far', async t => {
  t.strictSame(longest([200, failed], [1_300, failed]), { delayMs: 1_300, policy: 'network' })
  t.strictSame(longest([200, failed], [900, failed], [8 * second, failed]), { delayMs: 4 * second, policy: 'network' })
})

t.test('the network is tried at least every minute, for ever', async t => {
  const story = Array.from({ length: 2_000 }, (_, index) => [index * minute, failed] as const)
  t.strictSame(longest(...story), { delayMs: minute, policy: 'network' })
})

t.test('at the cap half of each wait is certain, and below it nothing is', async t => {
  const shortest = (...story: (readonly [atMs: number, outcome: Outcome])[]) => {
    const backoff = story.reduce((state, [atMs, outcome]) => after(state, outcome, atMs), initialBackoff(0))
    return nextDelay(backoff, defaultLimits, story.at(-1)?.[0] ?? 0, () => 0).delayMs
  }
  const failures = (count: number, atMs: number) => Array.from({ length: count }, () => [atMs, failed] as const)
  t.equal(shortest(...failures(6, 10 * minute)), 0)
  t.equal(shortest(...failures(7, 10 * minute)), 30 * second)
  t.equal(shortest(...failures(7, 50 * second)), 0, 'an outage that is younger than the cap')
  t.equal(shortest(...Array.from({ length: 20 }, () => [60 * minute, refused] as const)), 7.5 * minute)
})

t.test('a refused credential is tried less and less, down to every 15 minutes', async t => {
  const story = Array.from({ length: 200 }, (_, index) => [index * 15 * minute, refused] as const)
  t.strictSame(longest(...story), { delayMs: 15 * minute, policy: 'refused' })
})

t.test('a refused credential too never waits longer than the outage so far', async t => {
  t.strictSame(longest([100, refused]), { delayMs: second, policy: 'refused' })
})

t.test('a session under a minute does not reset the backoff, one of a minute does', async t => {
  const before = [1, 2, 3, 4, 5].map(n => [n * minute, failed] as const)
  const again = [9 * minute, failed] as const
  t.strictSame(longest(...before, [6 * minute, session(59 * second)], again), { delayMs: minute, policy: 'network' })
  t.strictSame(longest(...before, [6 * minute, session(minute)], again), { delayMs: second, policy: 'network' })
})

t.test('after a short session too the first retry comes within a second: the outage is that young', async t => {
  const before = [1, 2, 3, 4, 5].map(n => [n * minute, failed] as const)
  t.strictSame(longest(...before, [6 * minute, session(5 * second)]), { delayMs: second, policy: 'network' })
})

t.test('two take-overs in a row wait at least two minutes, at most fifteen', async t => {
  const twice = [
    [10 * minute, session(10 * minute, true)],
    [10 * minute + second, session(200, true)],
  ] as const
  const backoff = twice.reduce((state, [atMs, outcome]) => after(state, outcome, atMs), initialBackoff(0))
  t.strictSame(
    nextDelay(backoff, defaultLimits, 11 * minute, () => 0),
    { delayMs: 2 * minute, policy: 'takeOver' },
  )
  t.strictSame(longest(...twice), { delayMs: 4 * minute, policy: 'takeOver' })
  const more = Array.from({ length: 50 }, (_, index) => [(20 + index) * minute, session(100, true)] as const)
  t.strictSame(longest(...twice, ...more), { delayMs: 15 * minute, policy: 'takeOver' })
})

t.test('a failed attempt between them is a network at fault and not a rival', async t => {
  const story = [
    [minute, session(second, true)],
    [minute + second, failed],
    [minute + 3 * second, session(second, true)],
  ] as const
  t.equal(longest(...story).policy, 'network')
})

t.test('whatever happens, only take-overs wait longer than the outage and the cap', async t => {
  const outcome = fc.oneof(
    fc.record({ what: fc.constant('attemptFailed' as const), refused: fc.boolean() }),
    fc.record({
      what: fc.constant('sessionEnded' as const),
      lastedMs: fc.integer({ min: 0, max: 2 * minute }),
      likeTakeOver: fc.boolean(),
    }),
  )
  const story = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 * minute }), outcome), { minLength: 1, maxLength: 40 })
  const seed = Number(process.env.HUBREC_TEST_SEED ?? Date.now() % 1e9)
  t.comment(`HUBREC_TEST_SEED=${seed}`)
  fc.assert(
    fc.property(story, fc.double({ min: 0, max: 1 - Number.EPSILON, noNaN: true }), (steps, random) => {
      let backoff = initialBackoff(0)
      let nowMs = 0
      for (const [laterMs, happened] of steps) {
        nowMs += laterMs
        backoff = after(backoff, happened, nowMs)
        const { delayMs, policy } = nextDelay(backoff, defaultLimits, nowMs, () => random)
        const outageMs = Math.max(second, nowMs - backoff.outageSinceMs)
        if (policy === 'takeOver') {
          if (delayMs < 2 * minute || delayMs > 15 * minute) return false
        } else if (delayMs > Math.min(outageMs, policy === 'refused' ? 15 * minute : minute)) return false
      }
      return true
    }),
    { seed, numRuns: 2_000 },
  )
})

t.test('a renewal is no failure, and the good session before it ends the trouble', async t => {
  const before = [1, 2, 3, 4, 5].map(n => [n * minute, failed] as const)
  const renewed = (lastedMs: number): Outcome => ({ what: 'renewed', lastedMs })
  const refusedThen = [60 * minute + 200, failed] as const
  t.strictSame(longest(...before, [60 * minute, renewed(45 * minute)], refusedThen), {
    delayMs: second,
    policy: 'network',
  })
  const later = [62 * minute, failed] as const
  t.strictSame(longest([60 * minute, renewed(5 * second)], later), { delayMs: second, policy: 'network' })
})
