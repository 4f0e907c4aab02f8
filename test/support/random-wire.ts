/** Wires at random: what the network, the hub and a rival do to a connection, and when it is told to stop. */
import fc from 'fast-check'
import type { Protocol } from '../../transports/wire-event.js'
import type { AmqpFault, Fault, HttpFault, MqttFault, WebSocketFault } from '../hub/faults.js'

/** Those that a connection can meet. */
export type WireFault = Exclude<Fault, HttpFault>

export type Act = Readonly<
  | { do: 'set'; fault: WireFault }
  | { do: 'heal' }
  | { do: 'cut'; how: 'fin' | 'rst' }
  /** A second client of the same identity says CONNECT, and stays. */
  | { do: 'takeOver' }
  /** The hub calls a method that takes `answerAfterMs`, or fails then. */
  | { do: 'call'; answerAfterMs: number; fails: boolean }
>

export type RandomWire = Readonly<{
  keepaliveSeconds: number
  /** The token is renewed at three quarters of it. */
  sasLifetimeSeconds: number
  /** What becomes of the first questions for the hub's name, one for each dial; later ones are answered at once. */
  lookups: readonly Readonly<{ afterMs: number; fails: boolean }>[]
  /** In force from the first dial on. */
  before: WireFault | null
  acts: readonly Readonly<{ afterMs: number; act: Act }>[]
  stopAfterMs: number
}>

type Kind = WireFault['kind']
type Of<K extends Kind> = Extract<WireFault, { kind: K }>

/** For ever, or so often. */
const struck = <F extends object>(fault: F): fc.Arbitrary<F> =>
  fc.constantFrom<F>(fault, { ...fault, times: 1 }, { ...fault, times: 2 })

const withCondition = (condition: string): fc.Arbitrary<{ condition?: string }> =>
  fc.constantFrom<{ condition?: string }>({}, { condition })

/** One of each kind, by the compiler's word: a new fault of the hub has to be added here. */
const faults: Readonly<{ [K in Kind]: fc.Arbitrary<Of<K>> }> = {
  refuse: fc.constant({ kind: 'refuse' }),
  unanswered: fc.constant({ kind: 'unanswered' }),
  finAtAccept: struck({ kind: 'finAtAccept' }),
  rstAtAccept: struck({ kind: 'rstAtAccept' }),
  silent: fc.constant({ kind: 'silent' }),
  blackHole: fc.record({
    kind: fc.constant('blackHole'),
    direction: fc.constantFrom('both', 'towardHub', 'towardDevice'),
  }),
  slow: fc.record({
    kind: fc.constant('slow'),
    latencyMs: fc.integer({ min: 0, max: 200 }),
    msPerByte: fc.constantFrom(0, 0.05, 1),
  }),
  throttle: fc.record({ kind: fc.constant('throttle'), bytesPerSecond: fc.constantFrom(200, 20_000) }),
  certificate: fc.record({
    kind: fc.constant('certificate'),
    certificate: fc.constantFrom('expired', 'notYetValid', 'selfSigned', 'wrongName', 'unknownCa'),
  }),
  noConnack: struck({ kind: 'noConnack' }),
  connack: fc.constantFrom(1, 2, 3, 4, 5).chain(code => struck({ kind: 'connack', code })),
  closeAfterConnack: struck({ kind: 'closeAfterConnack' }),
  closeAtPublish: struck({ kind: 'closeAtPublish' }),
  subackRefused: struck({ kind: 'subackRefused' }),
  noSuback: struck({ kind: 'noSuback' }),
  noPuback: struck({ kind: 'noPuback' }),
  forgetSession: struck({ kind: 'forgetSession' }),
  renewalRefused: struck({ kind: 'renewalRefused' }),
  malformed: fc.constant({ kind: 'malformed' }),
  serverDisconnect: fc.constant({ kind: 'serverDisconnect' }),
  upgrade: fc.constantFrom(302, 403, 503).chain(status => struck({ kind: 'upgrade', status })),
  upgradeSilent: struck({ kind: 'upgradeSilent' }),
  websocketClose: fc.constantFrom(1000, 1001, 1011).chain(code => struck({ kind: 'websocketClose', code })),
  noOpen: struck({ kind: 'noOpen' }),
  cbs: fc.constantFrom(401, 429, 503).chain(status => struck({ kind: 'cbs', status })),
  cbsSilent: struck({ kind: 'cbsSilent' }),
  noAttach: fc.constantFrom('methods' as const, '$cbs' as const).chain(link => struck({ kind: 'noAttach', link })),
  amqpClose: withCondition('amqp:connection:forced').chain(why => struck({ kind: 'amqpClose', ...why })),
  amqpEnd: withCondition('amqp:resource-limit-exceeded').chain(why => struck({ kind: 'amqpEnd', ...why })),
  amqpDetach: fc
    .tuple(fc.constantFrom('methods' as const, 'all' as const, '$cbs' as const), withCondition('com.microsoft:timeout'))
    .chain(([link, why]) => struck({ kind: 'amqpDetach', link, ...why })),
  rejectSends: fc.constant({ kind: 'rejectSends', condition: 'amqp:resource-limit-exceeded' }),
  amqpSilent: fc.constant({ kind: 'amqpSilent' }),
  noEcho: fc.constant({ kind: 'noEcho' }),
}

const ofMqtt: ReadonlySet<Kind> = new Set<MqttFault['kind']>([
  'noConnack',
  'connack',
  'closeAfterConnack',
  'closeAtPublish',
  'subackRefused',
  'noSuback',
  'noPuback',
  'forgetSession',
  'renewalRefused',
  'malformed',
  'serverDisconnect',
])
const ofWebSocket: ReadonlySet<Kind> = new Set<WebSocketFault['kind']>(['upgrade', 'upgradeSilent', 'websocketClose'])
const ofAmqp: ReadonlySet<Kind> = new Set<AmqpFault['kind'] | 'renewalRefused'>([
  'noOpen',
  'cbs',
  'cbsSilent',
  'noAttach',
  'amqpClose',
  'amqpEnd',
  'amqpDetach',
  'rejectSends',
  'amqpSilent',
  'noEcho',
  'renewalRefused',
])

/** What a protocol can meet: what everything over TCP and TLS does, and what is its own. */
export const faultKindsOf = (protocol: Protocol): readonly Kind[] =>
  (Object.keys(faults) as Kind[]).filter(kind => {
    const own = protocol.startsWith('mqtt') ? ofMqtt : ofAmqp
    const isOfAll = !ofMqtt.has(kind) && !ofWebSocket.has(kind) && !ofAmqp.has(kind)
    return isOfAll || own.has(kind) || (protocol.endsWith('-ws') && ofWebSocket.has(kind))
  })

/** Mostly at once or soon, because trouble comes in heaps. */
const pauseMs = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 4, arbitrary: fc.integer({ min: 20, max: 500 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 1_500 }) },
)

const setAny = (protocol: Protocol): fc.Arbitrary<Act> =>
  fc
    .oneof(...faultKindsOf(protocol).map(kind => faults[kind] as fc.Arbitrary<WireFault>))
    .map(fault => ({ do: 'set', fault }))

const cut = fc.constantFrom<Act>({ do: 'cut', how: 'fin' }, { do: 'cut', how: 'rst' })

const anyAct = (protocol: Protocol): fc.Arbitrary<Act> =>
  fc.oneof(
    { weight: 3, arbitrary: setAny(protocol) },
    { weight: 3, arbitrary: fc.constant<Act>({ do: 'heal' }) },
    { weight: 3, arbitrary: cut },
    { weight: 1, arbitrary: fc.constant<Act>({ do: 'takeOver' }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('call'),
        answerAfterMs: fc.integer({ min: 0, max: 400 }),
        fails: fc.boolean(),
      }),
    },
  )

const moments = (act: fc.Arbitrary<Act>, length: fc.ArrayConstraints) =>
  fc.array(fc.record({ afterMs: pauseMs, act }), length)

const settings = {
  keepaliveSeconds: fc.constantFrom(1, 2, 60),
  stopAfterMs: pauseMs,
}

/** A wire that meets this kind of fault, from the start or later, and a cut, so that it meets it while dialling too. */
export const wireWith = (protocol: Protocol, kind: Kind): fc.Arbitrary<RandomWire> =>
  fc
    .record({
      ...settings,
      sasLifetimeSeconds: fc.constantFrom(8, 3_600),
      lookups: fc.array(fc.record({ afterMs: pauseMs, fails: fc.boolean() }), { maxLength: 2 }),
      fault: faults[kind] as fc.Arbitrary<WireFault>,
      fromTheStart: fc.boolean(),
      setAfterMs: pauseMs,
      lead: moments(anyAct(protocol), { maxLength: 2 }),
      cut: moments(cut, { minLength: 1, maxLength: 1 }),
      rest: moments(anyAct(protocol), { maxLength: 4 }),
    })
    .map(({ fault, fromTheStart, setAfterMs, lead, cut, rest, ...wire }) => ({
      ...wire,
      before: fromTheStart ? fault : null,
      acts: [
        ...lead,
        ...(fromTheStart ? [] : [{ afterMs: setAfterMs, act: { do: 'set' as const, fault } }]),
        ...cut,
        ...rest,
      ],
    }))

/** A session that is left in peace until its token is about to be renewed, and not from then on. */
export const wireAroundRenewal = (protocol: Protocol): fc.Arbitrary<RandomWire> =>
  fc
    .record({
      ...settings,
      sasLifetimeSeconds: fc.constant(6),
      quietMs: fc.integer({ min: 4_300, max: 5_000 }),
      disturbance: anyAct(protocol),
      rest: moments(anyAct(protocol), { maxLength: 3 }),
    })
    .map(({ quietMs, disturbance, rest, ...wire }) => ({
      ...wire,
      lookups: [],
      before: null,
      acts: [{ afterMs: quietMs, act: disturbance }, ...rest],
    }))
