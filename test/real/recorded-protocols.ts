/** An application over AMQP and over both WebSockets: what its recorded connection tells, and that nothing changes for it. */
import device from 'azure-iot-device'
import t from 'tap'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import type { Fault } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { inWords, type RecordedClient, startScene } from '../support/recorded-client.js'

const { Message } = device

const { hub, daemon, application } = await startScene(t)
const { untilTold } = daemon

type Told = Exclude<Protocol, 'mqtt'>

const isEnd = ({ type }: WireEvent): boolean => type === 'closed' || type === 'refused'

const essence = (event: WireEvent | undefined): object => {
  if (event?.type === 'closed') {
    const { by, how, stage, reason, error } = event
    return { by, how, stage, reason, code: error?.code ?? null }
  }
  return event?.type === 'refused' ? { step: event.step, code: event.code } : { type: event?.type }
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

  const strikes: readonly Readonly<{
    name: string
    strike(app: RecordedClient): unknown
    end: object
    only?: readonly Told[]
  }>[] = [
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
