/** The local hub speaks AMQP to the stock SDKs, refuses what IoT Hub refuses, and fails as it is told to. */

import { once } from 'node:events'
import deviceSdk from 'azure-iot-device'
import { Amqp } from 'azure-iot-device-amqp'
import { Mqtt } from 'azure-iot-device-mqtt'
import serviceSdk from 'azure-iothub'
import rhea, { type EventContext, type Message, type Sender } from 'rhea'
import t, { type Test } from 'tap'
import { type Door, type Fault, type Hub, type HubEvent, startHub } from '../hub/hub.js'
import { type RawAmqpClient, rawAmqpClient } from '../support/raw-amqp-client.js'

const hub: Hub = await startHub()
const agent = hub.agent()
t.teardown(() => {
  agent.destroy()
  return hub.close()
})

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

/** The stock device client with the connection string as it is, open, and closed with the test. */
const openDevice = async (t: Test, deviceId: string) => {
  const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Amqp)
  t.teardown(() => client.close())
  await client.setOptions({ ca: hub.ca })
  await client.open()
  return client
}

const openModule = async (t: Test, deviceId: string, moduleId: string) => {
  const client = deviceSdk.ModuleClient.fromConnectionString(hub.connectionString(deviceId, moduleId), Amqp)
  t.teardown(() => client.close())
  await client.setOptions({ ca: hub.ca })
  await client.open()
  return client
}

const dial = (t: Test, door: Door, idleTimeOutMs?: number): RawAmqpClient => {
  const client = rawAmqpClient({
    port: door.port,
    ca: hub.ca,
    ...(idleTimeOutMs === undefined ? {} : { idleTimeOutMs }),
  })
  t.teardown(() => client.close())
  return client
}

/** Signed in, and up to here as healthy as can be. */
const signIn = async (t: Test, deviceId: string, door: Door): Promise<RawAmqpClient> => {
  const client = dial(t, door)
  t.strictSame(await client.putToken(hub.sasToken({ deviceId })), [200, 'OK'])
  return client
}
const signedIn = ['tls', 'open', 'attach $cbs sender', 'attach $cbs receiver', 'transfer $cbs receiver', 'putToken 200']

const methods = (deviceId: string) => `/devices/${deviceId}/methods/devicebound`
const events = (deviceId: string) => `/devices/${deviceId}/messages/events`

const attachMethods = async (client: RawAmqpClient, deviceId: string) => {
  client.attach(methods(deviceId), 'sender')
  client.attach(methods(deviceId), 'receiver')
  await client.sees('attach methods sender')
  await client.sees('attach methods receiver')
}

const attachEvents = async (client: RawAmqpClient, deviceId: string): Promise<Sender> => {
  const sender = client.attach(events(deviceId), 'sender') as Sender
  await once(sender, 'sendable')
  return sender
}

const send = (sender: Sender, body = 'hello') =>
  sender.send({ body: rhea.message.data_section(Buffer.from(body)) } as unknown as Message)

/** What the hub wrote down of a device, without its name and the time. */
const told = (deviceId: string, from = 0, ...types: HubEvent['type'][]) =>
  hub.log.flatMap(event => {
    if (event.n < from || !types.includes(event.type) || !('deviceId' in event) || event.deviceId !== deviceId)
      return []
    const { n, monoMs, at, deviceId: _id, ...rest } = event
    return [rest]
  })

const eventOf = (deviceId: string, type: HubEvent['type'], options?: { from?: number }) =>
  hub.waitFor(event => event.type === type && 'deviceId' in event && event.deviceId === deviceId, options)

const methodsUp = (deviceId: string) =>
  hub.waitFor(
    event =>
      event.type === 'attach' &&
      event.deviceId === deviceId &&
      event.by === 'hub' &&
      event.link === 'methods' &&
      event.role === 'receiver',
    { from: 0 },
  )

t.test('the stock service client calls a method, and the stock AMQP device client answers it', async t => {
  const { deviceId } = await addDevice()
  const client = await openDevice(t, deviceId)
  client.onDeviceMethod('greet', (request, response) => response.send(201, { hello: request.payload.name }))
  await methodsUp(deviceId)
  const { result } = await service().invokeDeviceMethod(deviceId, { methodName: 'greet', payload: { name: 'Ada' } })
  t.strictSame(result, { status: 201, payload: { hello: 'Ada' } })
  t.strictSame(await hub.invokeMethod({ deviceId }, { methodName: 'greet', payload: { name: 'Bob' } }), {
    status: 201,
    payload: { hello: 'Bob' },
  })
})

t.test('a module has methods of its own, over AMQP as its device over MQTT', async t => {
  const { deviceId } = await addDevice('recorder')
  const device = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Mqtt)
  t.teardown(() => device.close())
  await device.setOptions({ ca: hub.ca })
  await device.open()
  const module = await openModule(t, deviceId, 'recorder')
  const subscribed = eventOf(deviceId, 'subscribe')
  device.onDeviceMethod('who', (_request, response) => response.send(200, 'device'))
  module.onMethod('who', (_request, response) => response?.send(200, 'module'))
  await Promise.all([subscribed, methodsUp(deviceId)])
  const asked = await service().invokeDeviceMethod(deviceId, 'recorder', { methodName: 'who' })
  t.strictSame(asked.result, { status: 200, payload: 'module' })
  const { result } = await service().invokeDeviceMethod(deviceId, { methodName: 'who' })
  t.strictSame(result, { status: 200, payload: 'device' })
})

t.test('the stock AMQP device client sends a message and shares its twin', async t => {
  const { deviceId } = await addDevice()
  const client = await openDevice(t, deviceId)
  await client.sendEvent(new deviceSdk.Message('hello'))
  t.match(told(deviceId, 0, 'transfer').at(-1), { by: 'device', link: 'events' })

  await hub.patchDesired({ deviceId }, { interval: 10, nested: { a: 1, b: 2 } })
  const twin = await client.getTwin()
  t.strictSame(twin.properties.desired.interval, 10)
  const changed = once(twin, 'properties.desired.nested')
  await new Promise<void>((resolve, reject) => {
    twin.properties.reported.update({ version: '1.0' }, (error?: Error) => (error ? reject(error) : resolve()))
  })
  await hub.patchDesired({ deviceId }, { nested: { a: null, c: 3 } })
  await changed
  t.strictSame(hub.twin({ deviceId }), {
    desired: { interval: 10, nested: { b: 2, c: 3 }, $version: 3 },
    reported: { version: '1.0', $version: 2 },
  })
})

t.test('a device and a module may wait for messages from the cloud', async t => {
  const { deviceId } = await addDevice('recorder')
  const up = (moduleId: string | null) =>
    hub.waitFor(
      event =>
        event.type === 'attach' &&
        event.deviceId === deviceId &&
        event.moduleId === moduleId &&
        event.by === 'hub' &&
        event.link === 'messages',
      { from: 0 },
    )
  const device = await openDevice(t, deviceId)
  device.on('message', () => {})
  t.match(await up(null), { role: 'receiver' })
  const module = await openModule(t, deviceId, 'recorder')
  module.on('inputMessage', () => {})
  t.match(await up('recorder'), { role: 'receiver' })
  // The stock client takes 45 s to close while a link of its own is on the way.
  await module.getTwin()
})

t.test('a message of several frames arrives whole, and one over 256 KiB detaches its link', async t => {
  const { deviceId, door } = await addDevice()
  const client = await signIn(t, deviceId, door)
  const sender = await attachEvents(client, deviceId)
  send(sender, 'x'.repeat(200_000))
  await client.sees('accepted')
  // Rhea puts a few bytes around them.
  t.match(told(deviceId, 0, 'transfer').at(-1), { by: 'device', link: 'events', bytes: 200_016 })
  send(sender, 'x'.repeat(300_000))
  await client.sees('detach events sender amqp:link:message-size-exceeded')
})

t.test('a stock client renews its token on the connection that it has, and the session lives on', async t => {
  const { deviceId } = await addDevice()
  const provider = deviceSdk.SharedAccessKeyAuthenticationProvider.fromConnectionString(
    hub.connectionString(deviceId),
    4,
    2,
  )
  const client = deviceSdk.Client.fromAuthenticationProvider(provider, Amqp)
  t.teardown(() => client.close())
  await client.setOptions({ ca: hub.ca })
  await client.open()
  client.onDeviceMethod('ping', (_request, response) => response.send(200))
  const renewals = () => hub.log.filter(event => event.type === 'putToken' && event.deviceId === deviceId).length
  // The first token is over one second after its expiry, so the fourth is put into a session that renewal has kept.
  await hub.waitFor(() => renewals() === 4)
  t.match(await hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { status: 200 })
  const { connection, moduleId, ...rest } = told(deviceId, 0, 'putToken').at(-1) as Record<string, unknown>
  t.strictSame(rest, { type: 'putToken', status: 200, description: 'OK', renewal: true, why: null })
  t.strictSame(told(deviceId, 0, 'sessionEnded', 'close'), [])
})

t.test('a session ends by close soon after its token has expired', async t => {
  const { deviceId, door } = await addDevice()
  const client = dial(t, door)
  await client.putToken(hub.sasToken({ deviceId }, { expiresInSeconds: 2 }))
  await client.sees('closed')
  t.strictSame(client.seen, [...signedIn, 'close amqp:unauthorized-access', 'fin', 'closed'])
  t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'tokenExpired' }])
})

for (const remove of ['disableDevice', 'deleteDevice'] as const) {
  t.test(`${remove} ends the session`, async t => {
    const { deviceId, door } = await addDevice()
    const client = await signIn(t, deviceId, door)
    await hub[remove](deviceId)
    await client.sees('closed')
    t.strictSame(client.seen, [...signedIn, 'close amqp:unauthorized-access', 'fin', 'closed'])
    t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'identity' }])
  })
}

const refusals: Record<string, (deviceId: string) => Promise<string>> = {
  'a wrong key': async deviceId => hub.sasToken({ deviceId }, { key: Buffer.from('wrong').toString('base64') }),
  'an expired token': async deviceId => hub.sasToken({ deviceId }, { expiresInSeconds: -301 }),
  'no token': async () => 'secret',
  'the token of a service': async () => 'SharedAccessSignature sr=localhost&sig=x&se=99999999999&skn=iothubowner',
  'a disabled device': async deviceId => {
    hub.disableDevice(deviceId)
    return hub.sasToken({ deviceId })
  },
  'a deleted device': async deviceId => {
    const token = hub.sasToken({ deviceId })
    await hub.deleteDevice(deviceId)
    return token
  },
}

for (const [what, token] of Object.entries(refusals)) {
  t.test(`${what} is answered by 401, and no link is had`, async t => {
    const { deviceId, door } = await addDevice()
    const client = dial(t, door)
    t.match(await client.putToken(await token(deviceId)), [401, String])
    client.attach(methods(deviceId), 'receiver')
    await client.sees('detach methods receiver amqp:unauthorized-access')
    t.match(told(deviceId, 0, 'putToken'), [{ status: 401, renewal: false, why: String }])
  })
}

t.test(
  'links are had only after a put-token, only at the own addresses, and only where there is something',
  async t => {
    const { deviceId, door } = await addDevice()
    const other = await addDevice()
    const client = dial(t, door)
    client.attach(events(deviceId), 'sender')
    await client.sees('detach events sender amqp:unauthorized-access')
    await client.putToken(hub.sasToken({ deviceId }))
    client.attach(methods(other.deviceId), 'receiver')
    await client.sees('detach methods receiver amqp:unauthorized-access')
    client.attach('/messages/events', 'receiver')
    await client.sees('detach /messages/events receiver amqp:not-found')
  },
)

t.test('a second client takes the session over, and the older one hears that its links were stolen', async t => {
  const { deviceId, door } = await addDevice()
  const older = await signIn(t, deviceId, door)
  await attachMethods(older, deviceId)
  const newer = await signIn(t, deviceId, door)
  await older.sees('detach methods sender amqp:link:stolen')
  await older.sees('detach methods receiver amqp:link:stolen')
  t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'takeOver' }])
  await t.rejects(hub.invokeMethod({ deviceId }, { methodName: 'ping' }), { code: 404103 })
  await attachMethods(newer, deviceId)
  const call = hub.invokeMethod({ deviceId }, { methodName: 'ping', responseTimeoutInSeconds: 0.2 })
  await t.rejects(call, { code: 504101 })
  t.ok(newer.seen.includes('transfer methods receiver'))
})

t.test('one identity has one session, whatever the protocols', async t => {
  const { deviceId, door } = await addDevice()
  const byMqtt = async () => {
    const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Mqtt)
    t.teardown(() => client.close())
    await client.setOptions({ ca: hub.ca })
    await client.open()
    return client
  }
  await byMqtt()
  const client = await signIn(t, deviceId, door)
  t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'takeOver' }])
  await attachMethods(client, deviceId)
  await byMqtt()
  await client.sees('detach methods receiver amqp:link:stolen')
  t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'takeOver' }, { why: 'takeOver' }])
})

t.test('the hub sends heartbeats as often as it is asked to, and says how often it wants to hear', async t => {
  const { deviceId, door } = await addDevice()
  const client = dial(t, door, 200)
  await client.sees('heartbeat', 3)
  t.notOk(client.seen.some(line => line.startsWith('close')))
  t.match(told(deviceId, 0, 'open'), [
    { by: 'device', idleTimeOutMs: 200 },
    { by: 'hub', idleTimeOutMs: 240_000 },
  ])
})

t.test('a client that falls silent is closed after the idle time-out', async t => {
  await using impatient = await startHub({ amqpIdleTimeOutMs: 400 })
  const door = await impatient.addDevice('gateway')
  const client = rawAmqpClient({ port: door.port, ca: impatient.ca })
  t.teardown(() => client.close())
  await client.putToken(impatient.sasToken({ deviceId: 'gateway' }))
  await impatient.waitFor(event => event.type === 'heartbeat' && event.by === 'device')
  await door.set({ kind: 'blackHole', direction: 'towardHub' })
  await client.sees('close amqp:connection:forced')
  t.match(
    impatient.log.filter(event => event.type === 'sessionEnded'),
    [{ why: 'keepalive' }],
  )
})

t.test('bytes that are no AMQP end the connection', async t => {
  const { deviceId, door } = await addDevice()
  const client = await signIn(t, deviceId, door)
  const { socket } = client.connection as unknown as { socket: { write(bytes: Buffer): void } }
  socket.write(Buffer.from([0x00, 0x00, 0x00, 0x01, 0xff]))
  await client.sees('closed')
  t.strictSame(client.seen, [...signedIn, 'fin', 'closed'])
  t.match(told(deviceId, 0, 'sessionEnded'), [{ why: 'forbidden' }])
})

for (const status of [401, 429, 503]) {
  t.test(`a put-token can be answered by ${status}, as often as is wanted`, async t => {
    const { deviceId, door } = await addDevice()
    await door.set({ kind: 'cbs', status, description: 'because', times: 1 })
    const client = deviceSdk.Client.fromConnectionString(hub.connectionString(deviceId), Amqp)
    t.teardown(() => client.close())
    await client.setOptions({ ca: hub.ca })
    await t.rejects(client.open(), { name: 'UnauthorizedError', message: 'because' })
    await client.open()
    t.match(told(deviceId, 0, 'putToken'), [{ status, description: 'because', why: 'a fault' }, { status: 200 }])
  })
}

t.test('a put-token can be left unanswered', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'cbsSilent', times: 1 })
  const client = dial(t, door)
  void client.putToken(hub.sasToken({ deviceId }))
  await eventOf(deviceId, 'putToken')
  t.strictSame(await client.putToken(hub.sasToken({ deviceId })), [200, 'OK'])
  t.match(told(deviceId, 0, 'putToken'), [{ status: null, description: null, why: 'a fault' }, { status: 200 }])
  t.strictSame(
    client.seen.filter(line => line.startsWith('putToken')),
    ['putToken 200'],
  )
})

t.test('a renewal can be refused', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'renewalRefused', times: 1 })
  const client = await signIn(t, deviceId, door)
  t.strictSame(await client.putToken(hub.sasToken({ deviceId })), [401, 'Unauthorized'])
  t.strictSame(await client.putToken(hub.sasToken({ deviceId })), [200, 'OK'])
})

t.test('open can be left unanswered', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'noOpen', times: 1 })
  const silenced = dial(t, door)
  await eventOf(deviceId, 'open', { from: 0 })
  // The next one is answered, so the first would have been by now.
  await (await signIn(t, deviceId, door)).sees('putToken 200')
  t.strictSame(silenced.seen, ['tls'])
})

t.test('the attach of the methods link can be left unanswered, and others are not touched', async t => {
  const { deviceId, door } = await addDevice()
  await door.set({ kind: 'noAttach' })
  const client = await signIn(t, deviceId, door)
  client.attach(methods(deviceId), 'receiver')
  const ignored = client.attach(methods(deviceId), 'sender')
  const sender = await attachEvents(client, deviceId)
  t.strictSame(client.seen, [...signedIn, 'attach events sender'])
  // What follows for a link that was ignored is ignored, too.
  ignored.close()
  send(sender)
  await client.sees('accepted')
  await door.heal()
  await attachMethods(client, deviceId)
})

const conditions = [
  'amqp:unauthorized-access',
  'amqp:connection:forced',
  'amqp:resource-limit-exceeded',
  'com.microsoft:timeout',
  undefined,
]
const ending = (condition: string | undefined) => (condition === undefined ? '' : ` ${condition}`)
const withReason = (condition: string | undefined) =>
  condition === undefined ? {} : { condition, description: 'because' }

for (const condition of conditions) {
  t.test(`close with ${condition ?? 'no error'}: at once after open, and to a session that is up`, async t => {
    const { deviceId, door } = await addDevice()
    const fault: Fault = { kind: 'amqpClose', ...withReason(condition), times: 1 }
    const told = (from: number) =>
      hub.waitFor(event => event.type === 'close' && event.by === 'hub' && event.deviceId === deviceId, { from })
    const reason = { condition: condition ?? null, description: condition === undefined ? null : 'because' }

    await door.set(fault)
    const early = dial(t, door)
    await early.sees('closed')
    t.strictSame(early.seen, ['tls', 'open', `close${ending(condition)}`, 'fin', 'closed'])
    t.match(await told(0), reason)

    const client = await signIn(t, deviceId, door)
    const from = hub.log.length
    await door.set(fault)
    await client.sees('closed')
    t.strictSame(client.seen, [...signedIn, `close${ending(condition)}`, 'fin', 'closed'])
    t.match(await told(from), reason)
    t.match(await eventOf(deviceId, 'sessionEnded', { from }), { why: 'fault' })
    await signIn(t, deviceId, door)
  })
}

const detachConditions = [
  'amqp:link:stolen',
  'amqp:link:detach-forced',
  'com.microsoft:device-container-throttled',
  'com.microsoft:timeout',
  undefined,
]

for (const condition of detachConditions) {
  t.test(`detach of the methods links with ${condition ?? 'no error'}: after attach, and when they are up`, async t => {
    const { deviceId, door } = await addDevice()
    const client = await signIn(t, deviceId, door)
    const fault: Fault = { kind: 'amqpDetach', link: 'methods', ...withReason(condition), times: 1 }
    await door.set(fault)
    client.attach(methods(deviceId), 'receiver')
    await client.sees(`detach methods receiver${ending(condition)}`)
    t.strictSame(client.seen, [...signedIn, 'attach methods receiver', `detach methods receiver${ending(condition)}`])

    client.attach(methods(deviceId), 'sender')
    client.attach(methods(deviceId), 'receiver')
    await client.sees('attach methods receiver', 2)
    await client.sees('attach methods sender')
    const sender = await attachEvents(client, deviceId)
    await door.set(fault)
    await client.sees(`detach methods receiver${ending(condition)}`, 2)
    await client.sees(`detach methods sender${ending(condition)}`)
    // The other link is not touched, and neither is what comes later.
    send(sender)
    await client.sees('accepted')
    await attachMethods(client, deviceId)
  })
}

t.test('detach of one role, of the events link, and of all links', async t => {
  const { deviceId, door } = await addDevice()
  const client = await signIn(t, deviceId, door)
  await attachMethods(client, deviceId)
  await attachEvents(client, deviceId)
  const detached = () => client.seen.filter(line => line.startsWith('detach'))
  await door.set({ kind: 'amqpDetach', link: 'methods', role: 'receiver', times: 1 })
  await client.sees('detach methods receiver')
  t.strictSame(detached(), ['detach methods receiver'])
  await door.set({ kind: 'amqpDetach', link: 'events', condition: 'amqp:link:detach-forced', times: 1 })
  await client.sees('detach events sender amqp:link:detach-forced')
  await attachEvents(client, deviceId)
  await door.set({ kind: 'amqpDetach', link: 'all', condition: 'amqp:internal-error', times: 1 })
  await client.sees('detach methods sender amqp:internal-error')
  await client.sees('detach events sender amqp:internal-error')
  // $cbs is spared.
  t.strictSame(await client.putToken(hub.sasToken({ deviceId })), [200, 'OK'])
})

t.test('end of the session: at once after begin, and when links are up', async t => {
  const { deviceId, door } = await addDevice()
  const fault: Fault = { kind: 'amqpEnd', condition: 'amqp:session:unattached-handle', description: 'x', times: 1 }
  await door.set(fault)
  const early = dial(t, door)
  early.attach(events(deviceId), 'sender')
  await early.sees('end amqp:session:unattached-handle')

  const client = await signIn(t, deviceId, door)
  await attachMethods(client, deviceId)
  await door.set({ kind: 'amqpEnd', times: 1 })
  await client.sees('end')
  t.match(told(deviceId, 0, 'sessionEnded').at(-1), { why: 'fault' })
  t.notOk(client.seen.includes('fin'))
})

t.test('heartbeats and all else can stop while TCP goes on, and come again when healed', async t => {
  const { deviceId, door } = await addDevice()
  const client = dial(t, door, 200)
  await client.putToken(hub.sasToken({ deviceId }))
  await client.sees('heartbeat')
  await door.set({ kind: 'amqpSilent' })
  const from = hub.log.length
  const seen = client.seen.length
  await client.sees('closed')
  t.strictSame(client.seen.slice(seen), ['fin', 'closed'], 'no frame')
  t.match(await eventOf(deviceId, 'tcpClosed', { from }), { first: 'device' })
  // The raw client said close because it heard nothing.
  t.match(told(deviceId, from, 'close'), [{ by: 'device', condition: 'amqp:resource-limit-exceeded' }])

  const unheard = dial(t, door)
  await eventOf(deviceId, 'open', { from })
  t.strictSame(unheard.seen, ['tls'])
  await door.heal()
  await unheard.sees('open')
})

for (const condition of ['amqp:resource-limit-exceeded', 'com.microsoft:message-too-large']) {
  t.test(`a message can be rejected with ${condition}`, async t => {
    const { deviceId, door } = await addDevice()
    const client = await signIn(t, deviceId, door)
    const sender = await attachEvents(client, deviceId)
    await door.set({ kind: 'rejectSends', condition, description: 'because', times: 1 })
    send(sender)
    await client.sees(`rejected ${condition}`)
    send(sender)
    await client.sees('accepted')
    const { connection, moduleId, ...rest } = told(deviceId, 0, 'rejected')[0] as Record<string, unknown>
    t.strictSame(rest, { type: 'rejected', link: 'events', condition, description: 'because' })
  })
}

t.test('a method request may carry what is not JSON, and an answer too', async t => {
  const { deviceId, door } = await addDevice()
  const client = await signIn(t, deviceId, door)
  const answers = client.attach(methods(deviceId), 'sender') as Sender
  client.attach(methods(deviceId), 'receiver').on('message', ({ message }: EventContext) => {
    answers.send({
      correlation_id: message?.correlation_id,
      application_properties: { 'IoThub-status': rhea.types.wrap_int(200) },
      body: rhea.message.data_section(Buffer.from([0xff])),
    } as unknown as Message)
  })
  await methodsUp(deviceId)
  t.strictSame(await hub.invokeRaw({ deviceId }, 'odd', Buffer.from('{"half":')), {
    status: 200,
    payload: Buffer.from([0xff]),
  })
})

t.test('the faults of TCP and TLS meet AMQP at the same door', async t => {
  const { deviceId, door } = await addDevice()
  const client = await signIn(t, deviceId, door)
  door.cut('rst')
  await client.sees('ECONNRESET')
  t.match(await eventOf(deviceId, 'sessionEnded', { from: 0 }), { why: 'lost' })
  await door.set({ kind: 'certificate', certificate: 'expired' })
  const distrustful = dial(t, door)
  await distrustful.sees('CERT_HAS_EXPIRED')
  await door.set({ kind: 'refuse' })
  const refused = dial(t, door)
  await refused.sees('ECONNREFUSED')
})
