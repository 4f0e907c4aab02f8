/** The bench of recovery: that its verdicts and its jitter are right, and that it measures both sides. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { faults } from '../../bench/recovery/faults.js'
import { jitterAt, type Wire } from '../../bench/recovery/jitter.js'
import { medianOf, type Round, verdictOn } from '../../bench/recovery/verdict.js'
import { defaultLimits } from '../../transports/backoff.js'

const run = promisify(execFile)

const round = (hubrecBackMs: number | null, sdkBackMs: number | null, jitterMs = 500): Round => ({
  hubrec: { noticedMs: 1, backMs: hubrecBackMs },
  sdk: { noticedMs: null, backMs: sdkBackMs, said: [] },
  jitterMs,
})

t.test('the bar is met where every round meets it, and asks only to be back where the SDK is not', async t => {
  const cases: [rounds: Round[], expected: object][] = [
    [[round(1_500, 0), round(100, 0)], { met: true, overMs: 0, roundsMet: 2 }],
    [[round(1_600, 0), round(100, 0)], { met: false, overMs: 100, roundsMet: 1 }],
    [[round(59_000, null)], { met: true, overMs: null, roundsMet: 1 }],
    [[round(null, null)], { met: false, overMs: null, roundsMet: 0 }],
    [[round(null, 10), round(0, 10)], { met: false, overMs: null, roundsMet: 1 }],
  ]
  for (const [rounds, expected] of cases) t.strictSame(verdictOn(rounds), expected)
})

t.test('what was not within the time is later than all that was', async t => {
  t.equal(medianOf([300, null, 100]), 300)
  t.equal(medianOf([null, null, 100]), null)
  t.equal(medianOf([5]), 5)
})

t.test('the jitter is what the wait at the end of the fault left to chance', async t => {
  const retry = (monoMs: number, failures: number, policy: 'network' | 'takeOver' | 'refused', delayMs = 10): Wire => ({
    monoMs,
    data: { type: 'retryScheduled', failures, policy, delayMs },
  })
  const lost: Wire = { monoMs: 60_000, data: { type: 'closed', lastedMs: 59_000 } }
  const jitter = (endedMs: number, ...wires: Wire[]): number => jitterAt([lost, ...wires], endedMs, defaultLimits)
  t.equal(jitter(60_000), 0, 'it never waited')
  t.equal(jitter(60_000, retry(60_001, 1, 'network')), 1_000, 'the first wait after it')
  t.equal(
    jitter(70_000, retry(60_001, 1, 'network'), retry(66_000, 4, 'network', 5_000)),
    6_000,
    'as long as the outage',
  )
  t.equal(jitter(99_000, retry(66_000, 3, 'network', 5_000), retry(98_000, 4, 'network', 5_000)), 8_000, 'doubled')
  t.equal(jitter(99_000, retry(98_000, 2, 'takeOver', 200_000)), 120_000, 'two take-overs, without the floor')
  t.equal(jitter(400_000, retry(98_000, 2, 'takeOver'), retry(399_000, 3, 'takeOver', 200_000)), 360_000, 'a third one')
})

t.test('each fault has a name of its own, and some of them are for the long form', async t => {
  t.equal(new Set(faults.map(({ name }) => name)).size, faults.length)
  t.strictSame(
    faults.filter(({ long }) => long).map(({ name }) => name),
    ['take-over', 'refused', 'black-hole-both'],
  )
})

t.test('it runs, and has figures of both sides', { timeout: 180_000 }, async t => {
  const args = ['fin', '--protocol', 'mqtt', '--rounds', '1', '--json']
  const { stdout } = await run(process.execPath, ['dist/bench/recovery/main.js', ...args])
  const { settings, rows } = JSON.parse(stdout)
  t.match(settings, { rounds: 1, lastsSeconds: 20, patienceSeconds: 60, keepaliveSeconds: { hubrec: 5, sdk: 5 } })
  const figures = { noticedMs: Number, backMs: Number }
  t.match(rows, [
    {
      fault: 'fin',
      protocol: 'mqtt',
      heldMs: 0,
      medians: { hubrec: figures, sdk: figures, jitterMs: Number },
      verdict: { met: Boolean, roundsMet: Number },
      rounds: [{ hubrec: figures, sdk: { ...figures, said: ['connect'] }, jitterMs: 1_000 }],
      failures: [],
    },
  ])
})
