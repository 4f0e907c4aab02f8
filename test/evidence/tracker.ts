import t from 'tap'
import type { Episode, Verdict } from '../../agent/evidence/episode.js'
import { begin, type Effect, openEpisode, type Remembered, type Step, step } from '../../agent/evidence/tracker.js'
import type { Closed, Protocol, WireEvent } from '../../transports/wire-event.js'

const second = 1_000
const startWallMs = Date.parse('2026-11-22T10:00:00.000Z')
const bootedMs = 500_000

/** An event of a story, and when it happens, in milliseconds after the start. */
type Told = readonly [atMs: number, event: WireEvent]

type Plain<T> = T extends unknown ? Omit<T, 'monoMs' | 'protocol' | 'attempt'> : never
const at = (atMs: number, event: Plain<WireEvent>, protocol: Protocol = 'mqtt'): Told => [
  atMs,
  { monoMs: atMs, protocol, attempt: 1, ...event } as WireEvent,
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

const instantAt = (atMs: number) => ({ wallMs: startWallMs + atMs, monoMs: atMs, bootMs: bootedMs + atMs })

/** Tell the tracker a story; return all that it wanted written. */
const tell = (remembered: Remembered, ...story: Told[]): readonly Effect[] => after(remembered, ...story).effects

function after(remembered: Remembered, ...story: Told[]): Step {
  let ids = 0
  const newId = (): string => `e${++ids}`
  const { tracker, effects } = begin(remembered, instantAt(0), newId)
  let state = tracker
  const wanted = story.flatMap(([atMs, event]) => {
    const next = step(state, event, instantAt(atMs), newId)
    state = next.tracker
    return next.effects
  })
  return { tracker: state, effects: [...effects, ...wanted] }
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

t.test('of a wait that goes on only what has passed was waited; what an application tells is over', async t => {
  const refused = closed(400, { by: 'network', how: 'error', stage: 'tcp' })
  const waitedAt = (atMs: number, wait: Told): number | undefined =>
    openEpisode(after(firstStart, connecting(10), refused, wait).tracker, instantAt(atMs))?.facts.waitedMs
  const minute = 60 * second
  t.equal(waitedAt(400, waits(400, minute)), 0)
  t.equal(waitedAt(400 + 10 * second, waits(400, minute)), 10 * second)
  t.equal(waitedAt(400 + 2 * minute, waits(400, minute)), minute, 'no more than was announced')
  const application = at(400, { type: 'retryScheduled', delayMs: minute, failures: 1, policy: 'application' })
  t.equal(waitedAt(500, application), minute)
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
    at(76 * second, { type: 'refused', step: 'connack', code: 3, reason: 'server unavailable' }),
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

const amqp = (atMs: number, event: Plain<WireEvent>): Told => at(atMs, event, 'amqp')
const detached = (atMs: number, link: string, condition: string | null): Told =>
  amqp(atMs, { type: 'detached', link, role: 'receiver', condition, description: null })
const attached = (atMs: number, link: string): Told => amqp(atMs, { type: 'attached', link, role: 'receiver' })
const trouble = (link: string, condition: string | null, beforeEndMs: number) => ({
  what: 'detached',
  link,
  role: 'receiver',
  condition,
  description: null,
  beforeEndMs,
})

t.test('what befell the links of a session is known at its end, unless they were attached anew', async t => {
  const rejected = amqp(8 * second, { type: 'rejected', link: 'events', condition: 'quota', description: 'full' })
  const effects = tell(
    firstStart,
    at(0, {
      type: 'connecting',
      host: 'my-hub',
      port: 5671,
      gateway: false,
      credential: { kind: 'x509', expiresAt: '2026-12-01T00:00:00.000Z' },
    }),
    attached(10, '$cbs'),
    accepted(20),
    attached(30, 'methods'),
    detached(4 * second, 'twin', 'amqp:link:detach-forced'),
    attached(5 * second, 'twin'),
    detached(6 * second, 'messages', null),
    rejected,
    detached(9 * second, 'methods', 'amqp:link:stolen'),
    closed(10 * second, { lastedMs: 10 * second, by: 'us', how: 'goodbye', reason: 'methods' }),
  )
  t.equal(episodesIn(effects).at(-1)?.facts.detectedAfterMs, second, 'deaf since its methods link was lost')
  t.match(episodesIn(effects).at(-1)?.evidence.ending, {
    kind: 'closed',
    endedMs: startWallMs + 10 * second,
    credential: { kind: 'x509', expiresAt: '2026-12-01T00:00:00.000Z' },
    renewalRefused: null,
    links: [
      trouble('messages', null, 4 * second),
      {
        what: 'rejected',
        link: 'events',
        role: null,
        condition: 'quota',
        description: 'full',
        beforeEndMs: 2 * second,
      },
      trouble('methods', 'amqp:link:stolen', second),
    ],
  })
})

t.test('of a link that is detached a thousand times the last eight are kept', async t => {
  const story = Array.from({ length: 1_000 }, (_, index) => detached(index, `link-${index}`, null))
  const effects = tell(firstStart, connecting(0), accepted(0), ...story, closed(2 * second, { lastedMs: second }))
  const { ending } = episodesIn(effects).at(-1)?.evidence ?? {}
  t.strictSame(
    ending?.kind === 'closed' && ending.links.map(({ link }) => link),
    Array.from({ length: 8 }, (_, index) => `link-${992 + index}`),
  )
})

t.test('a failed attempt tells who refused it, in what words, and how far it had come', async t => {
  const effects = tell(
    firstStart,
    at(0, {
      type: 'connecting',
      host: 'my-hub',
      port: 443,
      gateway: false,
      credential: { kind: 'key', expiresAt: null },
    }),
    at(10, { type: 'resolved', addresses: ['10.0.0.9'], ms: 1 }),
    at(20, { type: 'proxyConnected', proxy: 'http://10.0.0.9:3128', ms: 5 }),
    at(30, { type: 'refused', step: 'upgrade', code: 302, reason: 'Found', headers: { Location: 'http://portal/' } }),
    connecting(second),
    attached(second + 10, '$cbs'),
    detached(second + 15, '$cbs', 'amqp:internal-error'),
    closed(second + 20, { stage: 'auth', how: 'goodbye', error: { name: 'AmqpError', message: '' } }),
  )
  const failed = episodesIn(effects).at(-1)?.evidence.failed
  t.match(failed, [
    {
      protocol: 'mqtt',
      stage: 'upgrade',
      outcome: 'refused',
      step: 'upgrade',
      code: 302,
      reason: 'Found',
      headers: { location: 'http://portal/' },
      proxy: 'http://10.0.0.9:3128',
      addresses: ['10.0.0.9'],
      credential: { kind: 'key', expiresAt: null },
      attached: [],
      endedMs: startWallMs + 30,
      reassignedTo: null,
    },
    {
      stage: 'auth',
      outcome: 'closed',
      step: null,
      reason: '',
      headers: {},
      proxy: null,
      credential: null,
      attached: ['$cbs'],
      links: [trouble('$cbs', 'amqp:internal-error', 5)],
    },
  ])
})

t.test('a refusal as the release before wrote it, without saying who had spoken, was the hub', async t => {
  const old = (event: object): Told => [20, { monoMs: 20, attempt: 1, ...event } as unknown as WireEvent]
  const stepOf = (protocol: string): unknown => {
    const refusal = old({ type: 'refused', protocol, code: 5, reason: 'not authorized' })
    const failed = episodesIn(tell(firstStart, connecting(0), refusal)).at(-1)?.evidence.failed[0]
    return [failed?.step, failed?.stage, failed?.headers]
  }
  t.strictSame(['mqtt', 'amqp'].map(stepOf), [
    ['connack', 'auth', {}],
    ['cbs', 'auth', {}],
  ])
})

t.test('an outage over several protocols is that of the session that was lost, and says how it came back', async t => {
  const chosen = at(70 * second, { type: 'protocolChosen', from: 'mqtt', why: 'blocked' }, 'amqp-ws')
  const effects = tell(
    firstStart,
    connecting(0),
    accepted(0),
    closed(60 * second, { lastedMs: 60 * second }),
    connecting(61 * second),
    closed(65 * second, { stage: 'tcp' }),
    chosen,
    at(71 * second, { type: 'connecting', host: 'my-hub', port: 443, gateway: false }, 'amqp-ws'),
    at(72 * second, { type: 'accepted', sessionPresent: null, ms: 1 }, 'amqp-ws'),
  )
  const { facts, evidence } = episodesIn(effects).at(-1) ?? {}
  t.equal(facts?.protocol, 'mqtt')
  t.match(evidence, {
    protocol: 'mqtt',
    cameBack: { protocol: 'amqp-ws', host: 'my-hub', port: 443, proxy: null },
    protocolChanges: [{ from: 'mqtt', to: 'amqp-ws', why: 'blocked' }],
    failed: [{ protocol: 'mqtt' }],
  })
  const first = tell(
    firstStart,
    at(0, { type: 'connecting', host: 'my-hub', port: 5671, gateway: false }, 'amqp'),
    closed(second, { stage: 'tcp' }),
  )
  t.equal(episodesIn(first).at(-1)?.facts.protocol, 'amqp', 'before the first session it is that of the first attempt')
})

t.test('a registration that fails answers for the time, though nothing was dialled', async t => {
  const error = { name: 'UnauthorizedError', message: 'no' }
  const started = (atMs: number): Told =>
    at(atMs, { type: 'provisioningStarted', id: `p${atMs}`, scopeId: '0ne', registrationId: 'dev' })
  const effects = episodesIn(
    tell(
      firstStart,
      started(0),
      at(3 * second, { type: 'provisioningDone', id: 'p0', ok: false, hub: null, reassigned: false, error }),
      waits(3 * second, 7 * second),
      started(10 * second),
      at(11 * second, {
        type: 'provisioningDone',
        id: 'p10000',
        ok: true,
        hub: 'a-hub',
        reassigned: false,
        error: null,
      }),
      connecting(11 * second),
      accepted(12 * second),
    ),
  )
  t.match(effects.at(-1), {
    facts: { attempts: 1, durationMs: 12 * second },
    evidence: {
      reassignedTo: null,
      failedCount: 1,
      failed: [{ outcome: 'provisioning', stage: null, error, host: '', answersForMs: 3 * second }],
    },
  })
})

t.test('what was tried before the device was sent elsewhere is marked with where it was sent', async t => {
  const refusal = (atMs: number): Told => at(atMs, { type: 'refused', step: 'connack', code: 5, reason: '' })
  const effects = tell(
    firstStart,
    connecting(0),
    refusal(second),
    at(2 * second, { type: 'provisioningDone', id: 'p', ok: true, hub: 'new-hub', reassigned: true, error: null }),
    connecting(3 * second),
    refusal(4 * second),
    connecting(5 * second),
    accepted(6 * second),
  )
  const { evidence } = episodesIn(effects).at(-1) ?? {}
  t.equal(evidence?.reassignedTo, 'new-hub')
  t.strictSame(
    evidence?.failed.map(({ reassignedTo }) => reassignedTo),
    ['new-hub', null],
  )
})

t.test(
  'a credential that cannot be had is a failure of its own; what the SDK says of a failed attempt is not',
  async t => {
    const said = (atMs: number, name: string): Told =>
      at(atMs, { type: 'sdkError', during: 'open', error: { name, message: 'workload API' } })
    const effects = tell(
      firstStart,
      said(second, 'CredentialError'),
      connecting(2 * second),
      closed(3 * second, { stage: 'tcp' }),
      said(3 * second + 1, 'NotConnectedError'),
    )
    const { facts, evidence } = episodesIn(effects).at(-1) ?? {}
    t.strictSame(
      evidence?.failed.map(({ outcome, answersForMs }) => ({ outcome, answersForMs })),
      [
        { outcome: 'credential', answersForMs: second },
        { outcome: 'closed', answersForMs: 2 * second },
      ],
    )
    t.equal(facts?.attempts, 1)
    t.strictSame(evidence?.sdkSaid, { name: 'CredentialError', message: 'workload API' })
  },
)

t.test('a token that the hub does not take in the session is remembered until one is taken', async t => {
  const answered = (atMs: number, status: number): Told =>
    at(atMs, { type: 'authorized', status, description: status === 200 ? 'OK' : 'invalid signature', ms: 5 })
  const refusedAtEnd = (...answers: Told[]): unknown => {
    const end = closed(60 * second, { lastedMs: 60 * second })
    const ending = episodesIn(tell(firstStart, connecting(0), answered(1, 200), accepted(2), ...answers, end)).at(-1)
      ?.evidence.ending
    return ending?.kind === 'closed' && ending.renewalRefused
  }
  t.equal(refusedAtEnd(), null)
  t.equal(refusedAtEnd(answered(second, 401)), '401 invalid signature')
  t.equal(refusedAtEnd(answered(second, 401), answered(2 * second, 200)), null)
})

t.test('a registration that fails, and what follows from it at once, are one failure', async t => {
  const error = { name: 'ProvisioningError', message: 'refused with status 401', code: '401' }
  const identify = (atMs: number): Told =>
    at(atMs, { type: 'sdkError', during: 'identify' as never, error: { name: 'IdentityError', message: 'no hub' } })
  const done = (atMs: number, met: typeof error): Told =>
    at(atMs, { type: 'provisioningDone', id: 'p', ok: false, hub: null, reassigned: false, error: met })
  const outcomes = (...story: Told[]): unknown =>
    episodesIn(tell(firstStart, ...story))
      .at(-1)
      ?.evidence.failed.map(({ outcome }) => outcome)
  t.strictSame(outcomes(done(second, error), identify(second + 1)), ['provisioning'])
  t.strictSame(outcomes(done(second, error), identify(9 * second)), ['provisioning', 'credential'])
  t.strictSame(outcomes(identify(second)), ['credential'])
  t.strictSame(outcomes(done(second, { ...error, code: 'ABORT_ERR' })), undefined, 'broken off to stop')
})

const minute = 60 * second
const ofApplication: Remembered = { ...firstStart, application: true }
const lostAfterAMinute = [connecting(0), accepted(0), closed(minute, { lastedMs: minute })]

t.test('an application that does not try for longer than its SDK is patient stands still', async t => {
  const stoodStill = (remembered: Remembered, ...story: Told[]): number | undefined =>
    episodesIn(tell(remembered, ...lostAfterAMinute, ...story)).at(-1)?.evidence.stoodStillMs
  const back = (atMs: number): Told[] => [connecting(atMs), accepted(atMs + second)]
  t.equal(stoodStill(ofApplication, ...back(11 * minute)), 10 * minute)
  t.equal(stoodStill(ofApplication, ...back(4 * minute)), 0, 'no longer than its patience')
  t.equal(stoodStill(firstStart, ...back(11 * minute)), 0, 'our own waits are planned')
  t.equal(
    stoodStill(ofApplication, waits(minute, 8 * minute), ...back(11 * minute)),
    0,
    'an attempt had been announced for the ninth minute',
  )
  const attempt = (atMs: number): Told[] => [connecting(atMs), closed(atMs + second, { stage: 'tcp' })]
  const twice = tell(
    ofApplication,
    ...lostAfterAMinute,
    ...attempt(2 * minute),
    ...attempt(20 * minute),
    ...back(40 * minute),
  )
  const { evidence } = episodesIn(twice).at(-1) ?? {}
  t.equal(evidence?.stoodStillMs, 18 * minute - second + 20 * minute - second)
  t.strictSame(
    evidence?.failed.map(({ answersForMs }) => answersForMs),
    [minute + second, second],
    'an attempt does not answer for the time in which nobody tried',
  )
})

t.test('an application whose process has ended does not stand still: that time is of what ended it', async t => {
  const ended = {
    ...ofApplication,
    before: { ...ofApplication.before, ending: { kind: 'crash', rebooted: false } },
  } as const
  const failed = [connecting(60 * minute), closed(60 * minute + second, { stage: 'tcp' })]
  const { evidence } =
    episodesIn(tell(ended, ...failed, connecting(61 * minute), accepted(61 * minute + second))).at(-1) ?? {}
  t.match(evidence, { stoodStillMs: 0, beforeStartMs: 60 * minute, failed: [{ answersForMs: second }] })
  const { tracker } = begin(ended, instantAt(0), () => 'e')
  t.equal(openEpisode(tracker, instantAt(60 * minute))?.evidence.stoodStillMs, 0)
})

t.test('that an application stands still shows while it does, without any event', async t => {
  let state = begin(ofApplication, instantAt(0), () => 'e').tracker
  for (const [atMs, event] of lostAfterAMinute) state = step(state, event, instantAt(atMs), () => 'e').tracker
  const stoodStillAt = (atMs: number) => openEpisode(state, instantAt(atMs))?.evidence.stoodStillMs
  t.strictSame(
    [2, 5, 6, 61].map(minutes => stoodStillAt(minutes * minute)),
    [0, 0, 5 * minute, 60 * minute],
  )
})

t.test('of a thousand failed attempts the first and the last are kept, and all are counted', async t => {
  const story = Array.from({ length: 1_000 }, (_, index): Told[] => [
    connecting(index * 10),
    at(index * 10 + 5, { type: 'refused', step: 'connack', code: index % 256, reason: '' }),
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
