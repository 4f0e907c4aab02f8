import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Part, runTogether } from '../agent/run-together.js'

const untilStopped: Part = { name: 'patient', run: signal => sleep(60_000, undefined, { signal }) }

t.test('all parts end when they are told to, and that is no failure', async t => {
  const stop = new AbortController()
  const running = runTogether([untilStopped, { ...untilStopped, name: 'another' }], stop.signal, 1_000)
  stop.abort()
  t.equal(await running, undefined)
})

t.test('a part that fails ends the others, and its failure is told', async t => {
  const failing: Part = { name: 'failing', run: () => Promise.reject(new Error('the disk is gone')) }
  await t.rejects(runTogether([untilStopped, failing], new AbortController().signal, 1_000), /the disk is gone/)
})

t.test('no failure hides another', async t => {
  const fail = (name: string): Part => ({ name, run: () => Promise.reject(new Error(name)) })
  const error = await runTogether([fail('one'), fail('two')], new AbortController().signal, 1_000).catch(error => error)
  t.strictSame(
    error.errors.map(({ message }: Error) => message),
    ['one', 'two'],
  )
})

t.test('a part that would not stop is named', async t => {
  const stuck: Part = { name: 'stuck', run: () => new Promise(() => undefined) }
  await t.rejects(runTogether([untilStopped, stuck], AbortSignal.abort(), 20), {
    code: 'STOP_OVERDUE',
    message: /stuck/,
  })
})
