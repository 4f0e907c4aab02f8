/** Which protocol is spoken when the network refuses, when it does not, and when the first choice is open again. */
import { createServer } from 'node:net'
import t from 'tap'
import { createAuto, refusalOfNetwork } from '../../transports/auto.js'
import type { Chooser } from '../../transports/transport.js'
import type { Closed, Failure, Protocol, WireEvent } from '../../transports/wire-event.js'
import { type Door, startHub } from '../hub/hub.js'
import { startCountingRelay } from '../support/counting-relay.js'
import { breaches } from '../support/pairing.js'
import { taps } from '../support/taps.js'
import { watchConnection } from '../support/watched-connection.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0
async function freshDevice(): Promise<{ deviceId: string; door: Door }> {
  const deviceId = `gateway-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId) }
}

const order: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']

/** A port that refuses. */
async function closedPort(): Promise<{ port: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return { port }
}

type Remembered = { protocol: Protocol | null; writes: Protocol[] }

function auto(
  memory: Remembered = { protocol: null, writes: [] },
  probeAfterMs?: number,
  loaded: Protocol[] = [],
): Chooser {
  return createAuto({
    ways: order.map(protocol => ({
      protocol,
      load: async () => {
        loaded.push(protocol)
        return taps[protocol]
      },
    })),
    isProxied: () => false,
    memory: {
      read: async () => memory.protocol,
      write: async protocol => {
        memory.protocol = protocol
        memory.writes.push(protocol)
      },
    },
    ...(probeAfterMs === undefined ? {} : { probeAfterMs }),
  })
}

const chosenOf = (told: readonly { event: WireEvent }[]): object[] =>
  told.flatMap(({ event }) =>
    event.type === 'protocolChosen' ? [{ protocol: event.protocol, from: event.from, why: event.why }] : [],
  )

t.test('where the port of MQTT is refused, WebSocket is spoken, and no AMQP is loaded', async t => {
  const { deviceId } = await freshDevice()
  const { port } = await closedPort()
  const memory: Remembered = { protocol: null, writes: [] }
  const loaded: Protocol[] = []
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    ports: { mqtt: port },
    chooser: auto(memory, undefined, loaded),
  })
  t.match(await connection.next('subscribed'), { protocol: 'mqtt-ws' })
  t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
  await connection.stop()
  t.strictSame(chosenOf(connection.told), [
    { protocol: 'mqtt-ws', from: 'mqtt', why: `mqtt: port ${port} is refused (ECONNREFUSED)` },
  ])
  t.strictSame(memory.writes, ['mqtt-ws'])
  t.strictSame([...new Set(loaded)], ['mqtt', 'mqtt-ws'])
  t.strictSame(breaches(connection.told.map(({ event }) => event)), [])
})

t.test('each refusal leads to the next, in their order', async t => {
  const { deviceId } = await freshDevice()
  const ports = [await closedPort(), await closedPort(), await closedPort()].map(({ port }) => port)
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    ports: { mqtt: ports[0]!, 'mqtt-ws': ports[1]!, amqp: ports[2]! },
    chooser: auto(),
  })
  t.match(await connection.next('subscribed'), { protocol: 'amqp-ws', attempt: 4 })
  await connection.stop()
  t.match(chosenOf(connection.told), [{ protocol: 'mqtt-ws' }, { protocol: 'amqp' }, { protocol: 'amqp-ws' }])
})

t.test('what worked before is tried first, and said to be so', async t => {
  const { deviceId } = await freshDevice()
  const memory: Remembered = { protocol: 'amqp', writes: [] }
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    chooser: auto(memory),
  })
  t.match(await connection.next('subscribed'), { protocol: 'amqp', attempt: 1 })
  await connection.stop()
  t.strictSame(chosenOf(connection.told), [{ protocol: 'amqp', from: 'mqtt', why: 'amqp: it is what worked before' }])
  t.strictSame(memory.writes, [])
})

t.test('a refused credential changes nothing', async t => {
  const { deviceId, door } = await freshDevice()
  await door.set({ kind: 'connack', code: 5, times: 3 })
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    chooser: auto(),
  })
  t.match(await connection.next('subscribed'), { protocol: 'mqtt', attempt: 4 })
  await connection.stop()
  t.strictSame(chosenOf(connection.told), [])
})

t.test('a dead resolver changes nothing, however long it is dead', async t => {
  const { deviceId } = await freshDevice()
  let asked = 0
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    chooser: auto(),
    wait: async () => undefined,
    lookup: (_host, callback) => {
      const error = Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN', syscall: 'getaddrinfo' })
      setImmediate(() => (++asked <= 6 ? callback(error, []) : callback(null, [{ address: '127.0.0.1', family: 4 }])))
    },
  })
  t.match(await connection.next('subscribed'), { protocol: 'mqtt', attempt: 7 })
  await connection.stop()
  t.strictSame(chosenOf(connection.told), [])
})

t.test('a protocol that has worked is not given up for one refusal', async t => {
  const { deviceId, door } = await freshDevice()
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    chooser: auto(),
    wait: async () => undefined,
  })
  await connection.next('subscribed')
  await door.set({ kind: 'rstAtAccept', times: 2 })
  const from = connection.told.length
  door.cut('rst')
  t.match(await connection.next('subscribed', { from }), { protocol: 'mqtt' })
  t.strictSame(chosenOf(connection.told), [])

  await door.set({ kind: 'rstAtAccept', times: 3 })
  const later = connection.told.length
  door.cut('rst')
  t.match(await connection.next('subscribed', { from: later }), { protocol: 'mqtt-ws' })
  await connection.stop()
  t.match(chosenOf(connection.told), [{ protocol: 'mqtt-ws', from: 'mqtt' }])
})

t.test(
  'when the first choice is open again, the session moves back to it as planned, and nothing is said before',
  async t => {
    const { deviceId, door } = await freshDevice()
    const closed = await closedPort()
    const connection = watchConnection({
      connectionString: hub.connectionString(deviceId),
      ca: hub.ca,
      ports: { mqtt: closed.port },
      chooser: auto(undefined, 60),
    })
    t.match(await connection.next('subscribed'), { protocol: 'mqtt-ws' })
    await using _relay = await startCountingRelay(door.port, '127.0.0.1', closed.port)
    const from = connection.told.length
    const left = await connection.next('closed', { from })
    t.match(await connection.next('subscribed', { from }), { protocol: 'mqtt' })
    t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
    await connection.stop()
    t.match(left, { protocol: 'mqtt-ws', by: 'us', how: 'goodbye', reason: 'renewal', stage: 'session' })
    t.strictSame(chosenOf(connection.told).slice(1), [
      { protocol: 'mqtt', from: 'mqtt-ws', why: `mqtt: port ${closed.port} is open again` },
    ])
    const connects = hub.log.filter(event => event.type === 'connect' && event.deviceId === deviceId)
    t.equal(connects.length, 2, 'the probe said nothing')
    t.strictSame(breaches(connection.told.map(({ event }) => event)), [])
  },
)

t.test('a first choice that opens its port and lets nothing through is left again for what worked', async t => {
  const { deviceId, door } = await freshDevice()
  const closed = await closedPort()
  const connection = watchConnection({
    connectionString: hub.connectionString(deviceId),
    ca: hub.ca,
    timeoutsMs: { accept: 200 },
    ports: { mqtt: closed.port, 'mqtt-ws': closed.port, amqp: closed.port },
    chooser: auto(undefined, 60),
  })
  t.match(await connection.next('subscribed'), { protocol: 'amqp-ws' })
  await door.set({ kind: 'noConnack' })
  await using _relay = await startCountingRelay(door.port, '127.0.0.1', closed.port)
  const from = connection.told.length
  t.match(await connection.next('closed', { from, where: ({ stage }) => stage === 'auth' }), { protocol: 'mqtt' })
  t.match(await connection.next('subscribed', { from }), { protocol: 'amqp-ws' })
  await connection.stop()
  t.match(chosenOf(connection.told).slice(-2), [
    { protocol: 'mqtt', why: /open again/ },
    { protocol: 'amqp-ws', from: 'mqtt', why: `mqtt: nothing comes through port ${closed.port} after TLS` },
  ])
})

t.test('what the network has refused, and what another protocol would meet as well', async t => {
  const at = { monoMs: 0, protocol: 'mqtt', attempt: 1 } as const
  const closed = (fields: Partial<Closed>, code?: string, protocol: Protocol = 'mqtt', proxied = false) => {
    const error: Failure | null = code === undefined ? null : { name: 'Error', message: '', code }
    const told: Closed = {
      type: 'closed',
      by: 'network',
      how: 'error',
      stage: 'tcp',
      reason: null,
      error,
      certificate: null,
      silentMs: 0,
      lastedMs: null,
      pingUnansweredMs: null,
      inFlightPublishes: 0,
      afterPublish: false,
      bytesRead: 0,
      bytesWritten: 0,
      ...fields,
    }
    return refusalOfNetwork({ ...at, ...told, protocol }, 8883, proxied)
  }
  t.equal(closed({ stage: 'tcp' }, 'ECONNREFUSED'), 'port 8883 is refused (ECONNREFUSED)')
  t.equal(closed({ stage: 'tcp', by: 'us', how: 'timeout' }), 'port 8883 does not answer')
  t.equal(closed({ stage: 'tcp' }, 'ENETUNREACH'), null)
  const both = {
    name: 'AggregateError',
    message: '',
    code: 'ECONNREFUSED',
    errors: [{ name: 'Error', message: '', code: 'ENETUNREACH' }],
  }
  t.equal(closed({ stage: 'tcp', error: both }), 'port 8883 is refused (ECONNREFUSED)')
  t.equal(closed({ stage: 'dns' }, 'ENOTFOUND'), null)
  t.equal(closed({ stage: 'dns' }, 'ENOTFOUND', 'mqtt', true), "the hub's name is not known here")
  t.equal(closed({ stage: 'dns' }, 'ENOTFOUND', 'mqtt-ws', true), null, 'then it is the name of the proxy')
  t.equal(closed({ stage: 'tls', by: 'hub', how: 'fin' }, 'ECONNRESET'), 'TLS on port 8883 fails (ECONNRESET)')
  t.equal(
    closed({ stage: 'tls', by: 'us' }, 'SELF_SIGNED_CERT_IN_CHAIN'),
    'TLS on port 8883 fails (SELF_SIGNED_CERT_IN_CHAIN)',
  )
  t.equal(closed({ stage: 'tls', by: 'us' }, 'CERT_NOT_YET_VALID'), null)
  t.equal(closed({ stage: 'auth', by: 'us', how: 'timeout' }), 'nothing comes through port 8883 after TLS')
  t.equal(closed({ stage: 'auth', by: 'hub', how: 'fin' }), null)
  t.equal(closed({ stage: 'session', lastedMs: 5 }), null)
  t.equal(closed({ stage: 'tcp', by: 'us', how: 'goodbye', reason: 'shutdown' }), null)
  const refused = (step: 'proxy' | 'upgrade' | 'connack' | 'cbs', code: number) =>
    refusalOfNetwork({ ...at, type: 'refused', step, code, reason: '' }, 443, false)
  t.equal(refused('proxy', 407), 'the proxy refused with status 407')
  t.equal(refused('upgrade', 403), 'whoever answered the upgrade refused with status 403')
  t.equal(refused('connack', 5), null)
  t.equal(refused('cbs', 401), null)
})
