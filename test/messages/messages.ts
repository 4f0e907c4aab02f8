/** Messages to the cloud: one for each incident, within the day's budget, and never a second one that does not say so. */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { createMessages } from '../../agent/messages/messages.js'
import { openMessageStore, waitingMax } from '../../agent/messages/store.js'
import type { ServedSession } from '../../transports/supervisor.js'
import type { CloudMessage } from '../../transports/transport.js'

const startMs = Date.parse('2026-11-27T10:00:00Z')

const outage = (id: string, cause: string, endedAtMs: number, sessionMs: number | null = 600_000): Episode =>
  ({
    id,
    conn: 'hubrec',
    state: 'closed',
    planned: false,
    protocol: 'mqtt',
    startedAt: new Date(endedAtMs - 8_000).toISOString(),
    endedAt: new Date(endedAtMs).toISOString(),
    durationMs: 8_000,
    attempts: 2,
    session: sessionMs === null ? null : { lastedMs: sessionMs },
    verdict: { cause, confidence: 'certain' },
  }) as Episode

type Settings = Partial<{ dir: string; incidents: boolean; heartbeatMinutes: number; dailyMax: number }>

/** A run of a daemon, with a hub that answers as it is told and a clock that is moved by hand. */
function run(t: Test, { dir = t.testdir(), incidents = true, heartbeatMinutes = 0, dailyMax = 100 }: Settings = {}) {
  let nowMs = startMs
  let answers: 'yes' | 'no' | 'never' = 'yes'
  let end = new AbortController()
  let beats = 0
  const waits = new Set<{ dueMs: number; go(): void }>()
  const sent: [atSeconds: number, id: string, properties: Readonly<Record<string, string>>][] = []
  const bodies: string[] = []
  const noted: string[] = []
  const warned: string[] = []
  const stop = new AbortController()
  const path = join(dir, 'messages.json')
  const store = openMessageStore({ path, dailyMax, nowMs: () => nowMs, warn: message => void warned.push(message) })
  const messages = createMessages({
    store,
    incidents,
    heartbeatMs: () => heartbeatMinutes * 60_000,
    heartbeat: () => '{"kind":"heartbeat"}',
    nowMs: () => nowMs,
    newId: () => `beat-${++beats}`,
    note: message => void noted.push(message),
    warn: message => void warned.push(message),
    random: () => 0.5,
    wait: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const wait = { dueMs: nowMs + delayMs, go: resolve }
        waits.add(wait)
        signal.addEventListener('abort', () => {
          waits.delete(wait)
          reject(new Error('aborted'))
        })
        if (signal.aborted) reject(new Error('aborted'))
      }),
  })
  const running = messages.part.run(stop.signal)
  t.teardown(() => stop.abort())
  let isServed = false
  let isHanging = false
  /** Until the daemon waits for time, or for a hub that never answers; what it writes goes to a real disk. */
  const settled = async (): Promise<void> => {
    for (let turns = 0; turns < 2; turns++) {
      await later(5)
      while (isServed && waits.size === 0 && !isHanging) await later(5)
      await store.settled()
    }
  }
  const gone = (): Promise<never> =>
    new Promise((_resolve, reject) => end.signal.addEventListener('abort', () => reject(new Error('gone'))))
  return {
    dir,
    path,
    sent,
    bodies,
    noted,
    warned,
    store,
    told: messages.told,
    now: () => nowMs,
    answer(now: typeof answers) {
      answers = now
    },
    begin(): void {
      end = new AbortController()
      const session = {
        ended: end.signal,
        async send({ id, body, properties }: CloudMessage) {
          sent.push([(nowMs - startMs) / 1e3, id, properties])
          bodies.push(body)
          if (answers === 'no') throw new Error('no')
          isHanging = answers === 'never'
          if (isHanging) await gone()
        },
      } as unknown as ServedSession
      isServed = true
      isHanging = false
      messages.served(session)
    },
    lose: async () => {
      isServed = false
      end.abort()
      await settled()
    },
    kill: () => stop.abort(),
    /** As a daemon that is asked to. */
    async stop(): Promise<void> {
      stop.abort()
      await running
    },
    async pass(seconds: number): Promise<void> {
      const untilMs = nowMs + seconds * 1e3
      await settled()
      for (;;) {
        const next = [...waits].sort((a, b) => a.dueMs - b.dueMs)[0]
        if (!next || next.dueMs > untilMs) break
        nowMs = Math.max(nowMs, next.dueMs)
        waits.delete(next)
        next.go()
        await settled()
      }
      nowMs = untilMs
    },
  }
}

const incident = (cause: string, repeated = false) => ({
  'hubrec-kind': 'incident',
  cause,
  ...(repeated ? { repeated: 'true' } : {}),
})

t.test('an incident is told when it is over: a minute after the last return', async t => {
  const { begin, bodies, lose, now, pass, sent, told } = run(t)
  told(outage('a', 'peer-reset', now()))
  begin()
  await pass(30)
  await lose()
  await pass(5)
  told(outage('b', 'peer-reset', now(), 30_000))
  begin()
  await pass(59)
  t.strictSame(sent, [])
  await pass(1)
  t.strictSame(sent, [[95, 'a', incident('peer-reset')]])
  t.strictSame(JSON.parse(bodies[0] ?? ''), {
    kind: 'incident',
    id: 'a',
    cause: 'peer-reset',
    confidence: 'certain',
    protocol: 'mqtt',
    startedAt: '2026-11-27T09:59:52.000Z',
    endedAt: '2026-11-27T10:00:35.000Z',
    outages: 2,
    awaySeconds: 16,
    attempts: 4,
  })
  t.ok(Buffer.byteLength(bodies[0] ?? '') < 512)
  await pass(3_600)
  t.equal(sent.length, 1, 'acknowledged, it is not sent again')
})

t.test('another cause is another incident', async t => {
  const { begin, now, pass, sent, told } = run(t)
  told(outage('a', 'peer-reset', now()))
  told(outage('b', 'dns-failure', now(), 10_000))
  begin()
  await pass(61)
  t.strictSame(
    sent.map(([, id, { cause }]) => [id, cause]),
    [
      ['a', 'peer-reset'],
      ['b', 'dns-failure'],
    ],
  )
})

t.test('a stop before it is known to be over leaves it to the next run', async t => {
  const first = run(t)
  first.told(outage('a', 'peer-reset', first.now()))
  first.begin()
  await first.pass(30)
  await first.stop()
  t.strictSame(first.sent, [])
  const second = run(t, { dir: first.dir })
  second.begin()
  await second.pass(60)
  t.strictSame(second.sent, [[60, 'a', incident('peer-reset')]])
})

t.test('what is not wanted, planned or open is not sent, and nothing is written', async t => {
  const off = run(t, { incidents: false })
  off.told(outage('a', 'peer-reset', off.now()))
  off.begin()
  await off.pass(600)
  t.strictSame(off.sent, [])
  t.notOk(existsSync(off.path))
  const on = run(t, { dir: t.testdir({ on: {} }) })
  on.told({ ...outage('a', 'sas-renewal-expected', on.now()), planned: true })
  on.told({ ...outage('b', 'peer-reset', on.now()), state: 'open' })
  on.begin()
  await on.pass(600)
  t.strictSame(on.sent, [])
})

t.test('what was not acknowledged is sent again with a mark, also after a crash', async t => {
  const first = run(t)
  first.told(outage('a', 'peer-reset', first.now()))
  first.answer('never')
  first.begin()
  await first.pass(70)
  await first.lose()
  first.begin()
  await first.pass(70)
  t.strictSame(first.sent, [
    [60, 'a', incident('peer-reset')],
    [130, 'a', incident('peer-reset', true)],
  ])
  first.kill()
  const second = run(t, { dir: first.dir })
  second.begin()
  await second.pass(60)
  t.strictSame(second.sent, [[60, 'a', incident('peer-reset', true)]])
})

t.test('what the hub refuses is tried again a minute later', async t => {
  const { answer, begin, now, pass, sent, told, warned } = run(t)
  told(outage('a', 'peer-reset', now()))
  answer('no')
  begin()
  await pass(65)
  answer('yes')
  await pass(3_600)
  t.strictSame(sent, [
    [60, 'a', incident('peer-reset')],
    [120, 'a', incident('peer-reset', true)],
  ])
  t.equal(warned.length, 1)
})

t.test('a heartbeat beats at its pace, first at a moment of its own, and counts', async t => {
  const { begin, lose, pass, sent, store } = run(t, { heartbeatMinutes: 10 })
  begin()
  await pass(600)
  await lose()
  await pass(1_200)
  begin()
  await pass(700)
  t.strictSame(
    sent.map(([at, id, properties]) => [at, id, properties]),
    [
      [300, 'beat-1', { 'hubrec-kind': 'heartbeat' }],
      [1_800, 'beat-2', { 'hubrec-kind': 'heartbeat' }],
      [2_400, 'beat-3', { 'hubrec-kind': 'heartbeat' }],
    ],
    'none is sent later for the time away',
  )
  t.equal(store.left(), 97)
})

t.test('the day has an end: heartbeats leave some to incidents, and tomorrow there are more', async t => {
  const { begin, now, noted, pass, sent, told } = run(t, { heartbeatMinutes: 1, dailyMax: 22 })
  begin()
  await pass(600)
  t.equal(sent.length, 2)
  for (let count = 0; count < 25; count++) told(outage(`outage-${count}`, `cause-${count}`, now(), 10_000))
  await pass(600)
  t.equal(sent.length, 22)
  t.match(noted.at(-1), /messages\.dailyMax is used up/)
  await pass(14 * 3_600)
  t.ok(sent.length > 22, 'on another day')
})

t.test('only so many wait, and a restart goes on counting', async t => {
  const { dir, now, noted, pass, store, told } = run(t, { dailyMax: 3 })
  for (let count = 0; count < waitingMax + 3; count++) told(outage(`outage-${count}`, `cause-${count}`, now(), 10_000))
  await pass(0)
  t.strictSame([store.waiting().length, noted.length], [waitingMax, 2])
  await store.count()
  await store.count()
  const again = run(t, { dir, dailyMax: 3 })
  t.equal(again.store.left(), 1)
  t.equal(again.store.waiting().length, waitingMax)
})

t.test('a file that is no good is said', async t => {
  const dir = t.testdir({ 'messages.json': '' })
  writeFileSync(join(dir, 'messages.json'), '{"version":1}')
  t.match(run(t, { dir }).warned, [/messages\.json cannot be read/])
})

t.test('a hub that ends sessions upon a message is left alone', async t => {
  const { answer, begin, lose, now, pass, sent, told, warned } = run(t)
  told(outage('a', 'peer-reset', now()))
  answer('never')
  for (let session = 0; session < 4; session++) {
    begin()
    await pass(61)
    await lose()
  }
  t.equal(sent.length, 2)
  t.match(warned, [/none is sent for 10 minutes/])
})
