/** The local hub speaks MQTT and AMQP in WebSockets to the stock SDKs, at the same door, and fails as it is told to. */

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import deviceSdk from 'azure-iot-device'
import { Amqp, AmqpWs } from 'azure-iot-device-amqp'
import { Mqtt, MqttWs } from 'azure-iot-device-mqtt'
import serviceSdk from 'azure-iothub'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Door, type Hub, type HubEvent, startHub } from '../hub/hub.js'

const hub: Hub = await startHub()
const agent = hub.agent()
t.teardown(() => {
  agent.destroy()
  return hub.close()
})

const noRetry = { shouldRetry: () => false, nextRetryTimeout: () => -1 }

let devices = 0
const addDevice = async (...moduleIds: string[]): Promise<{ deviceId: string; door: Door }> => {
  const deviceId = `device-${++devices}`
  return { deviceId, door: await hub.addDevice(deviceId, { moduleIds }) }
}

const service = () => {
  const client = serviceSdk.Client.fromConnectionString(hub.serviceConnectionString)
  const { _restApiClient: rest } = client as unknown as { _restApiClient: { setOptions(options: object): void } }
  rest.setOptions({ http: { agent } })
  return client
}

const transports = { 'MQTT over WebSocket': MqttWs, 'AMQP over WebSocket': AmqpWs }
type Transport = typeof MqttWs | typeof AmqpWs

/** The stock classes go to port 443; an agent takes them to the door. */
const webSocketOptions = (t: Test, deviceId: string) => {
  const webSocketAgent = hub.doorAgent(deviceId)
  t.teardown(() => webSocketAgent.destroy())
  return { ca: hub.ca, mqtt: { webSocketAgent }, amqp: { webSocketAgent }, http: { agent: webSocketAgent } }
}

const makeDevice = async (t: Test, deviceId: string, transport: Transport) => {
  const connectionString = hub.connectionString(deviceId, undefined, { port: false })
  const client = deviceSdk.Client.fromConnectionString(connectionString, transport)
  t.teardown(() => client.close())
  await client.setOptions(webSocketOptions(t, deviceId))
  return client
}

const makeModule = async (t: Test, deviceId: string, moduleId: string, transport: Transport) => {
  const connectionString = hub.connectionString(deviceId, moduleId, { port: false })
  const client = deviceSdk.ModuleClient.fromConnectionString(connectionString, transport)
  t.teardown(() => client.close())
  await client.setOptions(webSocketOptions(t, deviceId))
  return client
}

const dial = (t: Test, deviceId: string, subprotocol = 'mqtt', path = '/$iothub/websocket') => {
  const doorAgent = hub.doorAgent(deviceId)
  const socket = new WebSocket(`wss://localhost${path}`, subprotocol, { agent: doorAgent })
  socket.on('error', () => {})
  t.teardown(() => {
    socket.terminate()
    doorAgent.destroy()
  })
  return socket
}

/** How the hub answered where it did not upgrade. */
const refusalOf = async (socket: WebSocket): Promise<IncomingMessage> => {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  response.resume()
  return response
}

const eventOf = (deviceId: string, type: HubEvent['type'], options?: { from?: number }) =>
  hub.waitFor(event => event.type === type && 'deviceId' in event && event.deviceId === deviceId, options)

const methodsUp = (deviceId: string, from = 0) =>
  hub.waitFor(
    event =>
      'deviceId' in event &&
      event.deviceId === deviceId &&
      ((event.type === 'subscribe' && event.topics.includes('$iothub/methods/POST/#')) ||
        (event.type === 'attach' && event.by === 'hub' && event.link === 'methods' && event.role === 'receiver')),
    { from },
  )

for (const [name, transport] of Object.entries(transports)) {
  t.test(`the stock device client for ${name} has messages, methods and a twin`, async t => {
    const { deviceId } = await addDevice('recorder')
    const client = await makeDevice(t, deviceId, transport)
    await client.open()
    t.match(await eventOf(deviceId, 'upgrade', { from: 0 }), {
      path: '/$iothub/websocket',
      subprotocol: transport === MqttWs ? 'mqtt' : 'AMQPWSB10',
      status: 101,
    })
    client.onDeviceMethod('greet', (request, response) => response.send(201, { hello: request.payload.name }))
    await methodsUp(deviceId)
    const { result } = await service().invokeDeviceMethod(deviceId, { methodName: 'greet', payload: { name: 'Ada' } })
    t.strictSame(result, { status: 201, payload: { hello: 'Ada' } })

    await client.sendEvent(new deviceSdk.Message('hello'))
    await hub.patchDesired({ deviceId }, { interval: 10 })
    const twin = await client.getTwin()
    t.strictSame(twin.properties.desired.interval, 10)
    await new Promise<void>((resolve, reject) => {
      twin.properties.reported.update({ version: '1.0' }, (error?: Error) => (error ? reject(error) : resolve()))
    })
    t.strictSame(hub.twin({ deviceId }).reported, { version: '1.0', $version: 2 })

    const module = await makeModule(t, deviceId, 'recorder', transport)
    await module.open()
    const from = hub.log.length
    module.onMethod('who', (_request, response) => response?.send(200, 'module'))
    await methodsUp(deviceId, from)
    const asked = await service().invokeDeviceMethod(deviceId, 'recorder', { methodName: 'who' })
    t.strictSame(asked.result, { status: 200, payload: 'module' })

    const left = eventOf(deviceId, 'sessionEnded')
    await client.close()
    t.match(await left, { why: 'disconnect', moduleId: null })
  })

  t.test(`the stock device client for ${name} renews its token`, async t => {
    const { deviceId } = await addDevice()
    const provider = deviceSdk.SharedAccessKeyAuthenticationProvider.fromConnectionString(
      hub.connectionString(deviceId, undefined, { port: false }),
      4,
      2,
    )
    const client = deviceSdk.Client.fromAuthenticationProvider(provider, transport)
    t.teardown(() => client.close())
    await client.setOptions(webSocketOptions(t, deviceId))
    await client.open()
    const accepted = () =>
      hub.log.filter(
        event =>
          ((event.type === 'connect' && event.code === 0) || (event.type === 'putToken' && event.status === 200)) &&
          event.deviceId === deviceId,
      ).length
    await hub.waitFor(() => accepted() === 3, { from: 0 })
    await client.sendEvent(new deviceSdk.Message('still here'))
    t.notOk(
      hub.log.some(event => event.type === 'sessionEnded' && event.deviceId === deviceId && event.why !== 'disconnect'),
    )
  })
}

t.test('all four protocols take the one session of an identity from each other', async t => {
  const { deviceId } = await addDevice()
  const overTls = async (transport: typeof Mqtt | typeof Amqp) => {
    const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), transport)
    t.teardown(() => client.close())
    await client.setOptions({ ca: hub.ca })
    await client.open()
  }
  const rivals = [
    () => overTls(Mqtt),
    async () => (await makeDevice(t, deviceId, AmqpWs)).open(),
    async () => (await makeDevice(t, deviceId, MqttWs)).open(),
    () => overTls(Amqp),
    () => overTls(Mqtt),
  ]
  for (const connect of rivals) await connect()
  const ends = hub.log.flatMap(event =>
    event.type === 'sessionEnded' && event.deviceId === deviceId ? [event.why] : [],
  )
  t.strictSame(
    ends,
    rivals.slice(1).map(() => 'takeOver'),
  )
})

t.test('another path is 404, and another subprotocol 400', async t => {
  const { deviceId } = await addDevice()
  t.equal((await refusalOf(dial(t, deviceId, 'mqtt', '/websocket'))).statusCode, 404)
  t.equal((await refusalOf(dial(t, deviceId, 'chat'))).statusCode, 400)
  t.match(
    hub.log.filter(event => event.type === 'upgrade' && event.deviceId === deviceId),
    [
      { path: '/websocket', status: 404 },
      { subprotocol: null, status: 400 },
    ],
  )
})

t.test('a door serves what HTTPS serves, too, so that one port is enough for a device behind WebSocket', async t => {
  const { deviceId } = await addDevice()
  const client = await makeDevice(t, deviceId, MqttWs)
  await client.open()
  t.match(await client.getBlobSharedAccessSignature('x'), { blobName: `${deviceId}/x` })
})

for (const status of [302, 401, 403, 404, 503]) {
  t.test(`the upgrade can be answered by ${status}, with headers`, async t => {
    const { deviceId, door } = await addDevice()
    const headers = { location: 'http://portal.example/login', server: 'portal' }
    await door.set({ kind: 'upgrade', status, headers, times: 1 })
    const { statusCode, headers: given } = await refusalOf(dial(t, deviceId))
    t.match({ statusCode, ...given }, { statusCode: status, ...headers })
    await once(dial(t, deviceId), 'open')
  })
}

t.test('the stock clients are refused their upgrade, too', async t => {
  for (const transport of Object.values(transports)) {
    const { deviceId, door } = await addDevice()
    await door.set({ kind: 'upgrade', status: 403, times: 1 })
    const client = await makeDevice(t, deviceId, transport)
    client.setRetryPolicy(noRetry)
    await t.rejects(client.open())
    t.match(await eventOf(deviceId, 'upgrade', { from: 0 }), { status: 403 })
  }
})

t.test('the upgrade can be left unanswered', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'upgradeSilent', times: 1 })
  const silenced = dial(t, deviceId)
  let answered = false
  silenced.on('open', () => {
    answered = true
  })
  t.match(await eventOf(deviceId, 'upgrade', { from: 0 }), { status: null })
  await once(dial(t, deviceId), 'open')
  t.equal(answered, false)
  silenced.terminate()
  t.match(await eventOf(deviceId, 'tcpClosed', { from: 0 }), { first: 'device' })
})

t.test('a WebSocket can be closed with a code: at once after the upgrade, and when a session is up', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'websocketClose', code: 1008, times: 1 })
  const [code] = await once(dial(t, deviceId, 'AMQPWSB10'), 'close')
  t.equal(code, 1008)

  const client = await makeDevice(t, deviceId, MqttWs)
  await client.open()
  const from = hub.log.length
  await door.set({ kind: 'websocketClose', code: 1011, times: 1 })
  t.match(await eventOf(deviceId, 'sessionEnded', { from }), { why: 'fault' })
  t.match(await eventOf(deviceId, 'websocketClosed', { from }), { by: 'hub', code: 1011 })
})

t.test('who closed a WebSocket is known', async t => {
  const { deviceId } = await addDevice()
  const socket = dial(t, deviceId)
  await once(socket, 'open')
  const from = hub.log.length
  socket.close(4000)
  t.match(await eventOf(deviceId, 'websocketClosed', { from }), { by: 'device', code: 4000 })

  const client = await makeDevice(t, deviceId, MqttWs)
  await client.open()
  const before = hub.log.length
  hub.disableDevice(deviceId)
  t.match(await eventOf(deviceId, 'websocketClosed', { from: before }), { by: 'hub', code: 1005 })
})

t.test('the faults of MQTT, AMQP, TLS and TCP are the same in a WebSocket', async t => {
  const byMqtt = await addDevice()
  await byMqtt.door.set({ kind: 'connack', code: 5 })
  await t.rejects((await makeDevice(t, byMqtt.deviceId, MqttWs)).open(), { name: 'UnauthorizedError' })

  const byAmqp = await addDevice()
  await byAmqp.door.set({ kind: 'cbs', status: 401, description: 'because' })
  await t.rejects((await makeDevice(t, byAmqp.deviceId, AmqpWs)).open(), { message: 'because' })

  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'certificate', certificate: 'wrongName' })
  const [altName] = await once(dial(t, deviceId), 'error')
  t.equal(altName.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
  await door.set({ kind: 'refuse' })
  const [refused] = await once(dial(t, deviceId), 'error')
  t.equal(refused.code, 'ECONNREFUSED')
})
