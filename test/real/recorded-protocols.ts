/** An application over AMQP and over both WebSockets: what its recorded connection tells, and that nothing changes for it. */
import common from 'azure-iot-common'
import device, { type Client } from 'azure-iot-device'
import amqpDevice from 'azure-iot-device-amqp'
import mqttDevice from 'azure-iot-device-mqtt'
import t, { type Test } from 'tap'
import { recorded } from '../../agent/library.js'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { startToldDaemon } from '../support/told-daemon.js'

const { Client: DeviceClient, Message } = device
const { NoRetry } = common

const hub = await startHub()
const daemon = await startToldDaemon()
t.teardown(async () => {
  await daemon[Symbol.asyncDispose]()
  await hub.close()
  // The SDK waits 45 s for answers to what it said after the hub's close, and nobody can tell it not to.
  setImmediate(() => process.exit())
})

type Kind = 'stock' | 'recorded'
type Told = Exclude<Protocol, 'mqtt'>

const transports = { 'mqtt-ws': mqttDevice.MqttWs, amqp: amqpDevice.Amqp, 'amqp-ws': amqpDevice.AmqpWs } as const

let devices = 0

type App = Readonly<{ client: Client; door: Door; name: string; seen: object[] }>

const inWords = (error: unknown): object => {
  if (!(error instanceof Error)) return {}
  return { name: error.name, message: error.message.replace(/:\d{4,5}\b/g, ':PORT'), class: error.constructor.name }
}

async function application(t: Test, kind: Kind, protocol: Told): Promise<App> {
  const name = `app-${++devices}`
  const door = await hub.addDevice(name)
  const stock = transports[protocol]
  const Transport = kind === 'stock' ? stock : recorded<typeof stock>(stock, { name, socket: daemon.path })
  const isWebSocket = protocol.endsWith('-ws')
  const client = DeviceClient.fromConnectionString(
    hub.connectionString(name, undefined, { port: !isWebSocket }),
    Transport as typeof mqttDevice.MqttWs,
  )
  client.setRetryPolicy(new NoRetry())
  const seen: object[] = []
  for (const saw of ['connect', 'disconnect', 'error'] as const) {
    client.on(saw as 'error', (error?: Error) => void seen.push({ saw, ...inWords(error) }))
  }
  const agent = hub.doorAgent(name)
  const webSocket = { mqtt: { webSocketAgent: agent }, amqp: { webSocketAgent: agent } }
  await client.setOptions({ ca: hub.ca, ...(isWebSocket ? webSocket : {}) })
  t.teardown(async () => {
    await Promise.race([
      client.close().catch(() => undefined),
      new Promise(resolve => setTimeout(resolve, 500).unref()),
    ])
    agent.destroy()
  })
  return { client, door, name, seen }
}

const toldBy = (name: string): WireEvent[] => {
  let speaker = ''
  const told: WireEvent[] = []
  for (const message of daemon.messages) {
    if (message.type === 'hello') speaker = message.name
    else if (message.type === 'event' && speaker === name) told.push(message.event)
  }
  return told
}

const isEnd = ({ type }: WireEvent): boolean => type === 'closed' || type === 'refused'

const essence = (event: WireEvent | undefined): object => {
  if (event?.type === 'closed') {
    const { by, how, stage, reason, error } = event
    return { by, how, stage, reason, code: error?.code ?? null }
  }
  return event?.type === 'refused' ? { step: event.step, code: event.code } : { type: event?.type }
}

const untilTold = async (name: string, match: (event: WireEvent) => boolean): Promise<WireEvent[]> => {
  await daemon.next((message): message is never => message.type === 'event' && toldBy(name).some(match))
  return toldBy(name)
}

const steps: Readonly<Record<Told, readonly string[]>> = {
  // The request is announced when its socket is there, so a fast resolver may have answered before.
  'mqtt-ws': ['connecting', 'tcpConnected', 'tlsSecured', 'upgraded', 'accepted'],
  amqp: ['connecting', 'resolved', 'tcpConnected', 'tlsSecured', 'attached', 'attached', 'authorized', 'accepted'],
  'amqp-ws': ['connecting', 'tcpConnected', 'tlsSecured', 'upgraded', 'attached', 'attached', 'authorized', 'accepted'],
}

for (const protocol of ['mqtt-ws', 'amqp', 'amqp-ws'] as const) {
  t.test(`${protocol}: a session from its first step to the application’s goodbye`, async t => {
    const app = await application(t, 'recorded', protocol)
    await app.client.open()
    await app.client.sendEvent(new Message('hello'))
    app.client.onDeviceMethod('ping', (_request, response) => void response.send(200))
    await untilTold(app.name, ({ type }) => type === 'subscribed')
    await app.client.close()
    const told = await untilTold(app.name, isEnd)
    const shown = told.map(({ type }) => type)
    const accepted = shown.indexOf('accepted') + 1
    t.strictSame(
      shown.slice(0, accepted).filter(type => protocol === 'amqp' || type !== 'resolved'),
      steps[protocol],
    )
    t.match(told[0], { type: 'connecting', protocol, host: 'localhost', credential: { kind: 'key' } })
    t.strictSame(essence(told.find(isEnd)), {
      by: 'application',
      how: 'goodbye',
      stage: 'session',
      reason: null,
      code: null,
    })
    const end = told.find(isEnd)
    t.ok(end?.type === 'closed' && end.bytesRead > 0 && end.bytesWritten > 0)
    t.strictSame(breaches(told), [])
  })

  const faults: readonly Readonly<{ fault: Fault; end: object; only?: readonly Told[] }>[] = [
    { fault: { kind: 'refuse' }, end: { by: 'network', how: 'error', stage: 'tcp', code: 'ECONNREFUSED' } },
    { fault: { kind: 'finAtAccept' }, end: { by: 'hub', how: 'fin', stage: 'tls', code: 'ECONNRESET' } },
    {
      fault: { kind: 'certificate', certificate: 'expired' },
      end: { by: 'us', how: 'error', stage: 'tls', code: 'CERT_HAS_EXPIRED' },
    },
    { fault: { kind: 'connack', code: 5 }, end: { step: 'connack', code: 5 }, only: ['mqtt-ws'] },
    { fault: { kind: 'cbs', status: 401 }, end: { step: 'cbs', code: 401 }, only: ['amqp', 'amqp-ws'] },
    { fault: { kind: 'upgrade', status: 403 }, end: { step: 'upgrade', code: 403 }, only: ['mqtt-ws', 'amqp-ws'] },
  ]
  for (const { fault, end, only = [protocol] } of faults) {
    if (!only.includes(protocol)) continue
    t.test(`${protocol}: an open that meets ${JSON.stringify(fault)} fails as ever, and the wire is told`, async t => {
      const outcomes = await Promise.all(
        (['stock', 'recorded'] as const).map(async kind => {
          const app = await application(t, kind, protocol)
          await app.door.set(fault)
          const opened = await app.client.open().then(() => 'done', inWords)
          return { name: app.name, outcome: { opened, seen: app.seen } }
        }),
      )
      const [stock, watched] = outcomes
      t.strictSame(watched?.outcome, stock?.outcome)
      const told = await untilTold(watched?.name ?? '', isEnd)
      t.match(essence(told.find(isEnd)), end)
      t.strictSame(breaches(told), [])
    })
  }

  const strikes: readonly Readonly<{ name: string; strike(app: App): unknown; end: object; only?: readonly Told[] }>[] =
    [
      { name: 'a FIN', strike: ({ door }) => door.cut('fin'), end: { by: 'hub', how: 'fin', stage: 'session' } },
      {
        name: 'a reset',
        strike: ({ door }) => door.cut('rst'),
        end: { by: 'unknown', how: 'rst', stage: 'session', code: 'ECONNRESET' },
      },
      {
        name: 'the hub’s close',
        strike: ({ door }) => door.set({ kind: 'amqpClose', condition: 'amqp:connection:forced', description: 'bye' }),
        end: { by: 'hub', how: 'goodbye', stage: 'session', code: 'amqp:connection:forced' },
        only: ['amqp', 'amqp-ws'],
      },
    ]
  for (const { name, strike, end, only = [protocol] } of strikes) {
    if (!only.includes(protocol)) continue
    t.test(`${protocol}: a session that meets ${name} ends, and the wire is told`, async t => {
      const app = await application(t, 'recorded', protocol)
      await app.client.open()
      await app.client.sendEvent(new Message('hello'))
      await untilTold(app.name, ({ type }) => type === 'accepted')
      await strike(app)
      const told = await untilTold(app.name, isEnd)
      t.match(essence(told.find(isEnd)), end)
      t.strictSame(breaches(told, false), [])
    })
  }
}

t.test('amqp: a link that the hub takes away, and a message that it does not take, are told', async t => {
  const app = await application(t, 'recorded', 'amqp')
  await app.client.open()
  app.client.onDeviceMethod('ping', (_request, response) => void response.send(200))
  await untilTold(app.name, ({ type }) => type === 'subscribed')
  await app.door.set({ kind: 'rejectSends', condition: 'amqp:not-allowed', times: 1 })
  await t.rejects(app.client.sendEvent(new Message('too much')))
  t.match(
    (await untilTold(app.name, ({ type }) => type === 'rejected')).find(({ type }) => type === 'rejected'),
    { link: 'events', condition: 'amqp:not-allowed' },
  )
  await app.door.set({ kind: 'amqpDetach', link: 'methods', condition: 'amqp:link:detach-forced', times: 1 })
  t.match(
    (await untilTold(app.name, ({ type }) => type === 'detached')).find(({ type }) => type === 'detached'),
    { link: 'methods', condition: 'amqp:link:detach-forced' },
  )
  t.strictSame(breaches(toldBy(app.name), false), [])
})

t.test('amqp: a token that is renewed is told, and the session goes on', async t => {
  const app = await application(t, 'recorded', 'amqp')
  await app.client.open()
  const { _transport: transport } = app.client as unknown as {
    _transport: { _authenticationProvider: NodeJS.EventEmitter }
  }
  const sharedAccessSignature = hub.sasToken({ deviceId: app.name })
  transport._authenticationProvider.emit('newTokenAvailable', { sharedAccessSignature })
  const told = await untilTold(app.name, ({ type }) => type === 'renewalDone')
  t.match(
    told.find(({ type }) => type === 'renewalDone'),
    { ok: true, attempt: 1 },
  )
  t.notOk(told.some(isEnd))
  t.strictSame(breaches(told, false), [])
})
