/** Whatever the evidence, there is one verdict, and it is no surer than a device can be. */
import fc from 'fast-check'
import t from 'tap'
import { findCause } from '../../agent/diagnosis/catalogue.js'
import { ceilingFor } from '../../agent/diagnosis/cause.js'
import { atMost } from '../../agent/diagnosis/confidence.js'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Confidence, Ending, Evidence, FailedAttempt, PastSession, Verdict } from '../../agent/evidence/episode.js'
import type {
  ClosedEvent,
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
  ),
  fc.string(),
)
const text = fc.oneof(fc.string(), fc.constantFrom('handshake failure', 'alert protocol version', 'malformed', ''))

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

const attempt: fc.Arbitrary<FailedAttempt> = fc.record({
  stage,
  outcome: fc.constantFrom('refused', 'closed'),
  code: fc.option(fc.oneof(fc.nat(6), number)),
  closed: fc.option(closed),
  error: fc.option(failure),
  certificate: fc.option(certificate),
  host: text,
  port: fc.nat(65_535),
  gateway: fc.boolean(),
  addresses: fc.array(text, { maxLength: 3 }),
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
  fc.record({ kind: fc.constant('closed' as const), event: closed, subscribed: fc.boolean() }),
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

const evidence: fc.Arbitrary<Evidence> = fc.record({
  protocol,
  ending,
  failed: fc.array(attempt, { maxLength: 8 }),
  failedCount: fc.nat(200),
  ended: fc.boolean(),
  history: fc.array(past, { maxLength: 16 }),
  credentialWorked: fc.boolean(),
  clock: fc.record({ wallMs: number, plausible: fc.boolean(), synchronised: fc.constantFrom(true, false, null) }),
  carriedOver: fc.option(verdict),
  beforeStartMs: number,
})

/** A carried verdict of another release may name what this one does not know; nothing else may. */
function faultOf(told: Verdict, { protocol: spoken, carriedOver }: Evidence): string | null {
  const cause = findCause(told.cause)
  if (cause === undefined) return told === carriedOver ? null : `unknown cause ${told.cause}`
  if (atMost(told.confidence, ceilingFor(cause, spoken)) !== told.confidence)
    return `${told.cause} is ${told.confidence}`
  if (told.cause !== carriedOver?.cause && told.evidence.length === 0) return `${told.cause} without evidence`
  const others = told.runnersUp.map(runnerUp => runnerUp.cause)
  if (others.includes(told.cause) || new Set(others).size !== others.length) return `runners-up ${others}`
  const tooSure = told.runnersUp.find(runnerUp => {
    const other = findCause(runnerUp.cause)
    return other === undefined || atMost(runnerUp.confidence, ceilingFor(other, spoken)) !== runnerUp.confidence
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
