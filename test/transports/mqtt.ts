/** What the tap of MQTT tells of one client: in which order, with which content, and what it never lets happen. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import common from 'azure-iot-common'
import type { Packet } from 'mqtt-packet'
import t from 'tap'
import type { WireEvent } from '../../transports/wire-event.js'
import { type CertificateKind, makeAuthority } from '../hub/certificates.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { startCountingRelay } from '../support/counting-relay.js'
import { grown, resources, settled, startChurn } from '../support/left-over.js'
import { startScriptedServer } from '../support/scripted-server.js'
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
  const tapped = tapClient({ connectionString: hub.connectionString(deviceId), ca: hub.ca, ...options })
  await tapped.client.open()
  return tapped
}

const typesOf = (told: readonly WireEvent[]): string[] => told.map(({ type }) => type)

const isMeasured = (name: string): boolean => /^ms$|Ms$|^bytes/.test(name)

/** Measured numbers become `measured`, once they are seen to be numbers, so that the rest can be compared whole. */
const withoutMeasures = <T extends object>(event: T): object =>
  Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      isMeasured(name) && typeof value === 'number' && value >= 0 ? 'measured' : value,
    ]),
  )

/** What a client of its own sees of the server's certificate. */
async function shownBy(door: Door): Promise<X509Certificate> {
  const socket = connectTls({ port: door.port, host: '127.0.0.1', servername: 'localhost', ca: hub.ca })
  await once(socket, 'secureConnect')
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  return new X509Certificate(raw)
}

t.test('a good connection is told step by step, each with its own content', async t => {
  const { deviceId, door } = await freshDevice()
  const shown = await shownBy(door)
  const tapped = await openClient(deviceId, { keepaliveSeconds: 1 })
  tapped.tap.enableMethods()
  await tapped.next('pongReceived')
  tapped.tap.leaving('shutdown')
  await tapped.client.close()
  await tapped.next('closed')

  const common = { monoMs: 'measured', protocol: 'mqtt', attempt: 1 }
  t.strictSame(tapped.told.map(withoutMeasures), [
    { type: 'connecting', ...common, host: 'localhost', port: door.port, gateway: false },
    { type: 'resolved', ...common, addresses: ['127.0.0.1'], ms: 'measured' },
    { type: 'tcpConnected', ...common, address: '127.0.0.1', localAddress: '127.0.0.1', ms: 'measured' },
    {
      type: 'tlsSecured',
      ...common,
      version: 'TLSv1.2',
      cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256',
      certificate: {
        subject: 'CN=localhost',
        issuer: 'CN=Local IoT Hub Root, O=Local IoT Hub',
        validFrom: new Date(shown.validFrom).toISOString(),
        validTo: new Date(shown.validTo).toISOString(),
        altNames: 'DNS:localhost, DNS:*.azure-devices.net, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
        fingerprint256: shown.fingerprint256,
        knownRoot: null,
      },
      ms: 'measured',
    },
    { type: 'accepted', ...common, sessionPresent: false, ms: 'measured' },
    { type: 'subscribed', ...common, granted: { '$iothub/methods/POST/#': 0 }, ok: true },
    { type: 'pingSent', ...common },
    { type: 'pongReceived', ...common, rttMs: 'measured' },
    {
      type: 'closed',
      ...common,
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
  const times = tapped.told.map(({ monoMs }) => monoMs)
  t.strictSame(
    times,
    [...times].sort((a, b) => a - b),
    'time goes forward',
  )
})

/** How far the dial is when the word comes to stop, and what holds it there. */
const dials: readonly Readonly<{
  stage: 'dns' | 'tcp' | 'tls' | 'auth'
  fault: Fault | null
  told: readonly WireEvent['type'][]
}>[] = [
  { stage: 'dns', fault: null, told: ['connecting'] },
  { stage: 'tcp', fault: { kind: 'unanswered' }, told: ['connecting', 'resolved'] },
  { stage: 'tls', fault: { kind: 'silent' }, told: ['connecting', 'resolved', 'tcpConnected'] },
  { stage: 'auth', fault: { kind: 'noConnack' }, told: ['connecting', 'resolved', 'tcpConnected', 'tlsSecured'] },
]

for (const { stage, fault, told } of dials) {
  t.test(`a stop while dialling, at ${stage}, is one closed event that says so`, async t => {
    const { deviceId, door } = await freshDevice()
    if (fault) await door.set(fault)
    let found: (() => void) | undefined
    const lookup: NonNullable<WatchOptions['lookup']> = (_host, callback) => {
      found = () => callback(null, [{ address: '127.0.0.1', family: 4 }])
      if (stage !== 'dns') found()
    }
    const minute = 60_000
    const connection = watchConnection({
      connectionString: hub.connectionString(deviceId),
      ca: hub.ca,
      lookup,
      timeoutsMs: { dns: minute, tcp: minute, tls: minute, accept: minute },
    })
    await connection.next(told.at(-1)!)
    const from = performance.now()
    await connection.stop()
    t.ok(performance.now() - from < 30_000, 'long before the minute that each step has')
    // The resolver's answer to a question that nobody asks any more.
    if (stage === 'dns') found?.()
    await door.heal()
    await shownBy(door)

    const events = connection.told.map(({ event }) => event)
    t.strictSame(typesOf(events).slice(0, told.length + 1), [...told, 'closed'])
    const closed = events.find(({ type }) => type === 'closed')
    t.strictSame(closed && withoutMeasures(closed), {
      type: 'closed',
      monoMs: 'measured',
      protocol: 'mqtt',
      attempt: 1,
      by: 'us',
      how: 'goodbye',
      stage,
      reason: 'shutdown',
      error: null,
      certificate: null,
      silentMs: 'measured',
      lastedMs: null,
      pingUnansweredMs: null,
      inFlightPublishes: 0,
      afterPublish: false,
      bytesRead: 'measured',
      bytesWritten: 'measured',
    })
    const mine = hub.log.filter(event => event.type === 'tcpOpened' && event.deviceId === deviceId)
    const expected = { dns: 1, tcp: 1, tls: 2, auth: 2 }[stage]
    t.equal(mine.length, expected, 'the last one is the look at the certificate, and there is no other')
  })
}

t.test(
  'what is reported is in the twin when it resolves, what the hub refuses rejects, and the session goes on',
  async t => {
    const { deviceId, door } = await freshDevice()
    const tapped = await openClient(deviceId)
    tapped.tap.enableMethods()
    await tapped.next('subscribed')
    await tapped.tap.report({ hubrec: { conditions: { 'ring-in-memory': { text: 'the disk refuses' }, other: null } } })
    t.match(hub.twin({ deviceId }).reported, {
      hubrec: { conditions: { 'ring-in-memory': { text: 'the disk refuses' } } },
    })
    await t.rejects(tapped.tap.report([]), { message: 'the hub answered with status 400' })
    t.notOk(tapped.told.some(({ type }) => type === 'closed'))
    t.equal(tapped.told.filter(({ type }) => type === 'subscribed').length, 1, 'only methods are told of')
    door.cut('rst')
    await tapped.next('closed')
    tapped.tap.abandon('abandoned')
    await t.rejects(tapped.tap.report({}))
  },
)

t.test('the twin is read whole, and then its changes are told', async t => {
  const { deviceId, door } = await freshDevice()
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: 5 } })
  const tapped = await openClient(deviceId)
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: 6 } })
  t.strictSame(await tapped.tap.readTwin(), {
    desired: { hubrec: { sampleIntervalSeconds: 6 }, $version: 3 },
    reported: { $version: 1 },
  })
  await hub.patchDesired({ deviceId }, { hubrec: { sampleIntervalSeconds: null } })
  t.strictSame(await tapped.desired(1), [{ hubrec: { sampleIntervalSeconds: null }, $version: 4 }])
  t.strictSame(tapped.requests, [])
  door.cut('rst')
  await tapped.next('closed')
  await t.rejects(tapped.tap.readTwin())
})

t.test('publishes that are not acknowledged are counted when the session ends', async t => {
  const { deviceId, door } = await freshDevice()
  const tapped = await openClient(deviceId)
  await tapped.client.sendEvent(new common.Message('acknowledged'))
  await door.set({ kind: 'noPuback' })
  const from = hub.log.length
  const sent = [1, 2, 3].map(n => tapped.client.sendEvent(new common.Message(`unanswered ${n}`)).catch(() => 'failed'))
  await hub.waitFor(
    event => event.type === 'publish' && hub.log.slice(from).filter(({ type }) => type === 'publish').length === 3,
    { from },
  )
  door.cut('rst')
  const closed = await tapped.next('closed')
  t.match(closed, { by: 'unknown', how: 'rst', stage: 'session', inFlightPublishes: 3 })
  t.strictSame(await Promise.all(sent), ['failed', 'failed', 'failed'])
  tapped.tap.abandon('abandoned')
})

t.test('the bytes of a session are those on the wire, TLS included', async t => {
  const { deviceId, door } = await freshDevice()
  await using relay = await startCountingRelay(door.port)
  const tapped = await openClient(deviceId, { port: relay.port })
  const payload = 'x'.repeat(20_000)
  await tapped.client.sendEvent(new common.Message(payload))
  door.cut('fin')
  const { bytesRead, bytesWritten } = await tapped.next('closed')
  tapped.tap.abandon('abandoned')
  t.strictSame({ bytesRead, bytesWritten }, { bytesRead: relay.fromServer, bytesWritten: relay.fromClient })
  t.ok(bytesWritten > payload.length + 500, 'more than what was to be said')
})

const untrusted: readonly CertificateKind[] = ['selfSigned', 'unknownCa', 'wrongName', 'expired', 'notYetValid']
const key = Buffer.from('a key that only this test has').toString('base64')
const connectionStringFor = (port: number): string => `HostName=localhost:${port};DeviceId=dev;SharedAccessKey=${key}`

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`a server that is not trusted never hears a CONNECT, over ${version}`, async t => {
    const authority = await makeAuthority('localhost')
    for (const kind of untrusted) {
      await using server = await startScriptedServer({ certificate: await authority.issue(kind), version })
      const tapped = tapClient({ connectionString: connectionStringFor(server.port), ca: authority.ca })
      await t.rejects(tapped.client.open())
      const closed = await tapped.next('closed')
      tapped.tap.abandon('abandoned')
      t.match(closed, { by: 'us', how: 'error', stage: 'tls', certificate: { subject: /^CN=/ } })
      await server.connectionsClosed(1)
      t.strictSame(server.received.toString(), '', kind)
    }
    await using server = await startScriptedServer({ certificate: await authority.issue('good'), version })
    const tapped = tapClient({ connectionString: connectionStringFor(server.port), ca: authority.ca })
    await tapped.client.open()
    tapped.tap.abandon('abandoned')
    await server.connectionsClosed(1)
    t.match(server.received.toString(), /MQTT.*dev.*SharedAccessSignature/s, 'one that is trusted does')
  })
}

t.test('method requests come through as they were on the wire, whatever their topic and their bytes', async t => {
  const authority = await makeAuthority('localhost')
  await using server = await startScriptedServer({ certificate: await authority.issue('good') })
  const tapped = tapClient({ connectionString: connectionStringFor(server.port), ca: authority.ca })
  await tapped.client.open()
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  const publish = (topic: string, payload: Buffer) =>
    server.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false })

  const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  publish('$iothub/methods/POST/reboot/?$rid=1', allBytes)
  publish('$iothub/methods/POST/a/b/?$rid=2', Buffer.alloc(0))
  publish('$iothub/methods/POST/Größe%20%zz {}/?$rid=f3&more=yes', Buffer.from('{"not":"closed'))
  publish('$iothub/methods/POST/constructor/?more=yes&$rid=4', Buffer.from('null'))
  // None of these is a request that anybody could answer.
  publish('$iothub/methods/POST/noRequestId/', Buffer.from('{}'))
  publish('$iothub/methods/POST//?$rid=5', Buffer.from('{}'))
  publish('$iothub/methods/GET/x/?$rid=6', Buffer.from('{}'))
  publish('$iothub/twin/PATCH/properties/desired/?$version=1', Buffer.from('{'))
  publish('$iothub/twin/res/200/?$rid=7', Buffer.from('{'))
  publish('devices/dev/messages/devicebound/%zz=%zz', Buffer.from('x'))
  publish('$iothub/methods/POST/last/?$rid=8', Buffer.from('{}'))
  await tapped.requested(5)
  t.strictSame(tapped.requests, [
    { name: 'reboot', requestId: '1', payload: allBytes },
    { name: 'a/b', requestId: '2', payload: Buffer.alloc(0) },
    { name: 'Größe%20%zz {}', requestId: 'f3', payload: Buffer.from('{"not":"closed') },
    { name: 'constructor', requestId: '4', payload: Buffer.from('null') },
    { name: 'last', requestId: '8', payload: Buffer.from('{}') },
  ])
  tapped.tap.abandon('abandoned')
})

t.test('of each packet the header is told, and never a payload, a user name or a password', async t => {
  const { deviceId } = await freshDevice()
  const tapped = await openClient(deviceId, { keepaliveSeconds: 3 })
  tapped.tap.enableMethods()
  await tapped.next('subscribed')
  const payload = { note: 'the payload of a request' }
  const answered = hub.invokeMethod({ deviceId }, { methodName: 'ping', payload })
  await tapped.requested(1)
  await tapped.tap.answer(tapped.requests[0]!.requestId, { status: 200, payload: 'the payload of an answer' })
  await answered
  await tapped.next('pongReceived')
  await tapped.client.sendEvent(new common.Message('x'.repeat(1_000)))
  await tapped.client.close()

  const [sent, received] = (['packetSent', 'packetReceived'] as const).map(wanted =>
    tapped.packets
      .filter(({ type }) => type === wanted)
      .map(({ type, monoMs, protocol, attempt, ...header }) => {
        t.match({ monoMs, protocol, attempt }, { monoMs: Number, protocol: 'mqtt', attempt: 1 })
        // Both are numbered at random.
        return { ...header, ...(header.messageId === undefined ? {} : { messageId: 'numbered' }) }
      }),
  )
  const methods = '$iothub/methods/POST/#'
  const plain = { qos: 0, dup: false, retain: false }
  t.strictSame(sent, [
    { packet: 'connect', keepalive: 3, clean: false },
    { packet: 'subscribe', messageId: 'numbered', topics: [methods] },
    { packet: 'publish', ...plain, topic: '$iothub/methods/res/200/?$rid=1', payloadBytes: 26 },
    { packet: 'pingreq' },
    {
      packet: 'publish',
      messageId: 'numbered',
      ...plain,
      qos: 1,
      topic: `devices/${deviceId}/messages/events/`,
      payloadBytes: 1_000,
    },
    { packet: 'disconnect' },
  ])
  t.strictSame(received, [
    { packet: 'connack', returnCode: 0, sessionPresent: false },
    { packet: 'suback', messageId: 'numbered', granted: [0] },
    {
      packet: 'publish',
      ...plain,
      topic: '$iothub/methods/POST/ping/?$rid=1',
      payloadBytes: Buffer.byteLength(JSON.stringify(payload)),
    },
    { packet: 'pingresp' },
    { packet: 'puback', messageId: 'numbered' },
  ])
})

t.test('once its fuse is blown, a client opens no connection, whatever the SDK is asked to do', async t => {
  const { deviceId, door } = await freshDevice()
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

  await shownBy(door)
  const opened = hub.log.filter(event => event.type === 'tcpOpened' && event.deviceId === deviceId)
  t.equal(opened.length, 2, 'the one before, and the look at the certificate')
  t.strictSame(typesOf(told), ['connecting', 'resolved', 'tcpConnected', 'tlsSecured', 'accepted', 'closed'])
})

t.test('the SDK does not renew its token by itself: that would be a connection behind our back', async t => {
  const { deviceId } = await freshDevice()
  const tapped = tapClient({ connectionString: hub.connectionString(deviceId), ca: hub.ca, keepaliveSeconds: 1 })
  // The SDK's timer would go off after one second.
  const tokenRenewal = { tokenValidTimeInSeconds: 2, tokenRenewalMarginInSeconds: 1 }
  await tapped.client.setOptions({ tokenRenewal })
  await tapped.client.open()
  await tapped.next('pongReceived')
  await tapped.next('closed')
  tapped.tap.abandon('abandoned')
  t.strictSame(
    tapped.told.filter(({ type }) => type === 'connecting').map(({ attempt }) => attempt),
    [1],
  )
  const ended = hub.log.find(event => event.type === 'sessionEnded' && event.deviceId === deviceId)
  t.match(ended, { why: 'tokenExpired' })
})

t.test('a goodbye that waits for a lost answer leaves nothing behind once the fuse is blown', async t => {
  const authority = await makeAuthority('localhost')
  const deaf = (packet: Packet): Packet | null =>
    packet.cmd === 'connect' ? { cmd: 'connack', returnCode: 0, sessionPresent: false } : null
  await using server = await startScriptedServer({ certificate: await authority.issue('good'), answer: deaf })
  const before = resources()
  const { client, tap, next } = tapClient({ connectionString: connectionStringFor(server.port), ca: authority.ca })
  await client.open()
  tap.enableMethods()
  tap.leaving('shutdown')
  client.close().catch(() => undefined)
  tap.abandon('shutdown')
  t.match(await next('closed'), { by: 'us', how: 'goodbye', reason: 'shutdown' })
  t.strictSame(await settled(() => grown(before, resources()), {}), {})
})

t.test('a hundred incarnations leave no sockets, timers, listeners or clients behind', async t => {
  const { deviceId, door } = await freshDevice()
  const churn = await startChurn(hub.connectionString(deviceId), hub.ca, 'mqtt')
  const cut = (how: 'fin' | 'rst'): Promise<void> => churn.through(() => door.cut(how))
  // The first cut meets whatever is made once and kept.
  await cut('rst')
  const before = churn.leftOver()
  for (let round = 0; round < 10; round++) {
    const kinds = ['finAtAccept', 'rstAtAccept', 'noConnack', 'closeAfterConnack', 'subackRefused', 'noSuback'] as const
    for (const kind of kinds) await door.set({ kind, times: 1 })
    await door.set({ kind: 'connack', code: 3, times: 1 })
    await cut('rst')
    await cut('fin')
    await door.set({ kind: 'connack', code: 5, times: 1 })
    await cut('fin')
  }
  t.ok(churn.incarnations > 100, `${churn.incarnations} incarnations`)
  t.strictSame(await settled(() => grown(before, churn.leftOver()), {}), {})

  await churn.stop()
  t.strictSame(await settled(() => grown({ ...before, alive: 0, abortListeners: 0 }, churn.leftOver()), {}), {})
})
