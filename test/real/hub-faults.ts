/** Each fault of the local hub, as the wire shows it. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type Door, type Fault, type Hub, startHub } from '../hub/hub.js'
import { TcpProxy } from '../hub/proxy.js'
import { connectRaw, type RawClient, rawClient } from '../support/raw-client.js'

const hub: Hub = await startHub()
t.teardown(() => hub.close())

const methods = '$iothub/methods/POST/#'
const events = 'devices/D/messages/events/'
let devices = 0

type Device = Readonly<{ deviceId: string; door: Door; dial(): RawClient; signIn(): Promise<RawClient> }>

/** A device of its own for each test, so that faults do not meet. */
const makeDevice = async (t: Test): Promise<Device> => {
  const deviceId = `device-${++devices}`
  const door = await hub.addDevice(deviceId)
  const dial = () => {
    const client = rawClient({ port: door.port, ca: hub.ca })
    t.teardown(() => client.close())
    return client
  }
  const signIn = async () => {
    const client = dial()
    await connectRaw(client, credentials(deviceId))
    return client
  }
  return { deviceId, door, dial, signIn }
}

const credentials = (deviceId: string) => ({
  clientId: deviceId,
  username: `${hub.hostName}/${deviceId}/?api-version=2021-04-12`,
  password: hub.sasToken({ deviceId }),
})

const subscribe = (client: RawClient) =>
  client.send({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: methods, qos: 0 }] })

const publish = (client: RawClient, deviceId: string, qos: 0 | 1 | 2 = 1) =>
  client.send({
    cmd: 'publish',
    topic: events.replace('D', deviceId),
    payload: 'x',
    qos,
    messageId: 9,
    dup: false,
    retain: false,
  })

const ping = (client: RawClient) => client.send({ cmd: 'pingreq' })

/** Open, subscribed, and healthy. */
const openSession = async (device: Device): Promise<RawClient> => {
  const client = await device.signIn()
  await client.sees('connack 0')
  subscribe(client)
  await client.sees('suback 0')
  return client
}

const healthy = ['tcp', 'tls', 'connack 0', 'suback 0']

/** After `heal()` a new client gets through. */
const heals = async (t: Test, device: Device) => {
  await device.door.heal()
  const client = await device.signIn()
  await Promise.race([client.sees('connack 0'), client.sees('connack 0 session')])
  ping(client)
  await client.sees('pingresp')
  t.equal(client.seen.at(-1), 'pingresp', 'healed')
}

const ends = [
  { fault: { kind: 'refuse' }, seen: ['ECONNREFUSED', 'closed'] },
  { fault: { kind: 'finAtAccept' }, seen: ['tcp', 'fin', 'closed'] },
  { fault: { kind: 'certificate', certificate: 'expired' }, seen: ['tcp', 'CERT_HAS_EXPIRED', 'closed'] },
  { fault: { kind: 'certificate', certificate: 'notYetValid' }, seen: ['tcp', 'CERT_NOT_YET_VALID', 'closed'] },
  { fault: { kind: 'certificate', certificate: 'selfSigned' }, seen: ['tcp', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'closed'] },
  { fault: { kind: 'certificate', certificate: 'unknownCa' }, seen: ['tcp', 'SELF_SIGNED_CERT_IN_CHAIN', 'closed'] },
  { fault: { kind: 'certificate', certificate: 'wrongName' }, seen: ['tcp', 'ERR_TLS_CERT_ALTNAME_INVALID', 'closed'] },
  ...([1, 2, 3, 4, 5] as const).map(code => ({
    fault: { kind: 'connack', code } as const,
    seen: ['tcp', 'tls', `connack ${code}`, 'closeNotify', 'fin', 'closed'],
  })),
  { fault: { kind: 'closeAfterConnack' }, seen: ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'] },
  {
    fault: { kind: 'serverDisconnect' },
    seen: ['tcp', 'tls', 'connack 0', 'disconnect', 'closeNotify', 'fin', 'closed'],
  },
] as const satisfies readonly { fault: Fault; seen: readonly string[] }[]

for (const { fault, seen } of ends) {
  t.test(`${JSON.stringify(fault)} shows as ${seen.join(', ')}`, async t => {
    const device = await makeDevice(t)
    await device.door.set(fault)
    const client = device.dial()
    void connectRaw(client, credentials(device.deviceId))
    await client.sees('closed')
    t.strictSame(client.seen, seen)
    await heals(t, device)
  })
}

t.test('a refused port leaves open sessions alone', async t => {
  const device = await makeDevice(t)
  const open = await openSession(device)
  await device.door.set({ kind: 'refuse' })
  const refused = device.dial()
  await refused.sees('ECONNREFUSED')
  ping(open)
  await open.sees('pingresp')
  t.strictSame(open.seen, [...healthy, 'pingresp'])
})

t.test('an RST at accept is an RST, whether connect or read reports it', async t => {
  const device = await makeDevice(t)
  await device.door.set({ kind: 'rstAtAccept' })
  const client = device.dial()
  await client.sees('closed')
  t.strictSame(
    client.seen.filter(line => line !== 'tcp'),
    ['ECONNRESET', 'closed'],
  )
  await heals(t, device)
})

t.test('a port that does not answer leaves connects hanging until it is healed', async t => {
  const device = await makeDevice(t)
  const open = await openSession(device)
  await device.door.set({ kind: 'unanswered' })
  ping(open)
  await open.sees('pingresp')
  const socket = connect(device.door.port, '127.0.0.1')
  const outcome = new Promise<string>(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('connect', () => resolve('connected'))
  })
  const waited = new Promise<string>(resolve => setTimeout(resolve, 500, 'hangs'))
  t.equal(await Promise.race([outcome, waited]), 'hangs')
  await heals(t, device)
  t.equal(await outcome, 'connected', 'with its next SYN')
  socket.destroy()
})

t.test('a port stops answering also while clients rush at it', async t => {
  const device = await makeDevice(t)
  const { port } = device.door
  const clients: Socket[] = []
  let rushing = true
  const rush = () => {
    const client = connect(port, '127.0.0.1')
    clients.push(client)
    client.on('error', () => client.destroy())
    if (rushing) setImmediate(rush)
  }
  rush()
  await device.door.set({ kind: 'unanswered' })
  rushing = false
  for (const client of clients) client.destroy()
  const socket = connect(port, '127.0.0.1')
  const failed = new Promise<string>(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('connect', () => resolve('connected'))
  })
  const waited = new Promise<string>(resolve => setTimeout(resolve, 500, 'hangs'))
  t.equal(await Promise.race([failed, waited]), 'hangs')
  socket.destroy()
  await heals(t, device)
})

for (const fault of [
  { kind: 'silent' },
  { kind: 'blackHole', direction: 'both' },
  { kind: 'blackHole', direction: 'towardHub' },
  { kind: 'blackHole', direction: 'towardDevice' },
] as const) {
  t.test(`with ${JSON.stringify(fault)} a new connection opens, says nothing, and goes on when healed`, async t => {
    const device = await makeDevice(t)
    await device.door.set(fault)
    const client = device.dial()
    await client.sees('tcp')
    const other = await makeDevice(t)
    await openSession(other)
    t.strictSame(client.seen, ['tcp'], 'while another device has connected and subscribed')
    await device.door.heal()
    await client.sees('tls')
    t.strictSame(client.seen, ['tcp', 'tls'])
  })
}

t.test('a black hole toward the hub leaves a session open and deaf, and delivers late what was sent', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  await device.door.set({ kind: 'blackHole', direction: 'towardHub' })
  ping(client)
  await hub.patchDesired({ deviceId: device.deviceId }, { a: 1 })
  const { deviceId } = device
  const call = hub.invokeRaw({ deviceId }, 'late', Buffer.from('{}'), 400)
  await t.rejects(call, { code: 504101 })
  t.strictSame(
    client.seen.map(line => line.replace(/rid=.*/, 'rid')),
    [...healthy, 'publish $iothub/methods/POST/late/?$rid'],
    'what the hub sends arrives, and no pingresp',
  )
  await device.door.heal()
  await client.sees('pingresp')
})

t.test('a black hole toward the device lets the hub hear and swallows its answers', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  await device.door.set({ kind: 'blackHole', direction: 'towardDevice' })
  const heard = hub.waitFor(event => event.type === 'ping' && event.deviceId === device.deviceId)
  ping(client)
  await heard
  t.strictSame(client.seen, healthy)
  await device.door.heal()
  await client.sees('pingresp')
})

t.test('a black hole both ways swallows a FIN as well', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  const from = hub.log.at(-1)!.n + 1
  await device.door.set({ kind: 'blackHole', direction: 'both' })
  hub.disableDevice(device.deviceId)
  await hub.waitFor(event => event.type === 'sessionEnded' && event.deviceId === device.deviceId, { from })
  t.strictSame(client.seen, healthy, 'the hub has closed, the device knows nothing')
  await device.door.heal()
  await client.sees('closed')
  t.strictSame(client.seen, [...healthy, 'closeNotify', 'fin', 'closed'])
})

t.test('a black hole holds back an RST of the other side, too', async t => {
  const upstream = createServer().listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  const proxy = new TcpProxy({ connect: () => connect({ port, host: '127.0.0.1', allowHalfOpen: true }) })
  await proxy.listen('open')
  t.teardown(async () => {
    upstream.close()
    await proxy.close()
  })
  const joined = once(upstream, 'connection')
  const device = connect(proxy.port, '127.0.0.1')
  const ended = once(device, 'close').catch((error: NodeJS.ErrnoException) => error.code)
  const [hubSide] = await joined
  proxy.link.holdTowardDevice = true
  proxy.link.emit('changed')
  hubSide.resetAndDestroy()
  device.write('noticed by whoever writes to it')
  const waited = new Promise<string>(resolve => setTimeout(resolve, 300, 'nothing'))
  t.equal(await Promise.race([ended, waited]), 'nothing')
  proxy.link.holdTowardDevice = false
  proxy.link.emit('changed')
  t.equal(await ended, 'ECONNRESET')
})

t.test('connections that are greeted with a fault are counted like others', async t => {
  const device = await makeDevice(t)
  for (const kind of ['finAtAccept', 'rstAtAccept'] as const) {
    await device.door.set({ kind, times: 1 })
    const from = hub.log.at(-1)!.n + 1
    device.dial()
    const opened = await hub.waitFor(event => event.type === 'tcpOpened' && event.deviceId === device.deviceId, {
      from,
    })
    const how = kind === 'finAtAccept' ? 'fin' : 'rst'
    const closed = await hub.waitFor(event => event.type === 'tcpClosed' && event.deviceId === device.deviceId, {
      from,
    })
    t.match(closed, { connection: opened.type === 'tcpOpened' && opened.connection, first: 'door', how })
  }
})

t.test('a cut by RST right after one by FIN leaves nothing open', async t => {
  const device = await makeDevice(t)
  await openSession(device)
  const from = hub.log.length
  device.door.cut('fin')
  device.door.cut('rst')
  const { deviceId } = device
  t.match(await hub.waitFor(event => event.type === 'tcpClosed' && event.deviceId === deviceId, { from }), {
    first: 'door',
    how: 'fin',
  })
})

t.test('a cut by FIN has no close_notify, a cut by RST is one', async t => {
  const device = await makeDevice(t)
  const first = await openSession(device)
  device.door.cut('fin')
  await first.sees('closed')
  t.strictSame(first.seen, [...healthy, 'fin', 'closed'])
  const second = await device.signIn()
  await second.sees('connack 0 session')
  device.door.cut('rst')
  await second.sees('closed')
  t.strictSame(second.seen, ['tcp', 'tls', 'connack 0 session', 'ECONNRESET', 'closed'])
  const ended = hub.log.filter(event => event.type === 'sessionEnded' && event.deviceId === device.deviceId)
  t.strictSame(
    ended.map(event => event.type === 'sessionEnded' && event.why),
    ['lost', 'lost'],
  )
})

t.test('a CONNECT without CONNACK is heard and never answered', async t => {
  const device = await makeDevice(t)
  await device.door.set({ kind: 'noConnack' })
  const heard = hub.waitFor(event => event.type === 'connect' && event.deviceId === device.deviceId)
  const client = await device.signIn()
  t.match(await heard, { code: null, why: 'a fault' })
  ping(client)
  await openSession(await makeDevice(t))
  t.strictSame(client.seen, ['tcp', 'tls'])
  await heals(t, device)
})

t.test('a fault may strike a number of times and then be gone', async t => {
  const device = await makeDevice(t)
  await device.door.set({ kind: 'connack', code: 3, times: 2 })
  for (const line of ['connack 3', 'connack 3', 'connack 0']) {
    const client = await device.signIn()
    await client.sees(line)
    client.close()
  }
})

t.test('a close at publish answers a publish by FIN, and the message has no effect', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  await device.door.set({ kind: 'closeAtPublish' })
  publish(client, device.deviceId)
  await client.sees('closed')
  t.strictSame(client.seen, [...healthy, 'closeNotify', 'fin', 'closed'])
  await heals(t, device)
})

t.test('a publish without PUBACK is heard and not acknowledged', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  await device.door.set({ kind: 'noPuback', times: 1 })
  publish(client, device.deviceId)
  ping(client)
  await client.sees('pingresp')
  publish(client, device.deviceId)
  await client.sees('puback')
  t.strictSame(client.seen, [...healthy, 'pingresp', 'puback'])
})

t.test('a refused subscription is 0x80 and delivers nothing', async t => {
  const device = await makeDevice(t)
  await device.door.set({ kind: 'subackRefused' })
  const client = await device.signIn()
  await client.sees('connack 0')
  subscribe(client)
  await client.sees('suback 128')
  await t.rejects(hub.invokeRaw(device, 'x', Buffer.from('{}')), { code: 404103 })
  t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'suback 128'])
})

t.test('a subscription without SUBACK delivers nothing either', async t => {
  const device = await makeDevice(t)
  await device.door.set({ kind: 'noSuback' })
  const client = await device.signIn()
  await client.sees('connack 0')
  subscribe(client)
  ping(client)
  await client.sees('pingresp')
  await t.rejects(hub.invokeRaw(device, 'x', Buffer.from('{}')), { code: 404103 })
  t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'pingresp'])
})

t.test('a stored session is present at the next CONNECT, unless it was forgotten', async t => {
  const device = await makeDevice(t)
  const first = await openSession(device)
  first.close()
  const second = await device.signIn()
  await second.sees('connack 0 session')
  await device.door.set({ kind: 'forgetSession', times: 1 })
  const third = await device.signIn()
  await third.sees('connack 0')
  await second.sees('closed')
  await t.rejects(hub.invokeRaw(device, 'x', Buffer.from('{}')), { code: 404103 })
  subscribe(third)
  await third.sees('suback 0')
  third.close()
  const fourth = await device.signIn()
  await fourth.sees('connack 0 session')
})

t.test('a refused renewal is CONNACK 5 after a DISCONNECT, and only then', async t => {
  const device = await makeDevice(t)
  const first = await openSession(device)
  await device.door.set({ kind: 'renewalRefused' })
  device.door.cut('fin')
  await first.sees('closed')
  const second = await device.signIn()
  await second.sees('connack 0 session')
  second.send({ cmd: 'disconnect' })
  await second.sees('closed')
  t.strictSame(second.seen, ['tcp', 'tls', 'connack 0 session', 'closeNotify', 'fin', 'closed'])
  const third = await device.signIn()
  await third.sees('connack 5')
})

t.test('malformed bytes reach open sessions at once and new ones after CONNACK', async t => {
  const device = await makeDevice(t)
  const first = await openSession(device)
  await device.door.set({ kind: 'malformed' })
  await first.sees('malformed')
  const second = await device.signIn()
  await second.sees('malformed')
  t.strictSame(second.seen, ['tcp', 'tls', 'connack 0 session', 'malformed'])
})

t.test('a DISCONNECT of the server ends open sessions at once', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  await device.door.set({ kind: 'serverDisconnect' })
  await client.sees('closed')
  t.strictSame(client.seen, [...healthy, 'disconnect', 'closeNotify', 'fin', 'closed'])
})

t.test('a slow link delays what passes, and a healed one does not', async t => {
  const device = await makeDevice(t)
  const client = await openSession(device)
  const roundTripMs = async () => {
    const from = performance.now()
    const heard = hub.waitFor(event => event.type === 'ping' && event.deviceId === device.deviceId)
    ping(client)
    await heard
    return performance.now() - from
  }
  await device.door.set({ kind: 'slow', latencyMs: 5_000 })
  t.ok((await roundTripMs()) >= 4_990, 'latency')
  await device.door.heal()
  t.ok((await roundTripMs()) < 4_900, 'healed')
  await device.door.set({ kind: 'slow', msPerByte: 10 })
  t.ok((await roundTripMs()) >= 290, 'a ping is some thirty bytes of TLS')
  await device.door.heal()
  await device.door.set({ kind: 'throttle', bytesPerSecond: 100 })
  t.ok((await roundTripMs()) >= 290, 'throttled')
})

t.test('a second client takes over, and the first sees a bare FIN', async t => {
  const device = await makeDevice(t)
  const first = await openSession(device)
  const second = await device.signIn()
  await second.sees('connack 0 session')
  await first.sees('closed')
  t.strictSame(first.seen, [...healthy, 'closeNotify', 'fin', 'closed'])
  ping(second)
  await second.sees('pingresp')
  t.match(
    hub.log.find(event => event.type === 'sessionEnded' && event.deviceId === device.deviceId),
    { why: 'takeOver' },
  )
})

t.test('a client that falls silent is closed after one and a half keepalives', async t => {
  const device = await makeDevice(t)
  const client = device.dial()
  await connectRaw(client, { ...credentials(device.deviceId), keepalive: 1 })
  await client.sees('closed')
  t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'])
  t.match(
    hub.log.find(event => event.type === 'sessionEnded' && event.deviceId === device.deviceId),
    { why: 'keepalive' },
  )
})
