/** What stands is reported when it has changed, not more often than the twin bears, and never against the hub's will. */
import t from 'tap'
import type { Condition, ConditionCode } from '../agent/conditions.js'
import { createTwinReport } from '../agent/twin-report.js'

const standing = (code: ConditionCode, text = 'it stands'): Condition => ({
  code,
  since: '2026-11-26T00:00:00.000Z',
  severity: 'warning',
  text,
  dependsOn: [],
})

function scene() {
  const reported: object[] = []
  const warned: string[] = []
  let nowMs = 0
  let refuses = false
  let end = new AbortController()
  const report = createTwinReport({
    codes: ['clock-impossible', 'ring-in-memory'],
    nowMs: () => nowMs,
    warn: message => void warned.push(message),
  })
  return {
    reported,
    warned,
    look: report.look,
    refuse(now: boolean) {
      refuses = now
    },
    pass(seconds: number) {
      nowMs += seconds * 1e3
    },
    begin() {
      end = new AbortController()
      report.served(patch => {
        reported.push((patch as { hubrec: { conditions: object } }).hubrec.conditions)
        return refuses ? Promise.reject(new Error('no')) : Promise.resolve()
      }, end.signal)
    },
    lose: () => end.abort(),
  }
}

const nothing = { 'clock-impossible': null, 'ring-in-memory': null }
const full = { severity: 'warning', since: '2026-11-26T00:00:00.000Z', text: 'it stands' }

t.test('all that is known is said, so that what an earlier run has left goes', async t => {
  const { begin, look, pass, reported } = scene()
  look([])
  t.strictSame(reported, [], 'there is no session')
  begin()
  pass(14)
  look([])
  t.strictSame(reported, [], 'it has just begun')
  pass(1)
  look([])
  t.strictSame(reported, [nothing])
  pass(600)
  look([])
  t.equal(reported.length, 1, 'nothing has changed')
  look([standing('ring-in-memory')])
  t.strictSame(reported.slice(1), [{ ...nothing, 'ring-in-memory': full }])
})

t.test('at most once a minute, and then how it is by now', async t => {
  const { begin, look, pass, reported } = scene()
  begin()
  pass(15)
  look([standing('ring-in-memory')])
  pass(59)
  look([])
  look([standing('clock-impossible', 'x'.repeat(5_000))])
  t.equal(reported.length, 1)
  pass(1)
  look([standing('clock-impossible', 'x'.repeat(5_000))])
  t.strictSame(reported[1], { ...nothing, 'clock-impossible': { ...full, text: 'x'.repeat(500) } })
})

t.test('what may not have arrived is said again in the next session', async t => {
  const { begin, look, lose, pass, reported, refuse, warned } = scene()
  begin()
  pass(100)
  look([])
  pass(100)
  lose()
  begin()
  pass(100)
  look([])
  t.equal(reported.length, 1, 'this one had arrived')
  look([standing('ring-in-memory')])
  pass(2)
  lose()
  look([standing('ring-in-memory')])
  begin()
  pass(100)
  look([standing('ring-in-memory')])
  t.equal(reported.length, 3)
  refuse(true)
  pass(100)
  look([])
  await new Promise(resolve => setImmediate(resolve))
  t.match(warned, [/could not be reported/])
  refuse(false)
  pass(100)
  look([])
  t.equal(reported.length, 5)
})

t.test('a hub that ends sessions upon a report is spared', async t => {
  const { begin, look, lose, pass, reported, warned } = scene()
  for (let session = 0; session < 5; session++) {
    begin()
    pass(100)
    look([])
    pass(1)
    lose()
  }
  t.equal(reported.length, 2)
  t.match(warned, [/none are reported until the next start/])
})
