/**
 * What only an application meets, because hubrec sends no messages of its own and has neither their link nor the twin's: what its
 * recorded connection tells, and that nothing changes for it.
 */
import device from 'azure-iot-device'
import t from 'tap'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import type { Fault } from '../hub/hub.js'
import { breaches } from '../support/pairing.js'
import { inWords, type RecordedClient, startScene } from '../support/recorded-client.js'
import { storiesOf } from '../support/wire-words.js'

const { Message } = device

const { hub, daemon, application } = await startScene(t)
const { untilTold } = daemon

const isEnd = ({ type }: WireEvent): boolean => type === 'closed' || type === 'refused'

const send = ({ client }: RecordedClient, text: string): Promise<object | 'sent'> =>
  client.sendEvent(new Message(text)).then(() => 'sent' as const, inWords)

type Meeting = Readonly<{
  name: string
  protocols: readonly Protocol[]
  fault: Fault
  /** What the application then does. @returns what it got for it, to be compared with what the stock one got */
  act(app: RecordedClient): Promise<unknown>
  /** Before the fault, when it strikes at once what is there. */
  before?(app: RecordedClient): Promise<unknown>
  /** What the wire tells until the end that we bring about, a FIN. */
  wire: string
  end?: Readonly<Partial<Record<string, unknown>>>
}>

const overMqtt: readonly Protocol[] = ['mqtt', 'mqtt-ws']
const overAmqp: readonly Protocol[] = ['amqp', 'amqp-ws']

const fin = 'closed in session by hub, fin'
const conditions = [
  'amqp:not-allowed',
  'amqp:resource-limit-exceeded',
  'com.microsoft:device-container-throttled',
  'com.microsoft:message-too-large',
]

const acknowledgedLater = async (app: RecordedClient): Promise<unknown> => {
  const first = send(app, 'not acknowledged')
  await hub.waitFor(event => event.type === 'publish' && event.deviceId === app.name)
  // The line is good, so that what comes after it is acknowledged.
  return { second: await send(app, 'acknowledged'), first: await Promise.race([first, Promise.resolve('waits')]) }
}

const meetings: readonly Meeting[] = [
  {
    name: 'a message that is not acknowledged',
    protocols: overMqtt,
    fault: { kind: 'noPuback', times: 1 },
    act: acknowledgedLater,
    wire: `accepted; ${fin}`,
    end: { inFlightPublishes: 1 },
  },
  {
    name: 'a message that is answered by a close',
    protocols: overMqtt,
    fault: { kind: 'closeAtPublish', times: 1 },
    act: async app => void send(app, 'too much'),
    wire: `accepted; ${fin}`,
    end: { inFlightPublishes: 1, afterPublish: true },
  },
  ...conditions.map(condition => ({
    name: `a message that is not taken, for ${condition}`,
    protocols: overAmqp,
    fault: { kind: 'rejectSends', condition, times: 1 } as const,
    act: async (app: RecordedClient) => [await send(app, 'too much'), await send(app, 'as ever')],
    wire: `accepted; events rejected (${condition}); ${fin}`,
  })),
  ...[null, 'amqp:link:detach-forced', 'amqp:unauthorized-access'].map(condition => ({
    name: `the link of its messages taken away, ${condition ?? 'without a reason'}`,
    protocols: overAmqp,
    before: (app: RecordedClient) => send(app, 'so that there is a link'),
    fault: { kind: 'amqpDetach', link: 'events', times: 1, ...(condition ? { condition } : {}) } as const,
    act: async (app: RecordedClient) => {
      await hub.waitFor(
        event =>
          event.type === 'detach' && event.by === 'device' && event.deviceId === app.name && event.link === 'events',
      )
      // Whether the next message then waits for ever is a race inside the SDK.
      return [...app.seen]
    },
    wire: `accepted; events detached${condition ? ` (${condition})` : ''}; ${fin}`,
  })),
  {
    name: 'a link for its messages that is never answered',
    protocols: overAmqp,
    fault: { kind: 'noAttach', link: 'events', times: 1 },
    act: async app => {
      const first = send(app, 'without a link')
      await hub.waitFor(
        event =>
          event.type === 'attach' && event.by === 'device' && event.deviceId === app.name && event.link === 'events',
      )
      return Promise.race([first, Promise.resolve('waits')])
    },
    wire: `accepted; ${fin}`,
  },
]

for (const { name, protocols, before, fault, act, wire, end } of meetings) {
  for (const protocol of protocols) {
    t.test(`${protocol}: ${name}`, async t => {
      const outcomes = await Promise.all(
        (['stock', 'recorded'] as const).map(async kind => {
          const app = await application(t, kind, protocol)
          await app.client.open()
          await before?.(app)
          await app.door.set(fault)
          const got = await act(app)
          app.door.cut('fin')
          return { app, got }
        }),
      )
      const [stock, watched] = outcomes
      const told = await untilTold(watched?.app.name ?? '', isEnd)
      t.strictSame(storiesOf(told), [wire])
      t.strictSame(breaches(told, false), [])
      if (end) t.match(told.find(isEnd), end)
      t.strictSame(watched?.got, stock?.got, 'nothing changes for the application')
    })
  }
}
