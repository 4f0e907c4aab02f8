import t from 'tap'
import { Readings } from '../../agent/report/series.js'

const about = { name: 'rtt.tcp', plot: 'rtt', title: 'Round trip', unit: 'ms' } as const

const pointsOf = (readings: Readings): (readonly [number, number])[] =>
  [...readings.points()].flatMap(({ timesMs, values }) =>
    timesMs.map((at, n) => [at, values[n] ?? Number.NaN] as const),
  )

t.test('readings come in the order of their times, in rows that are not long', async t => {
  const readings = new Readings(about)
  for (let n = 0; n < 1_200; n++) readings.add(n * 10, n % 7)
  // Written down later than it happened.
  readings.add(5, 100)
  t.strictSame(readings.series(), { ...about, count: 1_201, min: 0, max: 100, last: 1_199 % 7, thinned: 0 })
  t.strictSame(pointsOf(readings).slice(0, 3), [
    [0, 0],
    [5, 100],
    [10, 1],
  ])
  t.strictSame(
    [...readings.points()].map(({ timesMs, series }) => [series, timesMs.length]),
    [
      ['rtt.tcp', 500],
      ['rtt.tcp', 500],
      ['rtt.tcp', 201],
    ],
  )
})

t.test('of many the peaks stay, each at its own time, and it says how many have gone', async t => {
  const readings = new Readings(about)
  const count = 100_000
  const peaks = new Map([
    [3, 900],
    [50_001, -40],
    [77_777, 1_000],
  ])
  for (let n = 0; n < count; n++) readings.add(n, peaks.get(n) ?? 20 + (n % 3))
  const points = pointsOf(readings)
  t.ok(points.length <= 10_000, `${points.length} points`)
  t.ok(points.length >= 5_000, `${points.length} points`)
  t.strictSame(
    points.filter(([, value]) => value < 20 || value > 22),
    [...peaks],
  )
  const times = points.map(([at]) => at)
  t.strictSame(
    times,
    [...times].sort((a, b) => a - b),
  )
  const last = 20 + ((count - 1) % 3)
  t.strictSame(readings.series(), { ...about, count, min: -40, max: 1_000, last, thinned: count - points.length })
})
