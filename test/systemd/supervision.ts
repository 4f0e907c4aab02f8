import t from 'tap'
import { patienceMs, watchSupervision } from '../../agent/systemd/supervision.js'
import type { WireEvent } from '../../transports/wire-event.js'

const attemptMs = 40_000
const at = { monoMs: 0, protocol: 'mqtt', attempt: 1 } as const
const event = (type: string, more: object = {}): WireEvent => ({ ...at, type, ...more }) as unknown as WireEvent

function watched() {
  const clock = { nowMs: 1_000 }
  return { clock, supervision: watchSupervision(attemptMs, () => clock.nowMs) }
}

t.test('whoever says nothing from the start on is overdue after an attempt and the patience', async t => {
  const { clock, supervision } = watched()
  clock.nowMs += attemptMs + patienceMs
  t.equal(supervision.overdueMs(), 0)
  clock.nowMs += 5
  t.equal(supervision.overdueMs(), 5)
})

t.test('a wait that was announced is no silence, however long it is', async t => {
  const { clock, supervision } = watched()
  const delayMs = 10 * 3_600_000
  supervision.heard(event('retryScheduled', { delayMs }))
  clock.nowMs += delayMs + attemptMs + patienceMs
  t.equal(supervision.overdueMs(), 0)
  clock.nowMs += 1
  t.equal(supervision.overdueMs(), 1)
})

t.test('a session may be silent for ever, whatever is said in it, and its end may not', async t => {
  const { clock, supervision } = watched()
  supervision.heard(event('accepted'))
  for (const said of ['subscribed', 'sdkError', 'authorized', 'rejected', 'detached']) supervision.heard(event(said))
  clock.nowMs += 30 * 86_400_000
  t.equal(supervision.overdueMs(), 0)
  supervision.heard(event('closed'))
  clock.nowMs += attemptMs + patienceMs + 7
  t.equal(supervision.overdueMs(), 7)
  supervision.heard(event('connecting'))
  t.equal(supervision.overdueMs(), 0, 'and it is well again when it is heard of')
})
