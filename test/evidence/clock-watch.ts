/** What two looks at the clocks tell. */
import t from 'tap'
import { clockChanges } from '../../agent/evidence/clock-watch.js'

const start = { wallMs: 1_000_000, monoMs: 50_000, bootMs: 60_000 }
const after = (wallMs: number, monoMs: number, bootMs: number) =>
  clockChanges(start, { wallMs: start.wallMs + wallMs, monoMs: start.monoMs + monoMs, bootMs: start.bootMs + bootMs })

t.test('clocks that go together say nothing', async t => {
  t.strictSame(after(10_000, 10_000, 10_000), [])
  t.strictSame(after(10_900, 10_000, 10_020), [], 'a second is the grain')
})

t.test('a wall clock that was set is a step, forward or back', async t => {
  t.strictSame(after(3_610_000, 10_000, 10_000), [{ change: 'step', byMs: 3_600_000 }])
  t.strictSame(after(-50_000, 10_000, 10_000), [{ change: 'step', byMs: -60_000 }])
})

t.test('a host that slept is a resume and no step', async t => {
  t.strictSame(after(310_000, 10_000, 310_000), [{ change: 'resume', suspendedMs: 300_000 }])
})

t.test('a host that slept and was then set right is both, in that order', async t => {
  t.strictSame(after(315_000.4, 10_000, 310_000), [
    { change: 'resume', suspendedMs: 300_000 },
    { change: 'step', byMs: 5_000 },
  ])
})
