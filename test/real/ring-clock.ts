/** The wall clock is set by ten years under a running process, forward and back: order, numbers and windows hold. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { LogRecord } from '../../agent/evidence/record.js'
import { readRing } from '../../agent/ring/read.js'
import type { RingHealth } from '../../agent/ring/ring.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'
import { collect } from '../support/ring-records.js'
import { RingRemote } from '../support/ring-remote.js'
import { SteppedClock, steppedClockLacks } from '../support/stepped-clock.js'

const skip = steppedClockLacks
const dayMs = 86_400_000
const tenYearsDays = 3_650

t.test('a ring whose clock is stepped keeps its order, and each time finds its own records', { skip }, async t => {
  const dir = t.testdir({ ring: {} })
  const clock = new SteppedClock(dir)
  const ringDir = join(dir, 'ring')
  const ring = await RingRemote.start(t, { dir: ringDir, budgetBytes: 1 << 20, env: clock.env })
  const steps = [0, tenYearsDays, -tenYearsDays, 0, 1]
  const perStep = 400
  for (const [index, days] of steps.entries()) {
    clock.set(days)
    // Several segments each time, so that some hold one time only and some the step.
    const { state } = await ring.append({
      fromId: index * perStep + 1,
      toId: (index + 1) * perStep,
      durability: 'disk',
    })
    t.equal(state.mode, 'disk')
  }
  t.strictSame(await ring.close(), [0, null])

  const idsIn = async (window: { sinceMs?: number; untilMs?: number }): Promise<number[]> => {
    const items = await collect(readRing(ringDir, window))
    return items.flatMap(item => (item.kind === 'record' ? (JSON.parse(item.json).data.id ?? []) : []))
  }
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)
  t.strictSame(await idsIn({}), range(1, steps.length * perStep), 'in the order in which they were appended')
  t.ok(ringIsWhole(await collect(verifyRing(ringDir))))
  for (const [index, days] of steps.entries()) {
    const aroundMs = Date.now() + days * dayMs
    const found = new Set(await idsIn({ sinceMs: aroundMs - dayMs / 2, untilMs: aroundMs + dayMs / 2 }))
    const missed = range(index * perStep + 1, (index + 1) * perStep).filter(id => !found.has(id))
    t.strictSame(missed, [], `those of step ${index + 1} are found by their time`)
  }
})

t.test('the daemon goes on when its clock is set, and writes down by how much', { skip }, async t => {
  const home = mkdtempSync(join(tmpdir(), 'hubrec-clock-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const clock = new SteppedClock(home)
  const hub = await startHub()
  t.teardown(() => hub.close())
  await hub.addDevice('gateway')
  const gateway = await Gateway.make(hub, hub.connectionString('gateway'))
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const daemon = gateway.start(clock.env)
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from: 0 })

  const logs = (...options: string[]) => gateway.json<LogRecord>('logs', '--state-dir', gateway.stateDir, ...options)
  const steps: number[] = []
  const follow = gateway.follow('logs', '--state-dir', gateway.stateDir, '--follow', '--json')
  /** How far each step was, in days. */
  const stepped = async (): Promise<number> => {
    for (;;) {
      const { type, data } = JSON.parse(await follow.line()) as LogRecord
      if (type === 'clock' && data.change === 'step') return Math.round(Number(data.byMs) / dayMs)
    }
  }
  for (const days of [tenYearsDays, -tenYearsDays, 0]) {
    clock.set(days)
    steps.push(await stepped())
    t.equal(daemon.exitCode, null)
  }
  follow.child.kill('SIGKILL')
  t.strictSame(steps, [tenYearsDays, -2 * tenYearsDays, tenYearsDays])

  t.strictSame(await hub.invokeMethod({ deviceId: 'gateway' }, { methodName: 'ping' }), { status: 200, payload: null })
  daemon.kill('SIGTERM')
  t.strictSame(await once(daemon, 'exit'), [0, null])

  const all = await logs()
  t.strictSame(
    all.map(({ seq }) => seq),
    all.map((_, index) => index + 1),
  )
  const monoMs = all.map(record => record.monoMs)
  t.ok(Math.max(...monoMs) - Math.min(...monoMs) < dayMs, 'the monotonic clock was not set')
  // `logs` itself lives by the true time.
  const future = await logs('--since', new Date(Date.now() + dayMs).toISOString())
  const past = await logs('--until', new Date(Date.now() - dayMs).toISOString())
  t.ok(
    future.some(({ type }) => type === 'clock'),
    'the step forward is found in its own time',
  )
  t.ok(
    past.some(({ type }) => type === 'clock'),
    'and the step back in its own',
  )
  const health = await gateway.json<RingHealth>('verify', '--state-dir', gateway.stateDir)
  t.ok(ringIsWhole(health))
})
