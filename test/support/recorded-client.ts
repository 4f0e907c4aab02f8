/** An application's client over the real SDK, with its stock transport or with the same one recorded. */
import common from 'azure-iot-common'
import device, { type Client } from 'azure-iot-device'
import amqpDevice from 'azure-iot-device-amqp'
import mqttDevice from 'azure-iot-device-mqtt'
import type { Test } from 'tap'
import { recorded } from '../../agent/library.js'
import type { Protocol } from '../../transports/wire-event.js'
import { type Door, type Hub, startHub } from '../hub/hub.js'
import { startToldDaemon, type ToldDaemon } from './told-daemon.js'

export type Kind = 'stock' | 'recorded'

/** `seen`: what the client told its application, in order, in words that are the same for two devices. */
export type RecordedClient = Readonly<{ client: Client; door: Door; name: string; seen: object[] }>

const transports = {
  mqtt: mqttDevice.Mqtt,
  'mqtt-ws': mqttDevice.MqttWs,
  amqp: amqpDevice.Amqp,
  'amqp-ws': amqpDevice.AmqpWs,
} as const

/** An error in words: ports differ between two devices. */
export const inWords = (error: unknown): object => {
  if (!(error instanceof Error)) return {}
  return { name: error.name, message: error.message.replace(/:\d{4,5}\b/g, ':PORT'), class: error.constructor.name }
}

/** A hub, a daemon that is told, and what makes an application at both. The process ends with the scene. */
export async function startScene(t: Test) {
  const [hub, daemon] = await Promise.all([startHub(), startToldDaemon()])
  t.teardown(async () => {
    await daemon[Symbol.asyncDispose]()
    await hub.close()
    // The SDK waits 45 s for answers to what it said after the hub's close, and nobody can tell it not to.
    setImmediate(() => process.exit())
  })
  return { hub, daemon, application: makeClients(hub, daemon) }
}

function makeClients(hub: Hub, daemon: ToldDaemon) {
  let devices = 0
  return async (t: Test, kind: Kind, protocol: Protocol): Promise<RecordedClient> => {
    const name = `app-${++devices}`
    const door = await hub.addDevice(name)
    const stock = transports[protocol] as typeof mqttDevice.Mqtt
    const isWebSocket = protocol.endsWith('-ws')
    const client = device.Client.fromConnectionString(
      hub.connectionString(name, undefined, { port: !isWebSocket }),
      kind === 'stock' ? stock : recorded(stock, { name, socket: daemon.path }),
    )
    client.setRetryPolicy(new common.NoRetry())
    const seen: object[] = []
    for (const saw of ['connect', 'disconnect', 'error'] as const) {
      client.on(saw as 'error', (error?: Error) => void seen.push({ saw, ...inWords(error) }))
    }
    const agent = hub.doorAgent(name)
    const webSocket = { mqtt: { webSocketAgent: agent }, amqp: { webSocketAgent: agent } }
    await client.setOptions({ ca: hub.ca, ...(isWebSocket ? webSocket : {}) })
    t.teardown(() => {
      // Nobody waits for the goodbye, nor asks how it went: a hub that has gone never answers it.
      client.close().catch(() => undefined)
      agent.destroy()
    })
    return { client, door, name, seen }
  }
}
