/** The local hub speaks to the stock SDKs, and refuses what IoT Hub refuses. */

import { once } from 'node:events'
import { request } from 'node:https'
import { BlockBlobClient } from '@azure/storage-blob'
import deviceSdk from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'
import serviceSdk from 'azure-iothub'
import t, { type Test } from 'tap'
import { type Hub, type HubEvent, startHub } from '../hub/hub.js'
import { connectRaw, rawClient } from '../support/raw-client.js'

const hub: Hub = await startHub()
const agent = hub.agent()
t.teardown(() => {
  agent.destroy()
  return hub.close()
})

let devices = 0
const addDevice = async (...moduleIds: string[]): Promise<string> => {
  const deviceId = `device-${++devices}`
  await hub.addDevice(deviceId, { moduleIds })
  return deviceId
}

/** The stock device client with the connection string as it is, open, and closed with the test. */
const openDevice = async (t: Test, deviceId: string) => {
  const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Mqtt)
  t.teardown(() => client.close())
  await client.setOptions({ ca: hub.ca, http: { agent } })
  await client.open()
  return client
}

const openModule = async (t: Test, deviceId: string, moduleId: string) => {
  const client = deviceSdk.ModuleClient.fromConnectionString(hub.connectionString(deviceId, moduleId), Mqtt)
  t.teardown(() => client.close())
  await client.setOptions({ ca: hub.ca })
  await client.open()
  return client
}

const subscription = (deviceId: string, topic: string) =>
  hub.waitFor(event => event.type === 'subscribe' && event.deviceId === deviceId && event.topics.includes(topic))

/** The stock service clients know no other port than 443; their HTTP side takes an agent once it is made. */
const redirected = <T extends object>(client: T): T => {
  const { _restApiClient: rest } = client as { _restApiClient?: { setOptions(options: object): void } }
  rest?.setOptions({ http: { agent } })
  return client
}
/** Trusts the hub's authority and never tries twice. */
const blobClient = (url: string) => {
  const options = { tlsOptions: { ca: hub.ca }, retryOptions: { maxTries: 1 } }
  return new BlockBlobClient(url, undefined, options)
}
const service = () => redirected(serviceSdk.Client.fromConnectionString(hub.serviceConnectionString))
const registry = () => redirected(serviceSdk.Registry.fromConnectionString(hub.serviceConnectionString))

t.test('the stock service client calls a method, and the stock device client answers it', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  const subscribed = subscription(deviceId, '$iothub/methods/POST/#')
  client.onDeviceMethod('greet', (request, response) => response.send(201, { hello: request.payload.name }))
  await subscribed
  const { result } = await service().invokeDeviceMethod(deviceId, { methodName: 'greet', payload: { name: 'Ada' } })
  t.strictSame(result, { status: 201, payload: { hello: 'Ada' } })
  t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'greet', payload: { name: 'Bob' } }), {
    status: 201,
    payload: { hello: 'Bob' },
  })
})

t.test('a module has methods of its own beside those of its device', async t => {
  const deviceId = await addDevice('recorder')
  const device = await openDevice(t, deviceId)
  const module = await openModule(t, deviceId, 'recorder')
  for (const [client, name] of [[device, 'device'] as const, [module, 'module'] as const]) {
    const subscribed = subscription(deviceId, '$iothub/methods/POST/#')
    if ('onDeviceMethod' in client) client.onDeviceMethod('who', (_request, response) => response.send(200, name))
    else client.onMethod('who', (_request, response) => response?.send(200, name))
    await subscribed
  }
  const asked = await service().invokeDeviceMethod(deviceId, 'recorder', { methodName: 'who' })
  t.strictSame(asked.result, { status: 200, payload: 'module' })
  const { result } = await service().invokeDeviceMethod(deviceId, { methodName: 'who' })
  t.strictSame(result, { status: 200, payload: 'device' })
})

t.test('a method for a device that is away is 404103, in the shape of IoT Hub', async t => {
  const deviceId = await addDevice()
  const failed = await service()
    .invokeDeviceMethod(deviceId, { methodName: 'greet' })
    .then(
      () => null,
      (error: { response: { statusCode: number; headers: object }; responseBody: string }) => error,
    )
  const { Message, ...rest } = JSON.parse(failed!.responseBody)
  t.strictSame(rest, { ExceptionMessage: '' })
  t.match(failed!.response, { statusCode: 404, headers: { 'iothub-errorcode': 'DeviceNotOnline' } })
  const { trackingId, timestampUtc, ...message } = JSON.parse(Message)
  t.strictSame(message, {
    errorCode: 404103,
    message: 'Timed out waiting for device to connect.',
    info: { timeout: '00:00:00' },
  })
  t.ok(trackingId && timestampUtc)
})

t.test('a method is not delivered to a client that is connected and did not subscribe', async t => {
  const deviceId = await addDevice()
  await openDevice(t, deviceId)
  await t.rejects(hub.invokeMethod({ deviceId }, { methodName: 'greet' }), { code: 404103 })
  t.notOk(hub.log.some(event => event.type === 'deliver' && event.deviceId === deviceId))
})

t.test('a method without an answer is 504101 when its time is over', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  const subscribed = subscription(deviceId, '$iothub/methods/POST/#')
  client.onDeviceMethod('think', () => {})
  await subscribed
  const call = hub.invokeMethod({ deviceId }, { methodName: 'think', responseTimeoutInSeconds: 0.2 })
  await t.rejects(call, { code: 504101, status: 504 })
})

t.test('a method request may carry what is not JSON', async t => {
  const deviceId = await addDevice()
  const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
  t.teardown(() => client.close())
  await connectRaw(client, credentials(deviceId))
  await client.sees('connack 0')
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$iothub/methods/POST/#', qos: 0 }] })
  await client.sees('suback 0')
  const delivered = hub.waitFor(event => event.type === 'deliver' && event.deviceId === deviceId)
  const call = hub.invokeRaw({ deviceId }, 'odd', Buffer.from('{"half":'))
  const { topic } = (await delivered) as Extract<HubEvent, { type: 'deliver' }>
  client.send({
    cmd: 'publish',
    topic: `$iothub/methods/res/200/?${topic.split('/?')[1]}`,
    payload: Buffer.from([0xff]),
    qos: 0,
    dup: false,
    retain: false,
  })
  t.strictSame(await call, { status: 200, payload: Buffer.from([0xff]) })
})

t.test('the stock device client sends a message and shares its twin', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  const message = new deviceSdk.Message('hello')
  message.properties.add('level', 'info')
  const heard = hub.waitFor(event => event.type === 'publish' && event.deviceId === deviceId)
  await client.sendEvent(message)
  t.match(await heard, { topic: `devices/${deviceId}/messages/events/level=info`, qos: 1, bytes: 5 })

  await hub.patchDesired({ deviceId }, { interval: 10, nested: { a: 1, b: 2 } })
  const twin = await client.getTwin()
  t.strictSame(twin.properties.desired.interval, 10)
  const changed = once(twin, 'properties.desired.nested')
  await subscription(deviceId, '$iothub/twin/PATCH/properties/desired/#')
  await hub.patchDesired({ deviceId }, { nested: { a: null, c: 3 } })
  await changed
  await new Promise<void>((resolve, reject) => {
    twin.properties.reported.update({ version: '1.0' }, (error?: Error) => (error ? reject(error) : resolve()))
  })
  const truth = {
    desired: { interval: 10, nested: { b: 2, c: 3 }, $version: 3 },
    reported: { version: '1.0', $version: 2 },
  }
  t.strictSame(hub.twin({ deviceId }), truth)
  const { responseBody } = await registry().getTwin(deviceId)
  const { properties, connectionState } = JSON.parse(JSON.stringify(responseBody))
  t.strictSame({ properties, connectionState }, { properties: truth, connectionState: 'Connected' })
})

t.test('the stock registry client lists the devices', async t => {
  const deviceId = await addDevice('recorder')
  hub.disableDevice(deviceId)
  const { result } = await registry().createQuery('SELECT * FROM devices').nextAsTwin()
  t.match(result.at(-1), { deviceId, status: 'disabled', connectionState: 'Disconnected' })
  const modules = await registry().createQuery('SELECT * FROM devices.modules').nextAsTwin()
  t.match(modules.result.at(-1), { deviceId, moduleId: 'recorder' })
})

t.test('the stock device client uploads a file to a real blob store', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  const upload = await client.getBlobSharedAccessSignature('bundles/one.zip')
  const { hostName, containerName, blobName, sasToken, correlationId } = upload
  t.equal(blobName, `${deviceId}/bundles/one.zip`)
  const blob = blobClient(`https://${hostName}/${containerName}/${blobName}${sasToken}`)
  await blob.upload('content', 7)
  await client.notifyBlobUploadStatus(correlationId, true, 200, 'all there')
  t.equal((await hub.readBlob(containerName!, blobName!)).toString(), 'content')
  t.strictSame(
    hub.uploads.filter(({ deviceId: id }) => id === deviceId),
    [
      {
        deviceId,
        correlationId,
        containerName,
        blobName,
        blobUri: `https://${hostName}/${containerName}/${blobName}`,
        isSuccess: true,
        statusCode: 200,
        statusDescription: 'all there',
      },
    ],
  )
})

t.test('a device has ten uploads at a time, and the eleventh is 403006', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  const uploads = []
  for (let i = 0; i < 10; i++) uploads.push(await client.getBlobSharedAccessSignature(`${i}`))
  await t.rejects(client.getBlobSharedAccessSignature('too much'))
  t.match(
    hub.log.findLast(event => event.type === 'http'),
    { status: 403, code: 403006 },
  )
  await client.notifyBlobUploadStatus(uploads[0]!.correlationId, false, 500, 'gave up')
  await client.getBlobSharedAccessSignature('another')
})

t.test('HTTPS can be refused and left unanswered for one device', async t => {
  const deviceId = await addDevice()
  const client = await openDevice(t, deviceId)
  await hub.door(deviceId).set({ kind: 'http', status: 503, on: 'files', times: 1 })
  const refused: unknown = await client.getBlobSharedAccessSignature('x').catch(error => error)
  t.match(refused, { response: { statusCode: 503 } })
  await hub.door(deviceId).set({ kind: 'httpSilent', times: 1 })
  const heard = hub.waitFor(event => event.type === 'http' && event.status === null)
  // It fails with its agent, when this test is long over.
  void client.getBlobSharedAccessSignature('x').catch(error => error)
  await heard
  await client.getBlobSharedAccessSignature('x')
})

t.test('a container SAS takes blobs, and the store can be refused, stalled and slow', async t => {
  const url = new URL(await hub.containerSasUrl('logs'))
  const at = (name: string) => {
    const blob = new URL(url)
    blob.pathname += `/${name}`
    return blobClient(blob.href)
  }
  await at('a/b.txt').upload('one', 3)
  t.equal((await hub.readBlob('logs', 'a/b.txt')).toString(), 'one')

  await hub.blobFault('refuse')
  await t.rejects(at('c').upload('two', 3), { code: 'ECONNREFUSED' })
  await hub.blobFault('stall')
  await t.rejects(at('c').upload('two', 3, { abortSignal: AbortSignal.timeout(300) }), { name: 'AbortError' })
  await hub.blobFault('slow')
  const from = performance.now()
  await at('c').upload(Buffer.alloc(64 * 1024), 64 * 1024)
  t.ok(performance.now() - from > 900, '64 KiB in a second')
  await hub.blobFault(null)
  await at('c').upload('two', 3)
})

const credentials = (deviceId: string) => ({
  clientId: deviceId,
  username: `${hub.hostName}/${deviceId}/?api-version=2021-04-12`,
  password: hub.sasToken({ deviceId }),
})

const refusals: Record<string, (deviceId: string) => Promise<Partial<ReturnType<typeof credentials>>>> = {
  'a wrong key': async deviceId => ({
    password: hub.sasToken({ deviceId }, { key: Buffer.from('wrong').toString('base64') }),
  }),
  'an expired token': async deviceId => ({ password: hub.sasToken({ deviceId }, { expiresInSeconds: -301 }) }),
  "another device's token": async () => ({ password: hub.sasToken({ deviceId: await addDevice() }) }),
  "the token of the device's own module": async deviceId => ({
    password: hub.sasToken({ deviceId, moduleId: 'recorder' }),
  }),
  'no token': async () => ({ password: 'secret' }),
  'a token that cannot be decoded': async () => ({ password: 'SharedAccessSignature sr=%&sig=%&se=1' }),
  'a user name without api-version': async deviceId => ({ username: `${hub.hostName}/${deviceId}` }),
  'a user name for another hub': async deviceId => ({
    username: `other.azure-devices.net/${deviceId}/?api-version=2021-04-12`,
  }),
  'a client id that is not in the user name': async () => ({ clientId: await addDevice() }),
  'a device id in another case': async deviceId => ({
    clientId: deviceId.toUpperCase(),
    username: `${hub.hostName}/${deviceId.toUpperCase()}/?api-version=2021-04-12`,
  }),
  'a disabled device': async deviceId => {
    hub.disableDevice(deviceId)
    return {}
  },
  'a deleted device': async deviceId => {
    const password = hub.sasToken({ deviceId })
    await hub.deleteDevice(deviceId)
    return { password }
  },
  'a key that was replaced': async deviceId => {
    const password = hub.sasToken({ deviceId })
    hub.regenerateKey({ deviceId })
    return { password }
  },
}

for (const [what, change] of Object.entries(refusals)) {
  t.test(`${what} is CONNACK 5`, async t => {
    const deviceId = await addDevice('recorder')
    const { port } = hub.door(deviceId)
    const own = credentials(deviceId)
    const client = rawClient({ port, ca: hub.ca })
    await connectRaw(client, { ...own, ...(await change(deviceId)) })
    await client.sees('closed')
    t.strictSame(client.seen, ['tcp', 'tls', 'connack 5', 'closeNotify', 'fin', 'closed'])
  })
}

t.test('host names are compared without port and case, and a token lives on for its grace', async t => {
  const deviceId = await addDevice()
  const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
  t.teardown(() => client.close())
  await connectRaw(client, {
    clientId: deviceId,
    username: `LOCALHOST:8883/${deviceId}/?api-version=2021-04-12`,
    password: hub.sasToken({ deviceId }, { expiresInSeconds: -60 }),
  })
  await client.sees('connack 0')
})

t.test('a session ends by a bare FIN soon after its token has expired', async t => {
  const deviceId = await addDevice()
  const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
  await connectRaw(client, { ...credentials(deviceId), password: hub.sasToken({ deviceId }, { expiresInSeconds: 3 }) })
  await client.sees('closed')
  t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'])
  t.match(
    hub.log.find(event => event.type === 'sessionEnded' && event.deviceId === deviceId),
    { why: 'tokenExpired' },
  )
})

t.test('disabling and deleting a device end its open sessions', async t => {
  for (const remove of ['disableDevice', 'deleteDevice'] as const) {
    const deviceId = await addDevice()
    const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
    await connectRaw(client, credentials(deviceId))
    await client.sees('connack 0')
    await hub[remove](deviceId)
    await client.sees('closed')
    t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'])
  }
})

for (const [what, topic, qos] of [
  ["another device's messages", 'devices/other/messages/events/', 1],
  ['a topic of no meaning', 'hello', 0],
  ['QoS 2', 'devices/OWN/messages/events/', 2],
] as const) {
  t.test(`a publish to ${what} closes the connection`, async t => {
    const deviceId = await addDevice()
    const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
    await connectRaw(client, credentials(deviceId))
    await client.sees('connack 0')
    const own = topic.replace('OWN', deviceId)
    client.send({ cmd: 'publish', topic: own, payload: 'x', qos, messageId: 3, dup: false, retain: false })
    await client.sees('closed')
    t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'])
  })
}

t.test('a subscription to everything closes the connection', async t => {
  const deviceId = await addDevice()
  const client = rawClient({ port: hub.door(deviceId).port, ca: hub.ca })
  await connectRaw(client, credentials(deviceId))
  await client.sees('connack 0')
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
  await client.sees('closed')
  t.strictSame(client.seen, ['tcp', 'tls', 'connack 0', 'closeNotify', 'fin', 'closed'])
})

t.test('HTTPS asks for a token and an api-version', async t => {
  const deviceId = await addDevice()
  const ask = async (path: string, authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    const sent = request({ host: 'localhost', path, headers, agent, method: 'POST' }).end('{"blobName":"x"}')
    const [response] = await once(sent, 'response')
    response.resume()
    return [response.statusCode, response.headers['iothub-errorcode']]
  }
  const files = `/devices/${deviceId}/files`
  const version = '?api-version=2021-04-12'
  const own = hub.sasToken({ deviceId })
  const foreign = hub.sasToken({ deviceId: await addDevice() })
  t.strictSame(await ask(files + version), [401, 'IotHubUnauthorizedAccess'])
  t.strictSame(await ask(files + version, foreign), [401, 'IotHubUnauthorizedAccess'])
  t.strictSame(await ask(`/twins/${deviceId}/methods${version}`, own), [401, 'IotHubUnauthorizedAccess'])
  t.strictSame(await ask(files, own), [400, 'ArgumentInvalid'])
  t.strictSame(await ask(files + version, own), [200, undefined])
})

t.test('a hub may have a name of its own, and each hub an authority of its own', async t => {
  await using other = await startHub({ hostName: 'my-hub.azure-devices.net' })
  const door = await other.addDevice('gateway')
  t.match(other.connectionString('gateway'), /^HostName=my-hub\.azure-devices\.net:\d+;DeviceId=gateway;/)
  const client = deviceSdk.Client.fromConnectionString(
    other.connectionString('gateway', undefined, { gateway: true }),
    Mqtt,
  )
  const otherAgent = other.agent()
  await client.setOptions({ ca: other.ca, http: { agent: otherAgent } })
  await client.open()
  t.match(await client.getBlobSharedAccessSignature('x'), { blobName: 'gateway/x' })
  await client.close()
  otherAgent.destroy()
  const distrustful = rawClient({ port: door.port, ca: hub.ca })
  await distrustful.sees('closed')
  t.strictSame(distrustful.seen, ['tcp', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'closed'])
})

t.test('a device that was deleted may be registered again, at the same port and with another key', async t => {
  const deviceId = await addDevice()
  const before = hub.connectionString(deviceId)
  await hub.deleteDevice(deviceId)
  t.throws(() => hub.connectionString(deviceId), { code: 404001 })
  await hub.addDevice(deviceId)
  const after = hub.connectionString(deviceId)
  const split = (text: string) => text.split(';SharedAccessKey=')
  t.equal(split(after)[0], split(before)[0])
  t.not(split(after)[1], split(before)[1])
})

t.test('waiting for an event that does not come fails, and shows the newest ones', async t => {
  await t.rejects(
    hub.waitFor(() => false, { timeoutMs: 10 }),
    { message: /nothing matched within 10 ms; the newest events:\n {2}\{"n":/ },
  )
  t.match(await hub.waitFor(() => true, { from: 0 }), { n: 0, type: 'tcpOpened' })
})
