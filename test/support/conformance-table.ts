/**
 * The conformance table: every fault of the local hub, over every protocol, and what has to be seen of it.
 *
 * Where a fault cannot happen the table says why. `test/conformance.ts` holds it to the faults that the hub knows, and
 * `docs/conformance.md` is made of it.
 */
import type { Fault } from '../hub/faults.js'
import type { ProxyFault } from '../hub/http-proxy.js'
import type { Cell, Cells, Moment, Reason, Row, Seen, Way } from './conformance-row.js'
import type { CredentialTrouble, Trouble } from './troubles.js'

const moment = (way: Way, seen: readonly Seen[]): Moment => ({ way, seen })

/** The same whether it is there from the start or comes later. */
const away = (...seen: Seen[]): Cell => ({ start: moment('away', seen), session: moment('away', seen) })
/** It keeps new connections away, and ends a session that is up. */
const strikes = (start: Seen, ...session: Seen[]): Cell => ({
  start: moment('away', [start]),
  session: moment('strikes', session),
})
/** It lets each connection in and ends it: in the first episode of a session its FIN is the verdict. */
const comesAndGoes = (start: Seen, session: Seen): Cell => ({
  start: moment('away', [start]),
  session: moment('away', [session]),
})
const inSession = (way: Way, start: Reason, ...seen: Seen[]): Cell => ({ start, session: moment(way, seen) })

const unharmed: Cell = {
  start: moment('bears', [['accepted', 'no episode']]),
  session: moment('bears', [['', 'no episode']]),
}

const everywhere = (cell: Cell): Cells => ({ mqtt: cell, 'mqtt-ws': cell, amqp: cell, 'amqp-ws': cell })
const overEach = (own: Cell, webSocket: Cell): Cells => ({
  mqtt: own,
  'mqtt-ws': webSocket,
  amqp: own,
  'amqp-ws': webSocket,
})
const overMqtt = (why: Reason, cell: Cell, overWebSocket = cell): Cells => ({
  mqtt: cell,
  'mqtt-ws': overWebSocket,
  amqp: why,
  'amqp-ws': why,
})
const overAmqp = (why: Reason, cell: Cell): Cells => ({ mqtt: why, 'mqtt-ws': why, amqp: cell, 'amqp-ws': cell })
const overWebSocket = (why: Reason, cell: Cell, overAmqpWs = cell): Cells => ({
  mqtt: why,
  'mqtt-ws': cell,
  amqp: why,
  'amqp-ws': overAmqpWs,
})
const both = (mqtt: Cell, amqp: Cell, mqttWs = mqtt): Cells => ({
  mqtt,
  'mqtt-ws': mqttWs,
  amqp,
  'amqp-ws': amqp,
})

type More = Partial<Pick<Row, 'options' | 'unanswered' | 'sdkIsSilent' | 'rounds'>> & Readonly<{ under?: string }>

const row = (name: string, trouble: Trouble, cells: Cells, { under, ...more }: More = {}): Row => ({
  name: under ? `${name}, ${under}` : name,
  trouble,
  cells,
  ...more,
})
const named = (fault: Fault | ProxyFault): string => Object.values(fault).join(' ')
const fault = (fault: Fault, cells: Cells, more: More = {}): Row =>
  row(named(fault), { by: 'door', fault }, cells, more)
const proxy = (fault: ProxyFault, cell: Cell, more: More = {}): Row =>
  row(`proxy: ${named(fault)}`, { by: 'proxy', fault }, overWebSocket(proxied, cell), more)
const credential = (what: CredentialTrouble, cells: Cells, more: More = {}): Row =>
  row(what, { by: 'registry', what }, cells, more)

const proxied = 'a proxy carries WebSockets only'
const connackIsMqtts = 'a CONNACK is MQTT’s'
const subackIsMqtts = 'a SUBACK is MQTT’s'
const packetIsMqtts = 'it is a fault of MQTT packets'
const persistentIsMqtts = 'a session that outlives its connection is MQTT’s'
const frameIsAmqps = 'it is a fault of AMQP frames'
const webSocketOnly = 'there is no WebSocket'
const httpOnly = 'it is about requests over HTTPS, see test/real/upload.ts'
const atRenewal = 'a token is renewed in a session only'
const needsSession = 'there has to be something to end'

const cutFin: Seen = ['closed in session by hub, fin', 'unknown-close unknown']
const slow = (stage: string, verdict: string): Seen => [`closed in ${stage} by us, timeout, slow`, verdict]
const certificate = (code: string, verdict: string): Cells =>
  everywhere(away([`closed in tls by us, error, ${code}`, verdict]))
const connack = (code: 1 | 2 | 3 | 4 | 5, verdict: string): Row =>
  fault({ kind: 'connack', code }, overMqtt(connackIsMqtts, away([`refused by connack: ${code}`, verdict])))

const upgrade = (status: number, verdict: string, overAmqpWs = verdict): Row => {
  const wire = `refused by upgrade: ${status}`
  const cells = overWebSocket(webSocketOnly, away([wire, verdict]), away([wire, overAmqpWs]))
  return fault({ kind: 'upgrade', status }, cells)
}
const websocketClose = (code: number): Row =>
  fault(
    { kind: 'websocketClose', code },
    overWebSocket(
      webSocketOnly,
      strikes(
        [`closed in auth by hub, goodbye, WebSocketClose ${code}`, 'unknown-close possible'],
        [`closed in session by hub, goodbye, WebSocketClose ${code}`, 'unknown-close unknown'],
      ),
    ),
  )

const cbs = (status: number, verdict: string): Row =>
  fault({ kind: 'cbs', status }, overAmqp(frameIsAmqps, away([`refused by cbs: ${status}`, verdict])))
const cbsAtRenewal = (status: number, verdict: string): Row =>
  fault(
    { kind: 'cbs', status },
    overAmqp(
      frameIsAmqps,
      inSession('renewal', atRenewal, [
        `renewal started; renewal failed; closed in session by hub, error, CbsError ${status}`,
        verdict,
      ]),
    ),
    { under: 'when the token is renewed' },
  )

/** A hub that says "stolen" again and again would make us wait for two minutes, as it should. */
const briefTakeOvers = { limits: { takeOverFloorMs: 100, takeOverCapMs: 400 } } as const

/** What the hub gives as its reason, and the verdict, which is the same wherever it is said. */
const conditions: readonly (readonly [condition: string, verdict: string])[] = [
  ['amqp:unauthorized-access', 'wrong-key possible'],
  ['amqp:link:stolen', 'duplicate-device-id likely'],
  ['amqp:connection:forced', 'hub-upgrade-or-failover possible'],
  ['amqp:resource-limit-exceeded', 'quota-exceeded likely'],
  ['com.microsoft:timeout', 'hub-transient-5xx likely'],
  ['com.microsoft:device-container-throttled', 'throttled certain'],
  ['amqp:link:detach-forced', 'hub-transient-5xx possible'],
]
const forced = 'amqp:connection:forced'
const forcedVerdict = 'hub-upgrade-or-failover possible'

const goodbyes = (condition: string | null, verdict: string): Cells => {
  const why = condition === null ? '' : `, AmqpError ${condition}`
  return overAmqp(
    frameIsAmqps,
    strikes([`closed in auth by hub, goodbye${why}`, verdict], [`closed in session by hub, goodbye${why}`, verdict]),
  )
}
const amqpClose = (condition: string | null, verdict: string): Row =>
  fault({ kind: 'amqpClose', ...(condition ? { condition } : {}) }, goodbyes(condition, verdict), {
    options: briefTakeOvers,
  })
const amqpEnd = (condition: string | null, verdict: string): Row =>
  fault({ kind: 'amqpEnd', ...(condition ? { condition } : {}) }, goodbyes(condition, verdict), {
    options: briefTakeOvers,
  })
type Detach = Extract<Fault, { kind: 'amqpDetach' }>
/** The first of the two links is the sender: without it the subscription has failed before the second is there. */
const methodsDetached = (detach: Pick<Detach, 'link' | 'role'>, condition: string | null, verdict: string): Row => {
  const why = condition === null ? '' : ` (${condition})`
  const refused = detach.role === 'receiver' ? '' : ' subscription refused;'
  return fault(
    { kind: 'amqpDetach', ...detach, ...(condition ? { condition } : {}) },
    overAmqp(
      frameIsAmqps,
      strikes(
        [`accepted; methods detached${why};${refused} closed in session by us, goodbye, methods`, verdict],
        [`methods detached${why}; closed in session by us, goodbye, methods`, verdict],
      ),
    ),
    { options: briefTakeOvers },
  )
}
const cbsDetached = (condition: string | null, verdict: string): Row => {
  const why = condition === null ? '' : ` (${condition})`
  const error = condition === null ? '' : `, AmqpError ${condition}`
  return fault(
    { kind: 'amqpDetach', link: '$cbs', ...(condition ? { condition } : {}) },
    overAmqp(
      frameIsAmqps,
      strikes(
        [`$cbs detached${why}; closed in auth by hub, goodbye${error}`, verdict],
        [`$cbs detached${why}; closed in session by hub, goodbye${error}`, verdict],
      ),
    ),
  )
}

const deaf = { methodsProofMs: 1_000 } as const
const subscriptionDead = (start: string): Cell =>
  comesAndGoes([start, 'methods-dead certain'], [start, 'unknown-close unknown; methods-dead certain'])

const tlsSilent = slow('tls', 'tls-timeout certain')
const silence: Seen = ['closed in session by us, timeout, silence', 'link-lost-keepalive certain']
/** The hub was heard, and no echo came. */
const unanswered: Seen = ['closed in session by us, timeout, silence', 'link-lost-keepalive likely']

const ends = (session: string, refused: string): Cell => ({
  start: moment('away', [[refused, 'wrong-key possible']]),
  session: moment('ends', [[`${session} // ${refused}`, 'wrong-key possible']]),
})
const removed = (what: 'disabled' | 'deleted'): Row =>
  credential(
    what,
    both(
      ends('closed in session by hub, fin', 'refused by connack: 5'),
      ends('closed in session by hub, goodbye, AmqpError amqp:unauthorized-access', 'refused by cbs: 401'),
      ends('closed in session by hub, goodbye, WebSocketClose 1005', 'refused by connack: 5'),
    ),
  )

export const table: readonly Row[] = [
  // TCP, and what is below TLS.
  fault(
    { kind: 'refuse' },
    everywhere(away(['closed in tcp by network, error, ECONNREFUSED', 'port-refused certain'])),
  ),
  fault(
    { kind: 'unanswered' },
    // Of the protocol's own port alone a firewall may be to blame.
    overEach(away(slow('tcp', 'hub-unreachable possible')), away(slow('tcp', 'hub-unreachable likely'))),
    { unanswered: 'tcp' },
  ),
  fault({ kind: 'finAtAccept' }, everywhere(away(['closed in tls by hub, fin', 'tls-closed possible']))),
  fault(
    { kind: 'rstAtAccept' },
    everywhere(
      // It may meet the connect itself, or what is read first.
      away(
        ['closed in tcp by unknown, rst, ECONNRESET', 'peer-reset certain'],
        ['closed in tls by unknown, rst, ECONNRESET', 'peer-reset certain'],
      ),
    ),
  ),
  fault({ kind: 'silent' }, everywhere(away(tlsSilent)), { unanswered: 'tls' }),
  fault({ kind: 'blackHole', direction: 'both' }, everywhere(strikes(tlsSilent, silence)), { unanswered: 'tls' }),
  fault({ kind: 'blackHole', direction: 'towardDevice' }, everywhere(strikes(tlsSilent, silence)), {
    unanswered: 'tls',
  }),
  fault(
    { kind: 'blackHole', direction: 'towardHub' },
    both(
      // Both sides' timers run out together, and the hub's FIN may win: then the wire says a little less.
      strikes(tlsSilent, silence, ['closed in session by hub, fin', 'link-lost-keepalive likely']),
      strikes(tlsSilent, unanswered),
      strikes(tlsSilent, silence, [
        'closed in session by hub, goodbye, WebSocketClose 1005',
        'link-lost-keepalive likely',
      ]),
    ),
    { unanswered: 'tls' },
  ),
  row(
    'blackHole towardHub, and the hub misses our heartbeats',
    { by: 'door', fault: { kind: 'blackHole', direction: 'towardHub' }, impatient: true },
    overAmqp(
      'the row before has it',
      // Both sides' timers run out together.
      inSession('strikes', 'the row before has it', unanswered, [
        'closed in session by hub, goodbye, AmqpError amqp:connection:forced',
        'link-lost-keepalive likely',
      ]),
    ),
  ),
  fault({ kind: 'slow', latencyMs: 150, msPerByte: 0.1 }, everywhere(unharmed)),
  fault({ kind: 'throttle', bytesPerSecond: 20_000 }, everywhere(unharmed)),
  row('FIN', { by: 'cut', how: 'fin' }, everywhere(inSession('strikes', needsSession, cutFin))),
  row(
    'RST',
    { by: 'cut', how: 'rst' },
    everywhere(
      inSession('strikes', needsSession, ['closed in session by unknown, rst, ECONNRESET', 'peer-reset certain']),
    ),
  ),

  // TLS, by what is known of our clock.
  fault(
    { kind: 'certificate', certificate: 'expired' },
    certificate('CERT_HAS_EXPIRED', 'server-certificate-invalid certain'),
    { options: { synchronised: true }, under: 'clock synchronised' },
  ),
  fault({ kind: 'certificate', certificate: 'expired' }, certificate('CERT_HAS_EXPIRED', 'clock-skew certain'), {
    options: { plausible: false },
    under: 'clock impossible',
  }),
  fault(
    { kind: 'certificate', certificate: 'notYetValid' },
    certificate('CERT_NOT_YET_VALID', 'server-certificate-invalid certain'),
    { options: { synchronised: true }, under: 'clock synchronised' },
  ),
  fault({ kind: 'certificate', certificate: 'notYetValid' }, certificate('CERT_NOT_YET_VALID', 'clock-skew likely'), {
    options: { synchronised: false },
    under: 'clock not synchronised',
  }),
  fault({ kind: 'certificate', certificate: 'notYetValid' }, certificate('CERT_NOT_YET_VALID', 'clock-skew certain'), {
    options: { plausible: false },
    under: 'clock impossible',
  }),
  fault(
    { kind: 'certificate', certificate: 'selfSigned' },
    certificate('DEPTH_ZERO_SELF_SIGNED_CERT', 'server-certificate-invalid certain'),
  ),
  fault(
    { kind: 'certificate', certificate: 'wrongName' },
    certificate('ERR_TLS_CERT_ALTNAME_INVALID', 'tls-interception certain'),
  ),
  fault(
    { kind: 'certificate', certificate: 'unknownCa' },
    certificate('SELF_SIGNED_CERT_IN_CHAIN', 'tls-interception certain'),
  ),
  credential(
    'root missing',
    everywhere({
      start: moment('stays', [
        ['closed in tls by us, error, UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls-root-missing certain'],
      ]),
      session: 'a process that has the root has it for its life',
    }),
  ),

  // MQTT.
  fault({ kind: 'noConnack' }, overMqtt(connackIsMqtts, away(slow('auth', 'connack-timeout certain'))), {
    unanswered: 'accept',
  }),
  connack(1, 'protocol-version certain'),
  connack(2, 'client-id-rejected certain'),
  connack(3, 'hub-transient-5xx likely'),
  connack(4, 'wrong-key possible'),
  connack(5, 'wrong-key possible'),
  fault(
    { kind: 'closeAfterConnack' },
    overMqtt(
      connackIsMqtts,
      away(['accepted; closed in session by hub, fin', 'unknown-close unknown; unknown-close possible']),
      away([
        'accepted; closed in session by hub, goodbye, WebSocketClose 1005',
        'unknown-close unknown; unknown-close possible',
      ]),
    ),
    // One more than would make a second client of it.
    { rounds: 3 },
  ),
  fault(
    { kind: 'closeAtPublish' },
    overMqtt(
      packetIsMqtts,
      inSession('publish', 'nothing is published without a session', [
        'closed in session by hub, fin',
        'unknown-close unknown; quota-exceeded possible',
      ]),
      inSession('publish', 'nothing is published without a session', [
        'closed in session by hub, goodbye, WebSocketClose 1005',
        'unknown-close unknown; quota-exceeded possible',
      ]),
    ),
  ),
  fault(
    { kind: 'subackRefused' },
    overMqtt(
      subackIsMqtts,
      subscriptionDead('accepted; subscription refused; closed in session by us, goodbye, methods'),
    ),
    { options: deaf },
  ),
  fault(
    { kind: 'noSuback' },
    overMqtt(subackIsMqtts, subscriptionDead('accepted; closed in session by us, goodbye, methods')),
    { options: deaf },
  ),
  // What hubrec publishes, answers to methods, waits for no PUBACK.
  fault({ kind: 'noPuback' }, overMqtt(packetIsMqtts, unharmed)),
  fault(
    { kind: 'forgetSession' },
    overMqtt(persistentIsMqtts, {
      start: moment('bears', [['accepted', 'no episode']]),
      session: moment('loses', [['closed in session by hub, fin // accepted', 'unknown-close unknown']]),
    }),
  ),
  row(
    'no fault, and the token is renewed',
    { by: 'nobody' },
    both(
      inSession('renews', atRenewal, [
        'renewal started; closed in session by us, goodbye, renewal // accepted; renewal done',
        'sas-renewal-expected certain (planned)',
      ]),
      inSession('renews', atRenewal, ['renewal started; renewal done', 'no episode']),
    ),
  ),
  fault(
    { kind: 'renewalRefused' },
    both(
      inSession('renewal', atRenewal, [
        'renewal started; closed in session by us, goodbye, renewal // refused by connack: 5; renewal failed',
        'wrong-key possible',
      ]),
      inSession('renewal', atRenewal, [
        'renewal started; renewal failed; closed in session by hub, error, CbsError 401',
        'wrong-key possible',
      ]),
    ),
  ),
  fault(
    { kind: 'malformed' },
    overMqtt(
      packetIsMqtts,
      strikes(
        ['accepted; closed in session by hub, error, MALFORMED_PACKET', 'protocol-violation certain'],
        ['closed in session by hub, error, MALFORMED_PACKET', 'protocol-violation certain'],
      ),
    ),
  ),
  fault(
    { kind: 'serverDisconnect' },
    overMqtt(
      packetIsMqtts,
      strikes(
        ['accepted; closed in session by hub, goodbye', 'protocol-violation certain'],
        ['closed in session by hub, goodbye', 'protocol-violation certain'],
      ),
    ),
  ),

  // WebSocket.
  upgrade(200, 'captive-portal possible'),
  upgrade(302, 'captive-portal possible'),
  upgrade(401, 'proxy-required possible'),
  upgrade(403, 'ip-filter possible'),
  upgrade(404, 'wrong-hub-hostname likely'),
  upgrade(407, 'proxy-required certain'),
  // What a device can know of throttling has another ceiling over MQTT.
  upgrade(429, 'throttled possible', 'throttled certain'),
  upgrade(500, 'hub-transient-5xx likely'),
  upgrade(503, 'hub-transient-5xx likely'),
  fault({ kind: 'upgradeSilent' }, overWebSocket(webSocketOnly, away(slow('upgrade', 'connack-timeout likely'))), {
    unanswered: 'accept',
  }),
  websocketClose(1000),
  websocketClose(1001),
  websocketClose(1008),
  websocketClose(1011),

  // AMQP.
  fault({ kind: 'noOpen' }, overAmqp(frameIsAmqps, away(slow('auth', 'connack-timeout certain'))), {
    unanswered: 'accept',
  }),
  cbs(401, 'wrong-key possible'),
  cbs(404, 'device-deleted possible'),
  cbs(429, 'throttled certain'),
  cbs(500, 'hub-transient-5xx likely'),
  cbs(503, 'hub-transient-5xx likely'),
  cbsAtRenewal(401, 'wrong-key possible'),
  cbsAtRenewal(429, 'throttled certain'),
  cbsAtRenewal(503, 'hub-transient-5xx likely'),
  fault({ kind: 'cbsSilent' }, overAmqp(frameIsAmqps, away(slow('auth', 'cbs-timeout certain'))), {
    unanswered: 'accept',
  }),
  fault(
    { kind: 'cbsSilent' },
    overAmqp(
      frameIsAmqps,
      inSession('renewal', atRenewal, [
        'renewal started; renewal failed; closed in session by us, timeout, slow',
        'cbs-timeout certain',
      ]),
    ),
    { unanswered: 'accept', under: 'when the token is renewed' },
  ),
  fault({ kind: 'noAttach', link: '$cbs' }, overAmqp(frameIsAmqps, away(slow('auth', 'connack-timeout certain'))), {
    unanswered: 'accept',
  }),
  fault(
    { kind: 'noAttach', link: 'methods' },
    overAmqp(frameIsAmqps, subscriptionDead('accepted; closed in session by us, goodbye, methods')),
    { options: deaf },
  ),
  amqpClose(null, 'amqp-hub-close likely'),
  ...conditions.map(([condition, verdict]) => amqpClose(condition, verdict)),
  amqpEnd(null, 'amqp-hub-close likely'),
  amqpEnd(forced, forcedVerdict),
  methodsDetached({ link: 'methods' }, null, 'methods-dead certain'),
  ...conditions.map(([condition, verdict]) => methodsDetached({ link: 'methods' }, condition, verdict)),
  methodsDetached({ link: 'methods', role: 'sender' }, null, 'methods-dead certain'),
  methodsDetached({ link: 'methods', role: 'receiver' }, null, 'methods-dead certain'),
  methodsDetached({ link: 'all' }, null, 'methods-dead certain'),
  methodsDetached({ link: 'all' }, forced, forcedVerdict),
  cbsDetached(null, 'amqp-hub-close likely'),
  cbsDetached(forced, forcedVerdict),
  // hubrec has no link but those of its sign-in and its methods.
  ...(['events', 'messages', 'twin'] as const).flatMap(link => [
    fault({ kind: 'noAttach', link }, overAmqp(frameIsAmqps, unharmed)),
    fault({ kind: 'amqpDetach', link }, overAmqp(frameIsAmqps, unharmed)),
  ]),
  fault({ kind: 'rejectSends', condition: 'amqp:resource-limit-exceeded' }, overAmqp(frameIsAmqps, unharmed)),
  fault({ kind: 'amqpSilent' }, overAmqp(frameIsAmqps, strikes(slow('auth', 'connack-timeout certain'), silence)), {
    unanswered: 'accept',
  }),
  // A hub that has never answered one is not held to it.
  fault(
    { kind: 'noEcho' },
    overAmqp(frameIsAmqps, {
      start: moment('bears', [['accepted', 'no episode']]),
      session: moment('strikes', [unanswered]),
    }),
  ),

  // HTTPS.
  fault({ kind: 'http', status: 503 }, { mqtt: httpOnly, 'mqtt-ws': httpOnly, amqp: httpOnly, 'amqp-ws': httpOnly }),
  fault({ kind: 'httpSilent' }, { mqtt: httpOnly, 'mqtt-ws': httpOnly, amqp: httpOnly, 'amqp-ws': httpOnly }),

  // The proxy.
  ...([401, 403, 407] as const).map(status =>
    proxy({ kind: 'status', status }, away([`refused by proxy: ${status}`, 'proxy-required certain'])),
  ),
  ...([502, 503] as const).map(status =>
    proxy({ kind: 'status', status }, away([`refused by proxy: ${status}`, 'proxy-required possible'])),
  ),
  proxy({ kind: 'silent' }, away(['closed in tcp by us, timeout, slow, ProxyError', 'proxy-required certain']), {
    unanswered: 'tcp',
  }),
  proxy({ kind: 'portal' }, away(['refused by proxy: 302', 'captive-portal likely'])),
  proxy(
    { kind: 'intercept' },
    away(['closed in tls by us, error, SELF_SIGNED_CERT_IN_CHAIN', 'tls-interception certain']),
  ),
  proxy({ kind: 'cutAfter', bytes: 100, how: 'fin' }, away(['closed in tls by hub, fin', 'tls-closed certain'])),
  proxy(
    { kind: 'cutAfter', bytes: 100, how: 'rst' },
    away(['closed in tls by unknown, rst, ECONNRESET', 'peer-reset certain']),
  ),
  row(
    'proxy: its tunnels end by FIN',
    { by: 'proxyCut', how: 'fin' },
    overWebSocket(proxied, inSession('strikes', needsSession, cutFin)),
  ),
  row(
    'proxy: its tunnels end by RST',
    { by: 'proxyCut', how: 'rst' },
    overWebSocket(
      proxied,
      inSession('strikes', needsSession, ['closed in session by unknown, rst, ECONNRESET', 'peer-reset certain']),
    ),
  ),

  // Names.
  row(
    'names: nxdomain',
    { by: 'names', mode: 'nxdomain' },
    everywhere(away(['closed in dns by network, error, ENOTFOUND', 'dns-failure certain'])),
  ),
  row(
    'names: servfail',
    { by: 'names', mode: 'servfail' },
    everywhere(away(['closed in dns by network, error, ESERVFAIL', 'dns-failure certain'])),
  ),
  row(
    'names: silence',
    { by: 'names', mode: 'silence' },
    everywhere(
      // The resolver's own limit and ours run beside each other.
      away(['closed in dns by network, error, ETIMEOUT', 'dns-failure possible'], slow('dns', 'dns-failure possible')),
    ),
    { unanswered: 'dns' },
  ),

  // Credentials. Only of a signature the hub says over AMQP what is wrong with it.
  removed('disabled'),
  removed('deleted'),
  credential(
    'regenerated key',
    both(away(['refused by connack: 5', 'wrong-key possible']), away(['refused by cbs: 401', 'wrong-key likely'])),
  ),
  credential(
    'expired token',
    both(away(['refused by connack: 5', 'sas-expired certain']), away(['refused by cbs: 401', 'sas-expired certain'])),
    { options: { synchronised: true } },
  ),
  credential(
    'certificate refused',
    both(
      away(['closed in auth by hub, fin', 'x509-rejected possible']),
      away(['closed in auth by hub, goodbye, AmqpError amqp:unauthorized-access', 'x509-rejected possible']),
      away(['closed in auth by hub, goodbye, WebSocketClose 1005', 'x509-rejected possible']),
    ),
    { sdkIsSilent: true },
  ),

  // Time is injected: what the policy asks for is not waited for. See test/real/take-over.ts for how long that is.
  row(
    'a second client of the same identity',
    { by: 'rival' },
    both(
      inSession('fights', needsSession, [
        'closed in session by hub, fin',
        'unknown-close unknown; duplicate-device-id possible; duplicate-device-id likely',
      ]),
      inSession('fights', needsSession, [
        'methods detached (amqp:link:stolen); closed in session by us, goodbye, methods',
        'duplicate-device-id likely',
      ]),
      inSession('fights', needsSession, [
        'closed in session by hub, goodbye, WebSocketClose 1005',
        'unknown-close unknown; duplicate-device-id possible; duplicate-device-id likely',
      ]),
    ),
    { options: { wait: async () => undefined } },
  ),
]
