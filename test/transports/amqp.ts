/** What the tap of AMQP tells of one client: in which order, with which content, and when. */
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:tls'
import common from 'azure-iot-common'
import device from 'azure-iot-device'
import t from 'tap'
import { tapAmqp } from '../../transports/amqp.js'
import { systemClock } from '../../transports/clock.js'
import { listenToSdk } from '../../transports/sdk-debug.js'
import { createSecrets } from '../../transports/secrets.js'
import { createTrust, trustOf } from '../../transports/trust.js'
import type { ClosedEvent, WireEvent } from '../../transports/wire-event.js'
import { makeAuthority } from '../hub/certificates.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { leaks } from '../support/leaks.js'
import { grown, resources, settled, startChurn } from '../support/left-over.js'
import { breaches } from '../support/pairing.js'
import { type TappedClient, type TappedClientOptions, tapClient } from '../support/tapped-client.js'
import { type WatchOptions, watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0
async function freshDevice(): Promise<{ deviceId: string; door: Door }> {
  const deviceId = `gateway-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId) }
}

async function openClient(deviceId: string, options: Partial<TappedClientOptions> = {}): Promise<TappedClient> {
  const connectionString = hub.connectionString(deviceId)
  const tapped = tapClient({ connectionString, ca: hub.ca, protocol: 'amqp', ...options })
  await tapped.client.open()
  return tapped
}

const watch = (deviceId: string, options: Partial<WatchOptions> = {}) =>
  watchConnection({ connectionString: hub.connectionString(deviceId), ca: hub.ca, protocol: 'amqp', ...options })

const isMeasured = (name: string): boolean => /^ms$|Ms$|^bytes/.test(name)

/** Measured numbers become `measured`, once they are seen to be numbers, so that the rest can be compared whole. */
const withoutMeasures = <T extends object>(event: T): object =>
  Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      isMeasured(name) && typeof value === 'number' && value >= 0 ? 'measured' : value,
    ]),
  )

const common1 = { monoMs: 'measured', protocol: 'amqp', attempt: 1 } as const

t.test('a good connection is told step by step, each link as it is attached', async t => {
  const { deviceId, door } = await freshDevice()
  const tapped = await openClient(deviceId)
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  tapped.tap.leaving('shutdown')
  await tapped.client.close()
  await tapped.next('closed')

  const secured = tapped.told.find(({ type }) => type === 'tlsSecured')
  t.match(secured, { version: 'TLSv1.2', certificate: { subject: 'CN=localhost', knownRoot: null } })
  t.strictSame(tapped.told.filter(event => event !== secured).map(withoutMeasures), [
    { type: 'connecting', ...common1, host: 'localhost', port: door.port, gateway: false },
    { type: 'resolved', ...common1, addresses: ['127.0.0.1'], ms: 'measured' },
    { type: 'tcpConnected', ...common1, address: '127.0.0.1', localAddress: '127.0.0.1', ms: 'measured' },
    { type: 'attached', ...common1, link: '$cbs', role: 'sender' },
    { type: 'attached', ...common1, link: '$cbs', role: 'receiver' },
    { type: 'authorized', ...common1, status: 200, description: 'OK', ms: 'measured' },
    { type: 'accepted', ...common1, sessionPresent: null, ms: 'measured' },
    { type: 'attached', ...common1, link: 'methods', role: 'sender' },
    { type: 'attached', ...common1, link: 'methods', role: 'receiver' },
    { type: 'subscribed', ...common1, granted: { methods: 0 }, ok: true },
    {
      type: 'closed',
      ...common1,
      by: 'us',
      how: 'goodbye',
      stage: 'session',
      reason: 'shutdown',
      error: null,
      certificate: null,
      silentMs: 'measured',
      lastedMs: 'measured',
      pingUnansweredMs: null,
      inFlightPublishes: 0,
      afterPublish: false,
      bytesRead: 'measured',
      bytesWritten: 'measured',
    },
  ])
})

t.test('who shows a client certificate is accepted when its first link is attached, without a put-token', async t => {
  const deviceId = 'gateway-with-certificate'
  const door = await hub.addDevice(deviceId, { x509: 'ca' })
  const clientCertificate = await hub.issueClientCertificate(deviceId)
  const told: WireEvent[] = []
  const bell = new EventEmitter()
  const tap = tapAmqp(
    {
      host: 'localhost',
      port: door.port,
      gateway: false,
      trust: trustOf(createTrust(hub.ca, null), { clientCertificate, trustBundle: null }),
      clock: systemClock(),
      secrets: createSecrets(),
      timeoutsMs: { dns: 5_000, tcp: 5_000, tls: 5_000, accept: 5_000 },
      keepaliveSeconds: 60,
    },
    { event: event => bell.emit('told', told.push(event)), method: () => undefined, nextAttempt: () => 1 },
  )
  const text = `HostName=localhost:${door.port};DeviceId=${deviceId};x509=true`
  const client = device.Client.fromConnectionString(text, tap.Transport)
  await client.setOptions({ ...clientCertificate })
  await client.open()
  t.strictSame(
    told.map(inShort),
    ['connecting', 'resolved', 'tcpConnected', 'tlsSecured'],
    'any certificate gets so far',
  )
  tap.enableMethods()
  while (told.at(-1)?.type !== 'subscribed') await once(bell, 'told')
  tap.leaving('shutdown')
  await client.close()
  tap.abandon('shutdown')
  t.strictSame(told.slice(4).map(inShort), ['accepted', 'attached methods', 'attached methods', 'subscribed', 'closed'])
  t.strictSame(breaches(told), [])
})

t.test('the idle time-out that is announced is the keepalive', async t => {
  const { deviceId } = await freshDevice()
  const tapped = await openClient(deviceId, { keepaliveSeconds: 7 })
  tapped.tap.abandon('abandoned')
  const opened = hub.log.find(event => event.type === 'open' && event.by === 'device' && event.deviceId === deviceId)
  t.match(opened, { idleTimeOutMs: 7_000 })
})

/** What is told of an end, without what is measured. */
type EndTold = Readonly<Pick<ClosedEvent, 'by' | 'how' | 'stage' | 'reason' | 'error'>>

const endOf = ({ by, how, stage, reason, error }: ClosedEvent): EndTold => ({ by, how, stage, reason, error })

const forced = { name: 'AmqpError', message: 'for an upgrade', code: 'amqp:connection:forced' }
const byHub = (stage: 'auth' | 'session', error: EndTold['error']): EndTold => ({
  by: 'hub',
  how: 'goodbye',
  stage,
  reason: null,
  error,
})
const tooSlow: EndTold = { by: 'us', how: 'timeout', stage: 'auth', reason: 'slow', error: null }
const deaf: EndTold = { by: 'us', how: 'goodbye', stage: 'session', reason: 'methods', error: null }

/** What is met while signing in, and what is told of it between TLS and the end. */
const attempts: readonly Readonly<{ fault: Fault; before: readonly string[]; end: EndTold }>[] = [
  { fault: { kind: 'noOpen', times: 1 }, before: [], end: tooSlow },
  { fault: { kind: 'noAttach', link: '$cbs', times: 1 }, before: [], end: tooSlow },
  { fault: { kind: 'cbsSilent', times: 1 }, before: ['attached $cbs', 'attached $cbs'], end: tooSlow },
  {
    fault: { kind: 'amqpClose', condition: 'amqp:connection:forced', description: 'for an upgrade', times: 1 },
    before: [],
    end: byHub('auth', forced),
  },
  { fault: { kind: 'amqpClose', times: 1 }, before: [], end: byHub('auth', null) },
  { fault: { kind: 'amqpEnd', times: 1 }, before: [], end: byHub('auth', null) },
  {
    fault: { kind: 'amqpDetach', link: '$cbs', condition: 'amqp:unauthorized-access', times: 1 },
    before: ['attached $cbs', 'detached $cbs'],
    end: byHub('auth', { name: 'AmqpError', message: '', code: 'amqp:unauthorized-access' }),
  },
  {
    fault: { kind: 'amqpDetach', link: 'methods', times: 1 },
    before: [
      'attached $cbs',
      'attached $cbs',
      'authorized',
      'accepted',
      'attached methods',
      'detached methods',
      'subscribed',
    ],
    end: deaf,
  },
]

const inShort = (event: WireEvent): string => ('link' in event ? `${event.type} ${event.link}` : event.type)

for (const { fault, before, end } of attempts) {
  t.test(`while signing in: ${JSON.stringify(fault)} is told for what it is, and the next client is well`, async t => {
    const { deviceId, door } = await freshDevice()
    await door.set(fault)
    const connection = watch(deviceId, { timeoutsMs: { accept: 400 } })
    const closed = await connection.next('closed')
    await connection.next('subscribed', { where: ({ attempt, ok }) => attempt === 2 && ok })
    t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), {
      status: 200,
      payload: { name: 'ping' },
    })
    await connection.stop()

    t.strictSame(endOf(closed), end)
    const told = connection.told.map(({ event }) => event)
    const first = told.filter(({ attempt, type }) => attempt === 1 && type !== 'sdkError').map(inShort)
    const story = first.slice(first.indexOf('tlsSecured') + 1, first.indexOf('closed'))
    // Of the two links of a pair, whether the second was still attached is a matter of moments.
    t.strictSame(story.slice(0, before.length), before)
    t.strictSame(breaches(told), [])
  })
}

for (const [status, policy] of [
  [401, 'refused'],
  [403, 'refused'],
  [404, 'refused'],
  [429, 'network'],
  [503, 'network'],
] as const) {
  t.test(
    `a put-token that is answered by ${status} is refused at cbs, and tried again by the policy ${policy}`,
    async t => {
      const { deviceId, door } = await freshDevice()
      await door.set({ kind: 'cbs', status, description: `status ${status}`, times: 1 })
      const connection = watch(deviceId)
      const refused = await connection.next('refused')
      const retry = await connection.next('retryScheduled')
      await connection.next('subscribed')
      await connection.stop()
      const reason = `status ${status}`
      t.strictSame(withoutMeasures(refused), { type: 'refused', ...common1, step: 'cbs', code: status, reason })
      t.match(retry, { policy, failures: 1 })
      const authorized = connection.told.map(({ event }) => event).filter(({ type }) => type === 'authorized')
      t.strictSame(authorized.map(withoutMeasures), [
        { type: 'authorized', ...common1, status, description: reason, ms: 'measured' },
        { type: 'authorized', ...common1, attempt: 2, status: 200, description: 'OK', ms: 'measured' },
      ])
      t.strictSame(breaches(connection.told.map(({ event }) => event)), [])
    },
  )
}

/** What strikes a session that is up, what is told of its links, and of its end. */
const strikes: readonly Readonly<{ fault: Fault; detached: readonly object[]; end: EndTold }>[] = [
  {
    fault: { kind: 'amqpClose', condition: 'amqp:connection:forced', description: 'for an upgrade', times: 1 },
    detached: [],
    end: byHub('session', forced),
  },
  {
    fault: { kind: 'amqpClose', condition: 'amqp:unauthorized-access', times: 1 },
    detached: [],
    end: byHub('session', { name: 'AmqpError', message: '', code: 'amqp:unauthorized-access' }),
  },
  { fault: { kind: 'amqpClose', times: 1 }, detached: [], end: byHub('session', null) },
  {
    fault: { kind: 'amqpEnd', condition: 'amqp:resource-limit-exceeded', times: 1 },
    detached: [],
    end: byHub('session', { name: 'AmqpError', message: '', code: 'amqp:resource-limit-exceeded' }),
  },
  { fault: { kind: 'amqpEnd', times: 1 }, detached: [], end: byHub('session', null) },
  ...[null, 'com.microsoft:timeout', 'amqp:link:detach-forced', 'com.microsoft:device-container-throttled'].map(
    condition => ({
      fault: { kind: 'amqpDetach', link: 'methods', ...(condition ? { condition } : {}), times: 1 } as const,
      detached: (['sender', 'receiver'] as const).map(role => ({
        type: 'detached',
        ...common1,
        link: 'methods',
        role,
        condition,
        description: null,
      })),
      end: deaf,
    }),
  ),
]

for (const { fault, detached, end } of strikes) {
  t.test(`in a session: ${JSON.stringify(fault)} is told as it arrives, and methods are answered again`, async t => {
    const { deviceId, door } = await freshDevice()
    const connection = watch(deviceId)
    await connection.next('subscribed')
    const from = hub.log.at(-1)!.n
    await door.set(fault)
    const closed = await connection.next('closed')
    const struck = await hub.waitFor(
      event => 'by' in event && event.by === 'hub' && ['close', 'end', 'detach'].includes(event.type),
      { from },
    )
    t.ok(closed.monoMs - struck.monoMs < 20_000, 'at once; the SDK takes 45 s, or for ever')
    await connection.next('subscribed', { where: ({ attempt }) => attempt === 2 })
    t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), {
      status: 200,
      payload: { name: 'ping' },
    })
    await connection.stop()

    const told = connection.told.map(({ event }) => event)
    t.strictSame(told.filter(({ type }) => type === 'detached').map(withoutMeasures), detached)
    t.strictSame(endOf(closed), end)
    t.strictSame(breaches(told), [])
  })
}

t.test('one methods link alone is enough to be deaf', async t => {
  for (const role of ['sender', 'receiver'] as const) {
    const { deviceId, door } = await freshDevice()
    const connection = watch(deviceId)
    await connection.next('subscribed')
    await door.set({ kind: 'amqpDetach', link: 'methods', role, times: 1 })
    t.match(await connection.next('detached'), { link: 'methods', role, condition: null })
    t.strictSame(endOf(await connection.next('closed')), deaf)
    await connection.next('subscribed', { where: ({ attempt }) => attempt === 2 })
    await connection.stop()
  }
})

t.test('a client that loses its links to another one does not fight for them', async t => {
  const { deviceId, door } = await freshDevice()
  const waits: number[] = []
  const connection = watch(deviceId, {
    wait: async delayMs => {
      waits.push(delayMs)
    },
  })
  for (const attempt of [1, 2]) {
    await connection.next('subscribed', { where: event => event.attempt === attempt })
    await door.set({ kind: 'amqpDetach', link: 'all', condition: 'amqp:link:stolen', times: 1 })
    await connection.next('closed', { where: event => event.attempt === attempt })
  }
  await connection.next('subscribed', { where: event => event.attempt === 3 })
  await connection.stop()
  const retries = connection.told.map(({ event }) => event).filter(({ type }) => type === 'retryScheduled')
  t.match(retries, [{ policy: 'network' }, { policy: 'takeOver' }])
  t.ok(waits[0]! <= 1_000 && waits[1]! >= 120_000, `${waits} ms`)
})

t.test('a hub that says nothing any more is found out within one and a half idle time-outs', async t => {
  const { deviceId, door } = await freshDevice()
  const connection = watch(deviceId, { keepaliveSeconds: 2 })
  await connection.next('subscribed')
  await door.set({ kind: 'amqpSilent' })
  const closed = await connection.next('closed')
  await door.heal()
  await connection.next('subscribed', { where: ({ attempt }) => attempt === 2 })
  await connection.stop()
  t.strictSame(endOf(closed), { by: 'us', how: 'timeout', stage: 'session', reason: 'silence', error: null })
  t.ok(closed.silentMs >= 2_000 && closed.silentMs < 10_000, `${closed.silentMs} ms`)
})

t.test('a hub that has nothing to say but heartbeats is alive', async t => {
  const { deviceId } = await freshDevice()
  const from = hub.log.at(-1)!.n
  const tapped = await openClient(deviceId, { keepaliveSeconds: 1 })
  let beats = 0
  await hub.waitFor(event => event.type === 'heartbeat' && event.deviceId === deviceId && ++beats === 8, { from })
  t.strictSame(
    tapped.told.filter(({ type }) => type === 'closed'),
    [],
  )
  t.ok(tapped.packets.filter(({ type, packet }) => type === 'packetReceived' && packet === 'heartbeat').length >= 5)
  tapped.tap.abandon('abandoned')
})

t.test('a dead way to the hub is found out by the echo that does not come, while the hub is heard', async t => {
  const { deviceId, door } = await freshDevice()
  const connection = watch(deviceId, { keepaliveSeconds: 2 })
  const pong = await connection.next('pongReceived')
  await door.set({ kind: 'blackHole', direction: 'towardHub' })
  const closed = await connection.next('closed')
  await door.heal()
  await connection.next('subscribed', { where: ({ attempt }) => attempt === 2 })
  await connection.stop()
  t.ok(pong.rttMs >= 0)
  t.strictSame(endOf(closed), { by: 'us', how: 'timeout', stage: 'session', reason: 'silence', error: null })
  t.ok(closed.pingUnansweredMs !== null && closed.pingUnansweredMs >= 990, `${closed.pingUnansweredMs} ms`)
  t.ok(closed.silentMs < (closed.pingUnansweredMs ?? 0), 'its heartbeats went on coming')
  const pings = connection.told.map(({ event }) => event.type).filter(type => /^p[io]ng/.test(type))
  t.strictSame(pings.slice(0, 3), ['pingSent', 'pongReceived', 'pingSent'])
})

t.test('a hub that answers no echo is asked once, and alive', async t => {
  const { deviceId, door } = await freshDevice()
  await door.set({ kind: 'noEcho' })
  const from = hub.log.at(-1)!.n
  const tapped = await openClient(deviceId, { keepaliveSeconds: 1 })
  let beats = 0
  await hub.waitFor(event => event.type === 'heartbeat' && event.deviceId === deviceId && ++beats === 8, { from })
  t.strictSame(
    tapped.told.filter(({ type }) => /^closed|^ping|^pong/.test(type)),
    [],
  )
  const asked = tapped.packets.filter(({ type, packet, link }) => type === 'packetSent' && packet === 'flow' && !link)
  t.equal(asked.length, 1)
  tapped.tap.abandon('abandoned')
})

t.test('a token is renewed inside the session', async t => {
  const { deviceId } = await freshDevice()
  const connection = watch(deviceId, { sasLifetimeSeconds: 4 })
  const done = [
    await connection.next('renewalDone'),
    await connection.next('renewalDone', {
      from: 1 + connection.told.findIndex(({ event }) => event.type === 'renewalDone'),
    }),
  ]
  t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200, payload: { name: 'ping' } })
  await connection.stop()
  const told = connection.told.map(({ event }) => event)
  const renewals = told.filter(({ type }) => /renewal|authorized|closed/.test(type)).map(withoutMeasures)
  const authorized = { type: 'authorized', ...common1, status: 200, description: 'OK', ms: 'measured' }
  t.strictSame(renewals.slice(0, -1), [
    authorized,
    ...done.flatMap(({ id }) => [
      { type: 'renewalStarted', ...common1, id, why: 'sas' },
      authorized,
      { type: 'renewalDone', ...common1, id, ok: true },
    ]),
  ])
  t.match(renewals.at(-1), { type: 'closed', attempt: 1, reason: 'shutdown' }, 'all in one session')
  t.strictSame(breaches(told), [])
})

t.test('a renewal that is refused, or never answered, ends the session and is told as one that failed', async t => {
  for (const { fault, end } of [
    {
      fault: { kind: 'cbs', status: 401, description: 'no more', times: 1 },
      end: {
        by: 'hub',
        how: 'error',
        stage: 'session',
        reason: null,
        error: { name: 'CbsError', code: '401', message: 'no more' },
      },
    },
    {
      fault: { kind: 'cbsSilent', times: 1 },
      end: { by: 'us', how: 'timeout', stage: 'session', reason: 'slow', error: null },
    },
  ] as const) {
    const { deviceId, door } = await freshDevice()
    const connection = watch(deviceId, { sasLifetimeSeconds: 4, timeoutsMs: { accept: 500 } })
    await connection.next('subscribed')
    await door.set(fault)
    const closed = await connection.next('closed')
    await connection.next('subscribed', { where: ({ attempt }) => attempt === 2 })
    await connection.stop()
    t.strictSame(endOf(closed), end)
    const told = connection.told.map(({ event }) => event)
    const types = told
      .filter(({ attempt, type }) => attempt === 1 && /renewal|closed/.test(type))
      .map(({ type }) => type)
    t.strictSame(types, ['renewalStarted', 'renewalDone', 'closed'])
    t.match(await connection.next('renewalDone'), { ok: false })
    t.strictSame(breaches(told), [])
  }
})

t.test('a server that speaks something else breaks the protocol, and nothing of it is printed', async t => {
  const authority = await makeAuthority('localhost')
  const header = Buffer.from('AMQP\0\x01\0\0', 'latin1')
  const answers = [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), Buffer.concat([header, Buffer.alloc(64, 0xff)])]
  const { error: print } = console
  const printed: unknown[] = []
  console.error = (...args) => printed.push(args)
  t.teardown(() => {
    console.error = print
  })
  for (const [index, answer] of [
    ...answers,
    Buffer.concat([header, Buffer.from([0, 0, 0, 3, 2, 0, 0, 0])]),
  ].entries()) {
    const server = createServer(await authority.issue('good'), socket => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.write(answer))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const sharedKey = Buffer.from('a key that only this test has').toString('base64')
    const connectionString = `HostName=localhost:${port};DeviceId=dev;SharedAccessKey=${sharedKey}`
    const tapped = tapClient({ connectionString, ca: authority.ca, protocol: 'amqp', timeoutsMs: { accept: 300 } })
    await t.rejects(tapped.client.open())
    const closed = await tapped.next('closed')
    // A frame that claims to be of 4 GB is waited for, and not for long.
    if (index === 1) t.match(closed, { by: 'us', how: 'timeout', stage: 'auth', reason: 'slow' })
    else t.match(closed, { by: 'hub', how: 'error', stage: 'auth', error: { code: 'MALFORMED_PACKET' } })
    tapped.tap.abandon('abandoned')
    server.close()
  }
  t.strictSame(printed, [])
})

t.test('what is reported is in the twin, and whatever becomes of its links the session goes on', async t => {
  const { deviceId, door } = await freshDevice()
  const tapped = await openClient(deviceId)
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  await tapped.tap.report({ hubrec: { conditions: { 'ring-in-memory': { text: 'the disk refuses' }, other: null } } })
  t.match(hub.twin({ deviceId }).reported, {
    hubrec: { conditions: { 'ring-in-memory': { text: 'the disk refuses' } } },
  })
  // The hub's refusal has no body, which the SDK would parse where nobody can catch it.
  await t.rejects(tapped.tap.report([]), { message: /could not update twin/ })
  await door.set({ kind: 'amqpDetach', link: 'twin', condition: 'amqp:link:detach-forced', times: 1 })
  await tapped.next('detached')
  await door.set({ kind: 'noAttach', link: 'twin' })
  const again = tapped.tap.report({ hubrec: null }).then(
    () => 'reported',
    () => 'failed',
  )
  void hub.invokeMethod({ deviceId }, { methodName: 'anything' }).catch(() => undefined)
  await tapped.requested(1)
  t.notOk(tapped.told.some(({ type }) => type === 'closed'))
  door.cut('rst')
  await tapped.next('closed')
  tapped.tap.abandon('abandoned')
  t.equal(await again, 'failed')
  await t.rejects(tapped.tap.report({}))
})

t.test('the twin is read whole, and then its changes are told, also after its links were lost', async t => {
  const { deviceId, door } = await freshDevice()
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: 5 } })
  const tapped = await openClient(deviceId)
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  t.strictSame(await tapped.tap.readTwin(), {
    desired: { hubrec: { sampleIntervalSeconds: 5 }, $version: 2 },
    reported: { $version: 1 },
  })
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: null } })
  t.strictSame(await tapped.desired(1), [{ hubrec: { sampleIntervalSeconds: null }, $version: 3 }])

  // The SDK would end the connection for either.
  for (const condition of ['amqp:link:detach-forced', undefined]) {
    await door.set({ kind: 'amqpDetach', link: 'twin', ...(condition ? { condition } : {}), times: 1 })
    await tapped.twinLost()
    await tapped.tap.readTwin()
  }
  const lost = tapped.told.filter(({ type }) => type === 'detached')
  t.ok(lost.length >= 2, `${lost.length} links were lost`)
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: 7 } })
  t.match(await tapped.tap.readTwin(), { desired: { hubrec: { sampleIntervalSeconds: 7 }, $version: 4 } })
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: 8 } })
  t.match((await tapped.desired(3)).at(-1), { hubrec: { sampleIntervalSeconds: 8 } })
  t.notOk(tapped.told.some(({ type }) => type === 'closed'))
  door.cut('rst')
  await tapped.next('closed')
  tapped.tap.abandon('abandoned')
  await t.rejects(tapped.tap.readTwin())
})

t.test('a message that the hub does not take is told with its word', async t => {
  const { deviceId, door } = await freshDevice()
  const tapped = await openClient(deviceId)
  await tapped.client.sendEvent(new common.Message('taken'))
  const condition = 'amqp:resource-limit-exceeded'
  await door.set({ kind: 'rejectSends', condition, description: 'the quota of the day', times: 1 })
  await t.rejects(tapped.client.sendEvent(new common.Message('not taken')))
  const rejected = await tapped.next('rejected')
  t.strictSame(withoutMeasures(rejected), {
    type: 'rejected',
    ...common1,
    link: 'events',
    condition,
    description: 'the quota of the day',
  })
  door.cut('rst')
  t.match(await tapped.next('closed'), { by: 'unknown', how: 'rst', inFlightPublishes: 0, afterPublish: true })
  tapped.tap.abandon('abandoned')
})

t.test('method requests come through as they were on the wire, whatever their name and their bytes', async t => {
  const { deviceId } = await freshDevice()
  const connection = watch(deviceId, {
    onMethod: async ({ name, payload }) => ({ status: 299, payload: { name, hex: payload.toString('hex') } }),
  })
  await connection.next('subscribed')
  const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  for (const [name, payload] of [
    ['reboot', allBytes],
    ['constructor', Buffer.alloc(0)],
    ['Größe {}', Buffer.from('{"not":"closed')],
  ] as const) {
    const answer = await hub.invokeRaw({ deviceId }, name, payload)
    t.strictSame(
      { status: answer.status, ...JSON.parse(answer.payload.toString()) },
      { status: 299, name, hex: payload.toString('hex') },
    )
  }
  await connection.stop()
})

t.test('of each frame the header is told, and no event or header holds a secret', async t => {
  const { deviceId } = await freshDevice()
  const connectionString = hub.connectionString(deviceId)
  const tapped = await openClient(deviceId)
  await tapped.client.sendEvent(new common.Message('x'.repeat(1_000)))
  await tapped.client.close()
  await tapped.next('closed')
  const told = JSON.stringify([tapped.told, tapped.packets])
  t.strictSame(leaks(told, connectionString, tapped.secrets), [])
  const sent = tapped.packets.filter(({ type }) => type === 'packetSent')
  t.strictSame(
    sent.slice(0, 6).map(({ packet, link = null, channel, handle = null }) => ({ packet, link, channel, handle })),
    [
      { packet: 'open', link: null, channel: 0, handle: null },
      { packet: 'begin', link: null, channel: 0, handle: null },
      { packet: 'attach', link: '$cbs', channel: 0, handle: 0 },
      { packet: 'attach', link: '$cbs', channel: 0, handle: 1 },
      { packet: 'transfer', link: '$cbs', channel: 0, handle: 0 },
      { packet: 'flow', link: '$cbs', channel: 0, handle: 1 },
    ],
  )
  const message = sent.find(({ packet, link }) => packet === 'transfer' && link === 'events')
  t.ok(message && message.bytes! > 1_000 && message.bytes! < 1_200, 'its size is that of the frame')
  t.same(sent.at(-1)?.packet, 'close')
})

t.test('what the SDK says to whoever debugs it holds no key, no token and no payload', async t => {
  const { deviceId } = await freshDevice()
  const connectionString = hub.connectionString(deviceId)
  const heard: string[] = []
  const stopListening = listenToSdk((namespace, text) => heard.push(`${namespace} ${text}`))
  const connection = watch(deviceId, { sasLifetimeSeconds: 4 })
  await connection.next('subscribed')
  await hub.invokeMethod({ deviceId }, { methodName: 'ping', payload: { note: 'the payload of a request' } })
  await connection.next('renewalDone')
  await connection.stop()
  stopListening()
  const all = heard.join('\n')
  t.match(all, /azure-iot-amqp-base:Amqp connected -> disconnecting/)
  t.strictSame(leaks(connection.secrets.scrub(all).text, connectionString, connection.secrets), [])
  t.notMatch(all, 'the payload of a request')
})

t.test('once its fuse is blown, a client opens no connection, whatever the SDK is asked to do', async t => {
  const { deviceId } = await freshDevice()
  const before = resources()
  const { client, tap, told } = await openClient(deviceId)
  tap.abandon('abandoned')
  tap.enableMethods()
  const asked: readonly (() => Promise<unknown>)[] = [
    () => client.sendEvent(new common.Message('into the void')),
    () => client.open(),
    () => client.getTwin(),
    () => tap.answer('1', { status: 200 }),
    () => client.sendEvent(new common.Message('once more')),
  ]
  for (const ask of asked) await t.rejects(ask())
  await client.close()
  t.strictSame(await settled(() => grown(before, resources()), {}), {}, 'not even the timer of its token')
  const opened = hub.log.filter(event => event.type === 'tcpOpened' && event.deviceId === deviceId)
  t.equal(opened.length, 1)
  t.match(told.at(-1), { type: 'closed', by: 'us', how: 'goodbye', reason: 'abandoned' })
})

t.test('a goodbye that waits for a lost answer leaves nothing behind once the fuse is blown', async t => {
  const { deviceId, door } = await freshDevice()
  const before = resources()
  const { client, tap, next } = await openClient(deviceId)
  tap.enableMethods()
  await next('subscribed')
  await door.set({ kind: 'amqpSilent' })
  tap.leaving('shutdown')
  client.close().catch(() => undefined)
  tap.abandon('shutdown')
  t.match(await next('closed'), { by: 'us', how: 'goodbye', reason: 'shutdown' })
  await door.heal()
  t.strictSame(await settled(() => grown(before, resources()), {}), {})
})

t.test('a hundred incarnations leave no sockets, timers, listeners or clients behind', async t => {
  const { deviceId, door } = await freshDevice()
  const churn = await startChurn(hub.connectionString(deviceId), hub.ca, 'amqp')
  const cut = (how: 'fin' | 'rst'): Promise<void> => churn.through(() => door.cut(how))
  // The first cut meets whatever is made once and kept.
  await cut('rst')
  const before = churn.leftOver()
  for (let round = 0; round < 10; round++) {
    for (const kind of ['finAtAccept', 'noOpen', 'cbsSilent', 'noAttach', 'amqpEnd'] as const) {
      await door.set({ kind, times: 1 })
    }
    await cut('rst')
    await door.set({ kind: 'cbs', status: 401, times: 1 })
    await cut('fin')
    await churn.through(() => door.set({ kind: 'amqpClose', condition: 'amqp:connection:forced', times: 1 }))
    await churn.through(() => door.set({ kind: 'amqpDetach', link: 'methods', times: 1 }))
    await churn.through(() =>
      door.set({ kind: 'amqpDetach', link: 'all', condition: 'amqp:link:detach-forced', times: 1 }),
    )
  }
  t.ok(churn.incarnations > 100, `${churn.incarnations} incarnations`)
  t.strictSame(await settled(() => grown(before, churn.leftOver()), {}), {})

  await churn.stop()
  t.strictSame(await settled(() => grown({ ...before, alive: 0, abortListeners: 0 }, churn.leftOver()), {}), {})
})
