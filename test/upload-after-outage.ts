/** One bundle around each long outage: after the return, once, so many in a day, and also where the device was restarted meanwhile. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Episode } from '../agent/evidence/episode.js'
import type { Request } from '../agent/upload/task.js'
import { createAfterOutage } from '../agent/upload-after-outage.js'

const startMs = Date.parse('2026-11-27T10:00:00Z')
const minuteMs = 60_000

const outage = (id: string, minutes: number, endedAtMs: number, change: Partial<Episode> = {}): Episode =>
  ({
    id,
    state: 'closed',
    planned: false,
    startedAt: new Date(endedAtMs - minutes * minuteMs).toISOString(),
    endedAt: new Date(endedAtMs).toISOString(),
    durationMs: minutes * minuteMs,
    ...change,
  }) as Episode

function scene(t: Test, dir = t.testdir()) {
  let nowMs = startMs
  let refuses = false
  let due: { atMs: number; act(): Promise<void> } | null = null
  const accepted: Request[] = []
  const noted: string[] = []
  const warned: string[] = []
  const device = createAfterOutage({
    path: join(dir, 'after-outage.json'),
    leastMs: 5 * minuteMs,
    async accept(request) {
      if (refuses) throw new Error('an upload is under way')
      accepted.push(request)
    },
    isAsked: trigger => accepted.some(request => request.trigger === trigger),
    nowMs: () => nowMs,
    note: message => void noted.push(message),
    warn: message => void warned.push(message),
    after: (delayMs, act) => {
      due = { atMs: nowMs + delayMs, act }
      return () => {
        due = null
      }
    },
  })
  t.teardown(() => device.close())
  return {
    dir,
    accepted,
    noted,
    warned,
    told: device.told,
    close: device.close,
    now: () => nowMs,
    refuse: (now: boolean) => {
      refuses = now
    },
    async pass(seconds: number): Promise<void> {
      const untilMs = nowMs + seconds * 1e3
      while (due !== null && due.atMs <= untilMs) {
        const { atMs, act } = due
        nowMs = atMs
        due = null
        await act()
      }
      nowMs = untilMs
    },
  }
}

t.test('a long outage is taken on when the device has settled, with what was around it', async t => {
  const { accepted, now, pass, told } = scene(t)
  told(outage('short', 4.9, now()))
  told(outage('planned', 60, now(), { planned: true }))
  told(outage('open', 60, now(), { state: 'open', endedAt: null }))
  told(outage('long', 60, now()))
  await pass(19)
  t.strictSame(accepted, [])
  await pass(1)
  t.strictSame(accepted, [
    {
      window: { since: startMs - 75 * minuteMs, until: startMs + 20_000 },
      requestedBy: 'upload.afterOutageMinutes',
      why: 'after outage long',
      trigger: 'outage:long',
    },
  ])
  told(outage('long', 60, startMs))
  await pass(600)
  t.equal(accepted.length, 1, 'a verdict that changes later is no other outage')
})

t.test('a busy device tries again, and one that was restarted goes on where it was, and not twice', async t => {
  const first = scene(t)
  first.refuse(true)
  first.told(outage('long', 60, first.now()))
  await first.pass(150)
  t.strictSame([first.accepted.length, first.noted.length], [0, 3])
  await first.close()
  const second = scene(t, first.dir)
  await second.pass(20)
  t.match(second.accepted, [{ trigger: 'outage:long' }])
  await second.close()
  const third = scene(t, first.dir)
  third.told(outage('long', 60, startMs))
  await third.pass(600)
  t.strictSame(third.accepted, [])
})

t.test('so many in a day, and then again', async t => {
  const { accepted, noted, now, pass, told } = scene(t)
  for (let count = 1; count <= 6; count++) {
    told(outage(`outage-${count}`, 10, now()))
    await pass(3_600)
  }
  t.strictSame(
    accepted.map(({ trigger }) => trigger),
    ['outage:outage-1', 'outage:outage-2', 'outage:outage-3', 'outage:outage-4'],
  )
  t.match(noted, [/4 were taken on within a day/, /4 were taken on within a day/])
  await pass(86_400)
  told(outage('outage-7', 10, now()))
  await pass(60)
  t.equal(accepted.length, 5)
})

t.test('what cannot be read is said, and no reason not to go on', async t => {
  const dir = t.testdir()
  writeFileSync(join(dir, 'after-outage.json'), '{"version":1}')
  const { accepted, now, pass, told, warned } = scene(t, dir)
  t.match(warned, [/after-outage\.json/])
  told(outage('long', 60, now()))
  await pass(60)
  t.equal(accepted.length, 1)
})
