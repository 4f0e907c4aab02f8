/** An application's own client over the real SDK and real TLS: what it tells of each fault, and that nothing changes for it. */
import { errorMonitor } from 'node:events'
import device, { type Client } from 'azure-iot-device'
import mqttDevice from 'azure-iot-device-mqtt'
import t, { type Test } from 'tap'
import { recorded } from '../../agent/library.js'
import { versions } from '../../agent/versions.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { startToldDaemon } from '../support/told-daemon.js'

const { Client: DeviceClient, Message, ModuleClient } = device
const { Mqtt } = mqttDevice

const hub = await startHub()
const daemon = await startToldDaemon()
const { toldBy, untilTold } = daemon
t.teardown(async () => {
  await daemon[Symbol.asyncDispose]()
  await hub.close()
})

let devices = 0

/** What an application can see of its own client, in order. */
type Seen = Readonly<{ saw: string; error?: Readonly<Record<string, unknown>> }>

type App = Readonly<{ client: Client; door: Door; name: string; seen: Seen[]; listeners(): object }>

const inWords = (error: unknown): { error?: Readonly<Record<string, unknown>> } => {
  if (!(error instanceof Error)) return {}
  const { name, message } = error
  // Ports differ between two devices.
  return { error: { name, message: message.replace(/:\d{4,5}\b/g, ':PORT'), class: error.constructor.name } }
}

type Kind = 'stock' | 'recorded'

async function application(t: Test, kind: Kind): Promise<App> {
  const name = `app-${++devices}`
  const door = await hub.addDevice(name)
  const Transport = kind === 'stock' ? Mqtt : recorded(Mqtt, { name, socket: daemon.path })
  const client: Client = DeviceClient.fromConnectionString(hub.connectionString(name), Transport)
  const seen: Seen[] = []
  for (const saw of ['connect', 'disconnect', 'error'] as const) {
    client.on(saw as 'error', (error?: Error) => void seen.push({ saw, ...inWords(error) }))
  }
  await client.setOptions({ ca: hub.ca })
  t.teardown(() => client.close().catch(() => undefined))
  const { _transport: transport } = client as unknown as { _transport: NodeJS.EventEmitter }
  // Two are ours, and hear what the SDK tells its client: neither takes anything away.
  const ours = (event: string | symbol): number =>
    kind === 'recorded' && (event === 'disconnect' || event === errorMonitor) ? 1 : 0
  return {
    client,
    door,
    name,
    seen,
    listeners: () =>
      Object.fromEntries(
        transport
          .eventNames()
          .map(event => [String(event), transport.listenerCount(event) - ours(event)] as const)
          .filter(([, count]) => count > 0),
      ),
  }
}

/** What decides about a verdict; times and counts differ from run to run. */
const essence = (event: WireEvent | undefined): object => {
  if (event?.type === 'closed') {
    const { by, how, stage, reason, error, certificate } = event
    return { by, how, stage, reason, code: error?.code ?? null, shown: certificate?.subject ?? null }
  }
  if (event?.type === 'refused') return { step: event.step, code: event.code }
  return { type: event?.type }
}

const attempt = async (act: () => Promise<unknown>): Promise<Seen> => {
  try {
    await act()
    return { saw: 'done' }
  } catch (error) {
    return { saw: 'failed', ...inWords(error) }
  }
}

type AtOpen = Readonly<{ fault: Fault; end: object }>

const atOpen: readonly AtOpen[] = [
  {
    fault: { kind: 'refuse' },
    end: { by: 'network', how: 'error', stage: 'tcp', reason: null, code: 'ECONNREFUSED', shown: null },
  },
  {
    fault: { kind: 'finAtAccept' },
    end: { by: 'hub', how: 'fin', stage: 'tls', reason: null, code: 'ECONNRESET', shown: null },
  },
  {
    fault: { kind: 'rstAtAccept' },
    // It may come so soon that it is the connect which meets it.
    end: { by: 'unknown', how: 'rst', stage: /^(tcp|tls)$/, reason: null, code: 'ECONNRESET', shown: null },
  },
  {
    fault: { kind: 'certificate', certificate: 'selfSigned' },
    end: {
      by: 'us',
      how: 'error',
      stage: 'tls',
      reason: null,
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      shown: 'CN=localhost',
    },
  },
  {
    fault: { kind: 'certificate', certificate: 'expired' },
    end: { by: 'us', how: 'error', stage: 'tls', reason: null, code: 'CERT_HAS_EXPIRED', shown: 'CN=localhost' },
  },
  ...([1, 2, 4, 5] as const).map(code => ({
    fault: { kind: 'connack', code } as const,
    end: { step: 'connack', code },
  })),
]

for (const { fault, end } of atOpen) {
  const { kind, ...detail } = fault
  t.test(`an open that meets ${kind} ${JSON.stringify(detail)} fails as ever, and the wire is told`, async t => {
    const outcomes = await Promise.all(
      (['stock', 'recorded'] as const).map(async kind => {
        const app = await application(t, kind)
        await app.door.set(fault)
        const opened = await attempt(() => app.client.open())
        return { name: app.name, outcome: { opened, seen: app.seen, listeners: app.listeners() } }
      }),
    )
    const [stock, watched] = outcomes
    t.strictSame(watched?.outcome, stock?.outcome, 'the same errors, the same events, the same listeners')
    t.equal(watched?.outcome.opened.saw, 'failed')

    const name = watched?.name ?? ''
    await untilTold(name, isEnd)
    const told = toldBy(name)
    t.match(essence(told.find(isEnd)), end)
    t.strictSame(breaches(told), [])
  })
}

const isEnd = ({ type }: WireEvent): boolean => type === 'closed' || type === 'refused'

type InSession = Readonly<{ name: string; strike(app: App): Promise<unknown>; end: object }>

const inSession: readonly InSession[] = [
  {
    name: 'a FIN',
    strike: async ({ door }) => door.cut('fin'),
    end: { by: 'hub', how: 'fin', stage: 'session', reason: null, code: null, shown: null },
  },
  {
    name: 'a reset',
    strike: async ({ door }) => door.cut('rst'),
    end: { by: 'unknown', how: 'rst', stage: 'session', reason: null, code: 'ECONNRESET', shown: null },
  },
  {
    name: 'bytes that are no packet',
    strike: ({ door }) => door.set({ kind: 'malformed' }),
    end: { by: 'hub', how: 'error', stage: 'session', reason: null, code: 'MALFORMED_PACKET', shown: null },
  },
  {
    name: 'a DISCONNECT from the server',
    strike: ({ door }) => door.set({ kind: 'serverDisconnect' }),
    end: { by: 'hub', how: 'goodbye', stage: 'session', reason: null, code: null, shown: null },
  },
  {
    name: 'the application’s own close',
    strike: ({ client }) => client.close(),
    end: { by: 'application', how: 'goodbye', stage: 'session', reason: null, code: null, shown: null },
  },
]

for (const { name, strike, end } of inSession) {
  t.test(`a session that meets ${name} ends as ever, and the wire is told`, async t => {
    const outcomes = await Promise.all(
      (['stock', 'recorded'] as const).map(async kind => {
        const app = await application(t, kind)
        await app.client.open()
        await app.client.sendEvent(new Message('hello'))
        const from = hub.log.length
        await strike(app)
        await hub.waitFor(
          event => event.type === 'sessionEnded' && 'deviceId' in event && event.deviceId === app.name,
          { from: Math.max(0, from - 10) },
        )
        return { name: app.name, outcome: { seen: app.seen.filter(({ saw }) => saw !== 'connect') } }
      }),
    )
    const [stock, watched] = outcomes
    t.strictSame(watched?.outcome, stock?.outcome)

    const told = (): WireEvent[] => toldBy(watched?.name ?? '')
    await daemon.next((message): message is never => message.type === 'event' && told().some(isEnd))
    t.strictSame(
      told()
        .slice(0, 5)
        .map(({ type }) => type),
      ['connecting', 'resolved', 'tcpConnected', 'tlsSecured', 'accepted'],
    )
    t.strictSame(essence(told().find(isEnd)), end)
    t.strictSame(breaches(told(), false), [])
  })
}

t.test('a black hole is told as silence once the keepalive has found it', async t => {
  const app = await application(t, 'recorded')
  // The SDK's keepalive is a number of seconds in these options.
  await app.client.setOptions({ ca: hub.ca, keepalive: 1 } as object)
  await app.client.open()
  await app.door.set({ kind: 'blackHole', direction: 'both' })
  await untilTold(app.name, isEnd)
  const told = toldBy(app.name)
  const end = told.find(isEnd)
  t.match(essence(end), { by: 'us', how: 'timeout', stage: 'session', reason: 'silence' })
  t.ok(end?.type === 'closed' && end.pingUnansweredMs !== null && end.pingUnansweredMs > 500)
  t.strictSame(breaches(told, false), [])
})

t.test('a renewal is told as one, and the session goes on in a new attempt', async t => {
  const app = await application(t, 'recorded')
  await app.client.open()
  const { _transport: transport } = app.client as unknown as {
    _transport: { _authenticationProvider: NodeJS.EventEmitter }
  }
  // As the SDK's own provider does every 45 minutes.
  const sharedAccessSignature = hub.sasToken({ deviceId: app.name })
  transport._authenticationProvider.emit('newTokenAvailable', { sharedAccessSignature })
  const told = await untilTold(app.name, ({ type }) => type === 'renewalDone')
  const steps = told.filter(({ type }) => !['resolved', 'tcpConnected', 'tlsSecured'].includes(type))
  t.strictSame(
    steps.map(({ type, attempt }) => `${type} ${attempt}`),
    [
      'connecting 1',
      'accepted 1',
      'renewalStarted 1',
      'closed 1',
      'retryScheduled 1',
      'connecting 2',
      'accepted 2',
      'renewalDone 2',
    ],
  )
  t.strictSame(essence(told.find(isEnd)), {
    by: 'us',
    how: 'goodbye',
    stage: 'session',
    reason: 'renewal',
    code: null,
    shown: null,
  })
  t.strictSame(breaches(told, false), [])
})

t.test('what is wrapped is the class itself for everybody who asks', async t => {
  const Recorded = recorded(Mqtt, { name: 'same', socket: daemon.path })
  const client = DeviceClient.fromConnectionString(hub.connectionString((await application(t, 'stock')).name), Recorded)
  const { _transport: transport } = client as unknown as { _transport: object }
  t.ok(transport instanceof Mqtt)
  t.ok(transport instanceof Recorded)
  t.equal(transport.constructor, Mqtt)
  t.equal(Recorded.name, 'Mqtt')
  class Own extends Recorded {}
  t.ok(new Own({ type: 0, on: () => undefined } as never) instanceof Own)
})

t.test('a module client is recorded like a device client', async t => {
  const name = `app-${++devices}`
  await hub.addDevice(name, { moduleIds: ['telemetry'] })
  const client = ModuleClient.fromConnectionString(
    hub.connectionString(name, 'telemetry'),
    recorded(Mqtt, { name, socket: daemon.path }),
  )
  await client.setOptions({ ca: hub.ca })
  await client.open()
  await client.close()
  t.strictSame(essence((await untilTold(name, isEnd)).find(isEnd)), {
    by: 'application',
    how: 'goodbye',
    stage: 'session',
    reason: null,
    code: null,
    shown: null,
  })
})

t.test('two clients of one name that are connected at once have a lane each', async t => {
  const name = `app-${++devices}`
  await hub.addDevice(name, { moduleIds: ['other'] })
  const Recorded = recorded(Mqtt, { name, socket: daemon.path })
  const clients = [
    DeviceClient.fromConnectionString(hub.connectionString(name), Recorded),
    ModuleClient.fromConnectionString(hub.connectionString(name, 'other'), Recorded),
  ]
  const from = daemon.messages.length
  for (const client of clients) {
    await client.setOptions({ ca: hub.ca })
    await client.open()
  }
  for (const client of clients) await client.close()
  const ends = () =>
    daemon.messages.slice(from).filter(message => message.type === 'event' && message.event.type === 'closed')
  await daemon.next((message): message is never => message.type === 'event' && ends().length === 2)
  const lanes = daemon.messages
    .slice(from)
    .flatMap(message => (message.type === 'event' && message.event.type === 'accepted' ? [message.lane] : []))
  t.strictSame(lanes, [1, 2])
})

t.test('it says what it runs on, and with which packages', async t => {
  const hello = daemon.messages.find(({ type }) => type === 'hello')
  const { hubrec, sdk, node } = versions()
  t.match(hello, { pid: process.pid, versions: { hubrec, sdk, node } })
})

t.test('a name that cannot be one is refused at once', async t => {
  for (const name of ['', 'hubrec', 'hubrec.x', 'a b', 'x'.repeat(65)]) {
    t.throws(() => recorded(Mqtt, { name }), TypeError, JSON.stringify(name))
  }
  t.doesNotThrow(() => recorded(Mqtt), 'without one it is the name of the program')
})
