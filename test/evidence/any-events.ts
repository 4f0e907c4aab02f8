/** Whatever a wire tells, in whatever order, the tracker and the verdict take it, and nothing grows without end. */

import fc from 'fast-check'
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import { nothingSeen } from '../../agent/evidence/surroundings.js'
import { begin, type EpisodeEffect, openEpisode, step } from '../../agent/evidence/tracker.js'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'

const seed = Number(process.env.HUBREC_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`HUBREC_TEST_SEED=${seed}`)

const protocol = fc.constantFrom<Protocol>('mqtt', 'mqtt-ws', 'amqp', 'amqp-ws')
const condition = fc.constantFrom(null, 'amqp:link:stolen', 'amqp:connection:forced', 'invented')
const link = fc.constantFrom('$cbs', 'methods', 'events', 'twin')
const role = fc.constantFrom('sender' as const, 'receiver' as const)
const failure = fc.constantFrom(
  null,
  { name: 'AmqpError', message: 'said', code: 'amqp:not-found' },
  { name: 'CbsError', message: '', code: '401' },
  { name: 'ProxyError', message: 'the proxy p: refused', code: 'ECONNREFUSED' },
  { name: 'Error', message: 'getaddrinfo', code: 'ENOTFOUND' },
)

const closed = fc.record({
  type: fc.constant('closed' as const),
  by: fc.constantFrom('us', 'application', 'hub', 'network', 'unknown'),
  how: fc.constantFrom('fin', 'rst', 'timeout', 'error', 'goodbye'),
  stage: fc.constantFrom('dns', 'tcp', 'tls', 'upgrade', 'auth', 'session'),
  reason: fc.constantFrom(null, 'shutdown', 'renewal', 'methods', 'silence', 'slow', 'abandoned'),
  error: failure,
  certificate: fc.constant(null),
  silentMs: fc.nat(100_000),
  lastedMs: fc.option(fc.nat(100_000)),
  pingUnansweredMs: fc.option(fc.nat(1_000)),
  inFlightPublishes: fc.nat(2),
  afterPublish: fc.boolean(),
  bytesRead: fc.nat(),
  bytesWritten: fc.nat(),
})

/** What each event says beside its head; only those that the tracker looks into. */
const told = fc.oneof(
  fc.record({
    type: fc.constant('connecting' as const),
    host: fc.constant('hub'),
    port: fc.nat(9_000),
    gateway: fc.boolean(),
    credential: fc.constantFrom(
      undefined,
      { kind: 'sas', expiresAt: '2026-11-22T10:00:05.000Z' },
      { kind: 'x509', expiresAt: null },
    ),
  }),
  fc.record({ type: fc.constant('accepted' as const), sessionPresent: fc.constant(null), ms: fc.nat() }),
  closed,
  fc.record({
    type: fc.constant('refused' as const),
    step: fc.constantFrom('proxy', 'upgrade', 'connack', 'cbs', undefined),
    code: fc.constantFrom(0, 5, 302, 401, 403, 404, 429, 503),
    reason: fc.string(),
    headers: fc.constantFrom(undefined, { Location: 'http://portal/' }),
  }),
  fc.record({ type: fc.constant('attached' as const), link, role }),
  fc.record({ type: fc.constant('detached' as const), link, role, condition, description: fc.constant(null) }),
  fc.record({ type: fc.constant('rejected' as const), link, condition, description: fc.string() }),
  fc.record({
    type: fc.constant('authorized' as const),
    status: fc.constantFrom(200, 401),
    description: fc.string(),
    ms: fc.nat(),
  }),
  fc.record({
    type: fc.constant('retryScheduled' as const),
    delayMs: fc.nat(900_000),
    failures: fc.nat(),
    policy: fc.constant('network'),
  }),
  fc.record({ type: fc.constant('protocolChosen' as const), from: protocol, why: fc.string() }),
  fc.record({ type: fc.constant('proxyConnected' as const), proxy: fc.string(), ms: fc.nat() }),
  fc.record({
    type: fc.constant('provisioningDone' as const),
    id: fc.string(),
    ok: fc.boolean(),
    hub: fc.option(fc.constant('other')),
    reassigned: fc.boolean(),
    error: failure,
  }),
  fc.record({
    type: fc.constant('sdkError' as const),
    during: fc.constantFrom('open', 'session', 'identify'),
    error: fc.record({ name: fc.constantFrom('CredentialError', 'Error'), message: fc.string() }),
  }),
)

const story = fc.array(fc.tuple(fc.nat(400_000), protocol, told), { maxLength: 150 })

function follow(events: readonly (readonly [number, Protocol, object])[], application: boolean): EpisodeEffect[] {
  let atMs = 0
  const now = () => ({ wallMs: Date.UTC(2026, 10, 22, 10) + atMs, monoMs: atMs, bootMs: atMs })
  const head = { conn: 'c', protocol: 'mqtt', credential: 'f00d', credentialWorked: false, history: [] } as const
  const before = { ending: { kind: 'start' }, at: now(), session: null, open: null } as const
  let { tracker } = begin({ ...head, application, before }, now(), () => 'e')
  return events.flatMap(([passedMs, spoken, event]) => {
    atMs += passedMs
    const next = step(
      tracker,
      { monoMs: atMs, attempt: 1, protocol: spoken, ...event } as unknown as WireEvent,
      now(),
      () => 'e',
    )
    tracker = next.tracker
    const open = openEpisode(tracker, now())
    return [...next.effects, ...(open ? [open] : [])].flatMap(effect => (effect.do === 'recordEpisode' ? [effect] : []))
  })
}

t.test('any story has verdicts with evidence, of bounded size, and time that adds up', async t => {
  let episodes = 0
  const property = fc.property(story, fc.boolean(), (events, application) => {
    for (const { facts, evidence } of follow(events, application)) {
      episodes++
      const { failed, failedCount, protocolChanges, ending, stoodStillMs } = evidence
      const links = [...failed.map(attempt => attempt.links), ending.kind === 'closed' ? ending.links : []]
      if (failed.length > 64 || failed.length > failedCount) throw new Error(`${failed.length} of ${failedCount}`)
      if (protocolChanges.length > 8) throw new Error(`${protocolChanges.length} changes`)
      if (links.some(each => each.length > 8)) throw new Error('too many links')
      const answeredMs = failed.reduce((sum, { answersForMs }) => sum + answersForMs, stoodStillMs)
      if (facts.durationMs !== null && answeredMs > facts.durationMs + 1)
        throw new Error(`${answeredMs} of ${facts.durationMs}`)
      const clock = { wallMs: 0, plausible: true, synchronised: null }
      if (diagnose({ ...evidence, clock, host: nothingSeen, probes: [] }).verdict.evidence.length === 0)
        throw new Error('no evidence')
    }
  })
  fc.assert(property, { seed, numRuns: 500 })
  t.ok(episodes > 500, `${episodes} versions of episodes in 500 stories`)
})
