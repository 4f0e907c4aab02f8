import t from 'tap'
import type { Episode, Verdict } from '../../agent/evidence/episode.js'
import { begin, type Effect, type Remembered, step } from '../../agent/evidence/tracker.js'
import type { Closed, WireEvent } from '../../transports/wire-event.js'

const second = 1_000
const startWallMs = Date.parse('2026-11-22T10:00:00.000Z')
const bootedMs = 500_000

/** An event of a story, and when it happens, in milliseconds after the start. */
type Told = readonly [atMs: number, event: WireEvent]

type Plain<T> = T extends unknown ? Omit<T, 'monoMs' | 'protocol' | 'attempt'> : never
const at = (atMs: number, event: Plain<WireEvent>): Told => [
  atMs,
  { monoMs: atMs, protocol: 'mqtt', attempt: 1, ...event } as WireEvent,
]
const connecting = (atMs: number): Told => at(atMs, { type: 'connecting', host: 'my-hub', port: 8883, gateway: false })
const accepted = (atMs: number): Told => at(atMs, { type: 'accepted', sessionPresent: true, ms: 20 })
const subscribed = (atMs: number): Told => at(atMs, { type: 'subscribed', granted: { methods: 0 }, ok: true })
const closed = (atMs: number, end: Partial<Closed>): Told =>
  at(atMs, {
    type: 'closed',
    by: 'hub',
    how: 'fin',
    stage: 'session',
    reason: null,
    error: null,
    certificate: null,
    silentMs: 100,
    lastedMs: null,
    pingUnansweredMs: null,
    inFlightPublishes: 0,
    afterPublish: false,
    bytesRead: 10,
    bytesWritten: 10,
    ...end,
  })
const waits = (atMs: number, delayMs: number): Told =>
  at(atMs, { type: 'retryScheduled', delayMs, failures: 1, policy: 'network' })

const firstStart: Remembered = {
  conn: 'hubrec',
  protocol: 'mqtt',
  credential: 'f00dface',
  credentialWorked: false,
  history: [],
  before: { ending: { kind: 'start' }, at: { wallMs: startWallMs, bootMs: bootedMs }, session: null, open: null },
}

/** Tell the tracker a story; return all that it wanted written. */
function tell(remembered: Remembered, ...story: Told[]): readonly Effect[] {
  let ids = 0
  const newId = (): string => `e${++ids}`
  const instant = (atMs: number) => ({ wallMs: startWallMs + atMs, monoMs: atMs, bootMs: bootedMs + atMs })
  const { tracker, effects } = begin(remembered, instant(0), newId)
  let state = tracker
  const wanted = story.flatMap(([atMs, event]) => {
    const next = step(state, event, instant(atMs), newId)
    state = next.tracker
    return next.effects
  })
  return [...effects, ...wanted]
}

const episodesIn = (effects: readonly Effect[]) =>
  effects.flatMap(effect => (effect.do === 'recordEpisode' ? [effect] : []))

t.test('a first start that works at once is not worth an episode', async t => {
  t.strictSame(tell(firstStart, connecting(10), accepted(200), subscribed(210)), [])
})

t.test('a first start that fails is an episode from the start, before any session', async t => {
  const effects = episodesIn(
    tell(
      firstStart,
      connecting(10),
      closed(400, { by: 'network', how: 'error', stage: 'tcp' }),
      waits(400, 600),
      connecting(1_000),
      accepted(1_200),
    ),
  )
  t.strictSame(
    effects.map(({ facts }) => facts),
    [
      {
        id: 'e1',
        conn: 'hubrec',
        state: 'open',
        provisional: true,
        protocol: 'mqtt',
        startedAt: '2026-11-22T10:00:00.000Z',
        endedAt: null,
        durationMs: null,
        session: null,
        detectedAfterMs: null,
        attempts: 1,
        waitedMs: 0,
        sdkSaid: null,
      },
      {
        id: 'e1',
        conn: 'hubrec',
        state: 'closed',
        provisional: false,
        protocol: 'mqtt',
        startedAt: '2026-11-22T10:00:00.000Z',
        endedAt: '2026-11-22T10:00:01.200Z',
        durationMs: 1_200,
        session: null,
        detectedAfterMs: null,
        attempts: 2,
        waitedMs: 600,
        sdkSaid: null,
      },
    ],
  )
})

t.test('a session that ends is recorded, and its episode opens with what ended it', async t => {
  const effects = tell(firstStart, connecting(0), accepted(100), subscribed(110), closed(90_100, { lastedMs: 90_000 }))
  const [session, opened] = effects
  t.match(session, {
    do: 'recordSession',
    data: {
      startedAt: '2026-11-22T10:00:00.100Z',
      endedAt: '2026-11-22T10:01:30.100Z',
      lastedMs: 90_000,
      subscribed: true,
      credential: 'f00dface',
    },
  })
  t.match(opened, {
    do: 'recordEpisode',
    facts: { state: 'open', startedAt: '2026-11-22T10:01:30.100Z', session: { lastedMs: 90_000 }, detectedAfterMs: 0 },
    evidence: { ending: { kind: 'closed', subscribed: true }, credentialWorked: true, ended: false },
  })
  t.equal(effects.length, 2)
})

t.test('a silent loss began with the last byte received, and lasts until the next session', async t => {
  const silence = {
    by: 'us',
    how: 'timeout',
    reason: 'silence',
    silentMs: 80 * second,
    lastedMs: 200 * second,
  } as const
  const effects = tell(
    firstStart,
    connecting(0),
    accepted(0),
    closed(200 * second, silence),
    connecting(201 * second),
    accepted(202 * second),
  )
  const last = episodesIn(effects).at(-1)
  t.match(last?.facts, {
    startedAt: '2026-11-22T10:02:00.000Z',
    endedAt: '2026-11-22T10:03:22.000Z',
    durationMs: 82 * second,
    detectedAfterMs: 80 * second,
    session: { lastedMs: 120 * second },
  })
})

t.test('each failed attempt answers for the time since the one before', async t => {
  const failed = { by: 'network', how: 'error', stage: 'tcp' } as const
  const effects = tell(
    firstStart,
    connecting(0),
    accepted(0),
    closed(60 * second, { lastedMs: 60 * second }),
    connecting(61 * second),
    closed(71 * second, failed),
    connecting(75 * second),
    at(76 * second, { type: 'refused', code: 3, reason: 'server unavailable' }),
  )
  const met = episodesIn(effects).at(-1)?.evidence.failed
  t.strictSame(
    met?.map(({ stage, outcome, code, answersForMs, host }) => ({ stage, outcome, code, answersForMs, host })),
    [
      { stage: 'tcp', outcome: 'closed', code: null, answersForMs: 11 * second, host: 'my-hub' },
      { stage: 'auth', outcome: 'refused', code: 3, answersForMs: 5 * second, host: 'my-hub' },
    ],
  )
})

t.test('what the SDK told its application first is kept beside the verdict', async t => {
  const said = (atMs: number, message: string): Told =>
    at(atMs, { type: 'sdkError', during: 'session', error: { name: 'NotConnectedError', message } })
  const effects = tell(
    firstStart,
    connecting(0),
    accepted(0),
    closed(60 * second, { lastedMs: 60 * second }),
    said(60_010, 'first'),
    said(60_020, 'second'),
    connecting(61 * second),
    accepted(62 * second),
  )
  t.strictSame(episodesIn(effects).at(-1)?.facts.sdkSaid, { name: 'NotConnectedError', message: 'first' })
})

t.test('an attempt that was broken off to stop says nothing about the network', async t => {
  t.strictSame(
    tell(firstStart, connecting(0), closed(50, { by: 'us', how: 'goodbye', stage: 'tcp', reason: 'shutdown' })),
    [],
  )
})

t.test('a crash opens an episode at the last record, and the first session closes it', async t => {
  const crashed: Remembered = {
    ...firstStart,
    before: {
      ending: { kind: 'crash', rebooted: false },
      at: { wallMs: startWallMs - 30 * second, bootMs: bootedMs - 30 * second },
      session: { lastedMs: 5 * second },
      open: null,
    },
  }
  const effects = episodesIn(tell(crashed, connecting(10), accepted(2 * second)))
  t.match(
    effects.map(({ facts, evidence }) => ({ ...facts, ending: evidence.ending })),
    [
      { state: 'open', startedAt: '2026-11-22T09:59:30.000Z', ending: { kind: 'crash' }, session: { lastedMs: 5_000 } },
      { state: 'closed', durationMs: 32 * second, attempts: 1 },
    ],
  )
})

t.test('an episode that was open at a restart goes on under its id', async t => {
  const verdict = { cause: 'dns-failure' } as Verdict
  const open = {
    id: 'from-before',
    startedAt: '2026-11-22T09:00:00.000Z',
    attempts: 40,
    waitedMs: 1_000_000,
    detectedAfterMs: 12,
    session: { lastedMs: 7 },
    sdkSaid: null,
    verdict,
  } as Episode
  const restarted: Remembered = {
    ...firstStart,
    before: {
      ending: { kind: 'goodbye', why: 'SIGTERM' },
      at: { wallMs: startWallMs - 1, bootMs: null },
      session: null,
      open,
    },
  }
  const last = episodesIn(tell(restarted, connecting(0), accepted(second))).at(-1)
  t.match(last, {
    facts: { id: 'from-before', durationMs: 3_601_000, attempts: 41, waitedMs: 1_000_000, session: { lastedMs: 7 } },
    evidence: { carriedOver: verdict },
  })
})

t.test('of a thousand failed attempts the first and the last are kept, and all are counted', async t => {
  const story = Array.from({ length: 1_000 }, (_, index): Told[] => [
    connecting(index * 10),
    at(index * 10 + 5, { type: 'refused', code: index % 256, reason: '' }),
  ]).flat()
  const last = episodesIn(tell(firstStart, ...story)).at(-1)
  t.equal(last?.facts.attempts, 1_000)
  t.equal(last?.evidence.failed.length, 64)
  t.equal(last?.evidence.failedCount, 1_000)
  t.strictSame(
    [0, 31, 63].map(index => last?.evidence.failed[index]?.code),
    [0, 31, 999 % 256],
  )
})
