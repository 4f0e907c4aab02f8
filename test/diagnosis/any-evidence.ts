/** Whatever the evidence, there is one verdict, and it is no surer than a device can be. */
import fc from 'fast-check'
import t from 'tap'
import { findCause } from '../../agent/diagnosis/catalogue.js'
import { ceilingFor } from '../../agent/diagnosis/cause.js'
import { atMost } from '../../agent/diagnosis/confidence.js'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type {
  Confidence,
  CredentialUsed,
  Ending,
  Evidence,
  FailedAttempt,
  LinkTrouble,
  PastSession,
  Verdict,
} from '../../agent/evidence/episode.js'
import type { ProbeAnswer } from '../../agent/evidence/probe-answer.js'
import type { HostChange, Surroundings } from '../../agent/evidence/surroundings.js'
import type {
  ClosedEvent,
  CredentialKind,
  Failure,
  OurReason,
  Protocol,
  ServerCertificate,
  Stage,
} from '../../transports/wire-event.js'

const seed = Number(process.env.HUBREC_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`HUBREC_TEST_SEED=${seed}`)

const protocol = fc.constantFrom<Protocol>('mqtt', 'mqtt-ws', 'amqp', 'amqp-ws')
const stage = fc.constantFrom<Stage>('dns', 'tcp', 'tls', 'upgrade', 'auth', 'session')
const confidence = fc.constantFrom<Confidence>('certain', 'likely', 'possible', 'unknown')
const number = fc.oneof(fc.nat(1_000_000), fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300))
const conditions = [
  ...['amqp:connection:forced', 'amqp:link:stolen', 'amqp:link:detach-forced', 'amqp:unauthorized-access'],
  ...['amqp:resource-limit-exceeded', 'com.microsoft:device-container-throttled', 'com.microsoft:timeout'],
  ...[
    'amqp:not-found',
    'amqp:not-allowed',
    'amqp:not-implemented',
    'amqp:internal-error',
    'com.microsoft:iot-hub-suspended',
  ],
  ...['amqp:link:message-size-exceeded', 'com.microsoft:iot-hub-not-found-error', 'com.microsoft:invented-later'],
]
const code = fc.oneof(
  fc.constantFrom(
    ...[
      'ENOTFOUND',
      'EAI_AGAIN',
      'ENETUNREACH',
      'EHOSTUNREACH',
      'ECONNREFUSED',
      'ECONNRESET',
      'ETIMEDOUT',
      'EPIPE',
      'EPERM',
    ],
    ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED'],
    ...['CERT_NOT_YET_VALID', 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'MALFORMED_PACKET'],
    ...conditions,
    ...['401', '403', '404', '429', '503'],
  ),
  fc.string(),
)
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'handshake failure',
    'alert protocol version',
    'malformed',
    '',
    'proxy',
    'AmqpError',
    'CbsError',
    'ProxyError',
    'WebSocketClose',
  ),
  fc.constantFrom(
    'alert unknown ca',
    'invalid signature',
    'token expired',
    'device disabled',
    'max idle time exceeded',
  ),
)

const { failure } = fc.letrec<{ failure: Failure }>(tie => ({
  failure: fc.record(
    {
      name: text,
      message: text,
      code,
      syscall: fc.constantFrom('connect', 'read'),
      address: text,
      errors: fc.array(tie('failure'), { maxLength: 3, depthIdentifier: 'failure' }),
      from: fc.oneof(
        { maxDepth: 2, depthIdentifier: 'failure' },
        fc.constant({ name: 'Error', message: '' }),
        tie('failure'),
      ),
    },
    { requiredKeys: ['name', 'message'] },
  ),
}))

const certificate: fc.Arbitrary<ServerCertificate> = fc.record({
  subject: text,
  issuer: text,
  validFrom: text,
  validTo: text,
  altNames: text,
  fingerprint256: text,
  knownRoot: fc.constantFrom(true, false, null),
})

const closed: fc.Arbitrary<ClosedEvent> = fc.record({
  type: fc.constant('closed'),
  monoMs: number,
  protocol,
  attempt: fc.nat(),
  by: fc.constantFrom('us', 'application', 'hub', 'network', 'unknown'),
  how: fc.constantFrom('fin', 'rst', 'timeout', 'error', 'goodbye'),
  stage,
  reason: fc.option(fc.constantFrom<OurReason>('shutdown', 'renewal', 'methods', 'silence', 'slow', 'abandoned')),
  error: fc.option(failure),
  certificate: fc.option(certificate),
  silentMs: number,
  lastedMs: fc.option(number),
  pingUnansweredMs: fc.option(fc.nat(200_000)),
  inFlightPublishes: fc.nat(3),
  afterPublish: fc.boolean(),
  bytesRead: number,
  bytesWritten: number,
})

const credential: fc.Arbitrary<CredentialUsed> = fc.record({
  kind: fc.constantFrom<CredentialKind>('key', 'x509', 'sas', 'edge'),
  expiresAt: fc.option(fc.constantFrom('2020-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z', 'never', '')),
})

const trouble: fc.Arbitrary<LinkTrouble> = fc.record({
  what: fc.constantFrom('detached', 'rejected'),
  link: fc.constantFrom('methods', 'events', '$cbs', ''),
  role: fc.constantFrom('sender', 'receiver', null),
  condition: fc.option(fc.constantFrom(...conditions)),
  description: fc.option(text),
  beforeEndMs: number,
})

const headers = fc.dictionary(
  fc.constantFrom('location', 'server', 'via', 'www-authenticate', 'proxy-authenticate', 'content-type'),
  fc.oneof(text, fc.constantFrom('https://portal.example/login', '/login', 'Basic realm="x"', 'text/html', 'squid')),
)

const attempt: fc.Arbitrary<FailedAttempt> = fc.record({
  protocol,
  stage: fc.option(stage),
  outcome: fc.constantFrom('refused', 'closed', 'provisioning', 'credential'),
  step: fc.constantFrom('proxy', 'upgrade', 'connack', 'cbs', null),
  code: fc.option(fc.oneof(fc.nat(6), number, fc.constantFrom(200, 302, 401, 403, 404, 407, 429, 500, 503, 511))),
  reason: text,
  headers,
  closed: fc.option(closed),
  error: fc.option(failure),
  certificate: fc.option(certificate),
  host: text,
  port: fc.nat(65_535),
  gateway: fc.boolean(),
  addresses: fc.array(text, { maxLength: 3 }),
  proxy: fc.option(text),
  attached: fc.array(fc.constantFrom('$cbs', 'methods'), { maxLength: 2 }),
  links: fc.array(trouble, { maxLength: 3 }),
  credential: fc.option(credential),
  endedMs: number,
  reassignedTo: fc.option(text),
  answersForMs: number,
})

const past: fc.Arbitrary<PastSession> = fc.record({
  startedMs: number,
  endedMs: number,
  lastedMs: number,
  subscribed: fc.boolean(),
  closed,
})

const ending: fc.Arbitrary<Ending> = fc.oneof(
  fc.record({
    kind: fc.constant('closed' as const),
    event: closed,
    subscribed: fc.boolean(),
    credential: fc.option(credential),
    endedMs: number,
    links: fc.array(trouble, { maxLength: 3 }),
    renewalRefused: fc.option(text),
  }),
  fc.record({ kind: fc.constant('crash' as const), rebooted: fc.boolean() }),
  fc.record({ kind: fc.constant('goodbye' as const), why: text }),
  fc.constant({ kind: 'start' as const }),
)

const verdict: fc.Arbitrary<Verdict> = fc.record({
  cause: fc.oneof(fc.constantFrom('dns-failure', 'wrong-key', 'graceful-close', 'unknown-close'), fc.string()),
  confidence,
  title: text,
  hubCodes: fc.array(text, { maxLength: 2 }),
  evidence: fc.array(text, { maxLength: 2 }),
  nextSteps: fc.array(text, { maxLength: 2 }),
  docs: fc.array(text, { maxLength: 2 }),
  runnersUp: fc.constant([]),
})

const common = { askedMs: number, tookMs: number, error: fc.option(failure) }
const dialled = { host: text, address: fc.option(text), port: fc.nat(65_535), isLastGood: fc.boolean() }
const probe: fc.Arbitrary<ProbeAnswer> = fc.oneof(
  fc.record({
    ...common,
    probe: fc.constant('resolve' as const),
    resolver: text,
    name: text,
    isHub: fc.boolean(),
    addresses: fc.array(text, { maxLength: 2 }),
  }),
  fc.record({ ...common, ...dialled, probe: fc.constant('connect' as const) }),
  fc.record({
    ...common,
    ...dialled,
    probe: fc.constant('tls' as const),
    version: fc.option(text),
    certificate: fc.option(certificate),
  }),
  fc.record({ ...common, probe: fc.constant('control' as const), host: text, port: fc.nat(65_535) }),
  fc.record({ ...common, probe: fc.constant('gateway' as const), address: text, interface: text }),
  fc.record({
    ...common,
    probe: fc.constant('portal' as const),
    url: text,
    status: fc.option(fc.nat(600)),
    location: fc.option(text),
    isPortal: fc.boolean(),
  }),
  fc.record({ ...common, probe: fc.constant('httpDate' as const), host: text, aheadMs: fc.option(number) }),
)

const words = fc.array(text, { maxLength: 2 })
const change: fc.Arbitrary<HostChange> = fc.oneof(
  fc.record({ seenMs: number, what: fc.constantFrom('carrierLost' as const, 'carrierBack' as const), interface: text }),
  fc.record({ seenMs: number, what: fc.constant('routeChanged' as const), from: fc.option(text), to: fc.option(text) }),
  fc.record({
    seenMs: number,
    what: fc.constant('addressesChanged' as const),
    interface: text,
    from: words,
    to: words,
  }),
  fc.record({ seenMs: number, what: fc.constant('resolversChanged' as const), from: words, to: words }),
  fc.record({ seenMs: number, what: fc.constant('roamed' as const), interface: text, fromBssid: text, toBssid: text }),
  fc.record({ seenMs: number, what: fc.constant('signalWeak' as const), interface: text, signalDbm: number }),
  fc.record({ seenMs: number, what: fc.constant('resumed' as const), suspendedMs: number }),
  fc.record({ seenMs: number, what: fc.constant('clockStepped' as const), byMs: number }),
  fc.record({ seenMs: number, what: fc.constant('loopStalled' as const), stalledMs: number }),
  fc.record({
    seenMs: number,
    what: fc.constant('pressure' as const),
    of: fc.constantFrom('memory' as const, 'cpu' as const, 'io' as const),
    percent: number,
  }),
  fc.record({ seenMs: number, what: fc.constantFrom('undervoltage' as const, 'throttled' as const) }),
  fc.record({ seenMs: number, what: fc.constantFrom('diskFull' as const, 'diskReadOnly' as const), path: text }),
)
const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  changes: fc.array(change, { maxLength: 6 }),
  state: fc.option(
    fc.record({
      seenMs: number,
      everyMs: fc.option(number),
      links: fc.array(
        fc.record({
          name: text,
          carrier: fc.option(fc.boolean()),
          addresses: words,
          signalDbm: fc.option(number),
          bssid: fc.option(text),
        }),
        { maxLength: 3 },
      ),
      defaultRoutes: fc.option(words),
      resolvers: fc.option(words),
      tcp: fc.option(fc.record({ rttMs: number, retransmitted: number })),
    }),
  ),
  lastGood: fc.option(
    fc.record({
      endedMs: number,
      differs: fc.array(
        fc.record({
          what: fc.constantFrom('hub addresses' as const, 'resolvers' as const, 'certificate issuer' as const),
          before: text,
          now: text,
        }),
        { maxLength: 3 },
      ),
    }),
  ),
})

const evidence: fc.Arbitrary<Evidence> = fc.record({
  protocol,
  ending,
  failed: fc.array(attempt, { maxLength: 8 }),
  failedCount: fc.nat(200),
  ended: fc.boolean(),
  cameBack: fc.option(fc.record({ protocol, host: text, port: fc.nat(65_535), proxy: fc.option(text) })),
  protocolChanges: fc.array(fc.record({ from: protocol, to: protocol, why: text }), { maxLength: 3 }),
  reassignedTo: fc.option(text),
  application: fc.boolean(),
  stoodStillMs: number,
  sdkSaid: fc.option(fc.record({ name: text, message: text })),
  history: fc.array(past, { maxLength: 16 }),
  credentialWorked: fc.boolean(),
  clock: fc.record({ wallMs: number, plausible: fc.boolean(), synchronised: fc.constantFrom(true, false, null) }),
  carriedOver: fc.option(verdict),
  beforeStartMs: number,
  host: surroundings,
  probes: fc.array(probe, { maxLength: 8 }),
})

/** Over one of the protocols that were spoken a device can know that much. */
const isAllowed = (
  { cause: id, confidence }: Pick<Verdict, 'cause' | 'confidence'>,
  spoken: readonly Protocol[],
): boolean => {
  const cause = findCause(id)
  return cause !== undefined && spoken.some(one => atMost(confidence, ceilingFor(cause, one)) === confidence)
}

/** A carried verdict of another release may name what this one does not know; nothing else may. */
function faultOf(told: Verdict, { protocol: first, failed, carriedOver }: Evidence): string | null {
  const cause = findCause(told.cause)
  const spoken = [first, ...failed.map(attempt => attempt.protocol)]
  if (cause === undefined) return told === carriedOver ? null : `unknown cause ${told.cause}`
  if (!isAllowed(told, spoken)) return `${told.cause} is ${told.confidence}`
  if (told.cause !== carriedOver?.cause && told.evidence.length === 0) return `${told.cause} without evidence`
  const others = told.runnersUp.map(runnerUp => runnerUp.cause)
  if (others.includes(told.cause) || new Set(others).size !== others.length) return `runners-up ${others}`
  const tooSure = told.runnersUp.find(runnerUp => {
    const other = findCause(runnerUp.cause)
    return other === undefined || !isAllowed(runnerUp, spoken)
  })
  return tooSure === undefined ? null : `runner-up ${tooSure.cause} is ${tooSure.confidence}`
}

t.test('any evidence has one verdict, the same each time, from the catalogue and under its ceiling', async t => {
  const property = fc.property(evidence, story => {
    const { verdict: told, planned } = diagnose(story)
    const fault = faultOf(told, story)
    if (fault !== null) throw new Error(fault)
    if (planned !== (findCause(told.cause)?.planned ?? false)) throw new Error(`${told.cause} planned: ${planned}`)
    if (JSON.stringify(diagnose(story).verdict) !== JSON.stringify(told))
      throw new Error('another verdict the second time')
  })
  fc.assert(property, { seed, numRuns: 2_000 })
  t.pass('2000 stories')
})
