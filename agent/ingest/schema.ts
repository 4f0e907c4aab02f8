/** The door for what applications tell: their processes are other users', and what they send is anything. */
import * as v from 'valibot'
import type { Failure } from '../../transports/wire-event.js'
import type { Message } from './messages.js'
import { namePattern } from './messages.js'

/** As long as an error's text is cut where it is flattened. */
const text = (max: number) => v.pipe(v.string(), v.maxLength(max))
const short = text(256)
const long = text(4_200)
const finite = v.pipe(v.number(), v.finite())
const count = v.pipe(finite, v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER))
const ms = v.pipe(finite, v.minValue(0))
const orNull = <S extends v.GenericSchema>(schema: S) => v.nullable(schema)
const few = <S extends v.GenericSchema>(schema: S, max: number) => v.pipe(v.array(schema), v.maxLength(max))

function record<S extends v.GenericSchema>(value: S, max: number) {
  return v.pipe(
    v.record(short, value),
    v.check(entries => Object.keys(entries).length <= max),
  )
}

/** Made to its full depth, because a schema that calls itself goes as deep as it is sent. */
function failureOf(depth: number): v.GenericSchema<unknown, Failure> {
  const flat = {
    name: long,
    message: long,
    code: v.optional(short),
    syscall: v.optional(short),
    address: v.optional(short),
  }
  if (depth === 0) return v.object(flat) as unknown as v.GenericSchema<unknown, Failure>
  const inner = failureOf(depth - 1)
  return v.object({
    ...flat,
    errors: v.optional(few(inner, 8)),
    from: v.optional(inner),
  }) as unknown as v.GenericSchema<unknown, Failure>
}

const failure = failureOf(5)

const certificate = v.object({
  subject: long,
  issuer: long,
  validFrom: short,
  validTo: short,
  altNames: text(1_000),
  fingerprint256: short,
  knownRoot: orNull(v.boolean()),
})

const at = {
  monoMs: ms,
  protocol: v.picklist(['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']),
  attempt: v.pipe(count, v.minValue(1)),
}

/** Without what only the daemon's own connection can tell. */
const event = v.variant('type', [
  v.object({
    type: v.literal('connecting'),
    ...at,
    host: short,
    port: v.pipe(count, v.maxValue(65_535)),
    gateway: v.boolean(),
    credential: v.optional(
      v.object({
        kind: v.picklist(['key', 'x509', 'sas', 'edge']),
        expiresAt: orNull(v.pipe(short, v.isoTimestamp())),
      }),
    ),
  }),
  v.object({ type: v.literal('resolved'), ...at, addresses: few(short, 32), ms }),
  v.object({ type: v.literal('tcpConnected'), ...at, address: short, localAddress: short, ms }),
  v.object({ type: v.literal('proxyConnected'), ...at, proxy: short, ms }),
  v.object({ type: v.literal('tlsSecured'), ...at, version: short, cipher: short, certificate, ms }),
  v.object({ type: v.literal('upgraded'), ...at, status: count, ms }),
  v.object({ type: v.literal('authorized'), ...at, status: count, description: long, ms }),
  v.object({ type: v.literal('accepted'), ...at, sessionPresent: orNull(v.boolean()), ms }),
  v.object({
    type: v.literal('refused'),
    ...at,
    step: v.picklist(['proxy', 'upgrade', 'connack', 'cbs']),
    code: count,
    reason: long,
    headers: v.optional(record(short, 16)),
  }),
  v.object({ type: v.literal('attached'), ...at, link: short, role: v.picklist(['sender', 'receiver']) }),
  v.object({ type: v.literal('subscribed'), ...at, granted: record(count, 32), ok: v.boolean() }),
  v.object({
    type: v.literal('detached'),
    ...at,
    link: short,
    role: v.picklist(['sender', 'receiver']),
    condition: orNull(short),
    description: orNull(long),
  }),
  v.object({ type: v.literal('rejected'), ...at, link: short, condition: orNull(short), description: orNull(long) }),
  v.object({ type: v.literal('pingSent'), ...at }),
  v.object({ type: v.literal('pongReceived'), ...at, rttMs: ms }),
  v.object({ type: v.literal('bytes'), ...at, read: count, written: count }),
  v.object({
    type: v.literal('retryScheduled'),
    ...at,
    delayMs: ms,
    failures: count,
    policy: v.literal('application'),
  }),
  v.object({ type: v.literal('renewalStarted'), ...at, id: short, why: v.literal('sas') }),
  v.object({ type: v.literal('renewalDone'), ...at, id: short, ok: v.boolean() }),
  v.object({ type: v.literal('sdkError'), ...at, during: v.picklist(['open', 'session', 'methods']), error: failure }),
  v.object({
    type: v.literal('closed'),
    ...at,
    by: v.picklist(['us', 'application', 'hub', 'network', 'unknown']),
    how: v.picklist(['fin', 'rst', 'timeout', 'error', 'goodbye']),
    stage: v.picklist(['dns', 'tcp', 'tls', 'upgrade', 'auth', 'session']),
    reason: orNull(v.picklist(['shutdown', 'renewal', 'methods', 'silence', 'slow', 'abandoned'])),
    error: orNull(failure),
    certificate: orNull(certificate),
    silentMs: ms,
    lastedMs: orNull(ms),
    pingUnansweredMs: orNull(ms),
    inFlightPublishes: count,
    afterPublish: v.boolean(),
    bytesRead: count,
    bytesWritten: count,
  }),
])

const lane = v.pipe(count, v.minValue(1), v.maxValue(8))
const number = v.pipe(count, v.minValue(1))

const message = v.variant('type', [
  v.object({
    type: v.literal('hello'),
    version: count,
    name: v.pipe(v.string(), v.regex(namePattern)),
    pid: v.pipe(count, v.minValue(1), v.maxValue(2 ** 31 - 1)),
    pidNamespace: orNull(short),
    startTicks: orNull(count),
    versions: v.object({
      hubrec: short,
      node: short,
      sdk: v.optional(v.object({ device: short, mqtt: short, amqp: short, mqttClient: short })),
    }),
    clock: v.object({ wallMs: ms, monoMs: ms, bootId: short }),
  }),
  v.object({ type: v.literal('open'), lane, inc: number, events: few(event, 4) }),
  v.object({ type: v.literal('event'), n: number, lane, inc: number, event }),
  v.object({ type: v.literal('lost'), n: number, count: number }),
  v.object({ type: v.literal('bye'), exitCode: v.pipe(finite, v.integer()), crashed: orNull(short) }),
])

/** What does not cost the reading of it: one that nests without end is refused before it is parsed. */
const depthMax = 16

/** @returns `null` for whatever is no message */
export function readMessage(frame: Buffer): Message | null {
  const json = frame.toString('utf8')
  if (depthOf(json) > depthMax) return null
  const found = v.safeParse(message, parse(json))
  // Checked field by field above; only the optional ones differ, in how TypeScript spells them.
  return found.success ? (found.output as Message) : null
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // Not JSON, and so no message.
    return null
  }
}

/** Brackets in strings count too; no message of ours has so many. */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  for (const character of json) {
    if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') depth -= 1
    if (depth > deepest) deepest = depth
  }
  return deepest
}
