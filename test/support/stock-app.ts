/**
 * An application on the stock SDK, in a process of its own: default retry policy, one method, and nothing of ours. It prints,
 * one JSON line each with the monotonic time, what the SDK tells it.
 */
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import device from 'azure-iot-device'
import type { Protocol } from '../../transports/wire-event.js'

/** What it is told to do, as JSON in its first argument. */
export type Order = Readonly<{
  protocol: Protocol
  connectionString: string
  /** What it trusts beside Node's own roots; `null`: nothing. */
  caFile: string | null
  keepaliveSeconds: number
  /** The SDK's WebSockets go to port 443, wherever the hub is; an agent takes them here. */
  webSocketAt: Readonly<{ host: string; port: number }>
}>

const { protocol, connectionString, caFile, keepaliveSeconds, webSocketAt }: Order = JSON.parse(process.argv[2]!)

const tell = (event: string, error?: unknown): void => {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : null
  const monoMs = Number(process.hrtime.bigint()) / 1e6
  process.stdout.write(`${JSON.stringify({ event, said, monoMs })}\n`)
}

const transports = {
  mqtt: async () => (await import('azure-iot-device-mqtt')).default.Mqtt,
  'mqtt-ws': async () => (await import('azure-iot-device-mqtt')).default.MqttWs,
  amqp: async () => (await import('azure-iot-device-amqp')).default.Amqp,
  'amqp-ws': async () => (await import('azure-iot-device-amqp')).default.AmqpWs,
}

const ca = caFile === null ? {} : { ca: await readFile(caFile, 'utf8') }
const webSocketAgent = new Agent({ ...webSocketAt, ...ca })
const client = device.Client.fromConnectionString(connectionString, await transports[protocol]())
client.on('error', error => tell('error', error))
client.on('disconnect', (result: { transportObj?: unknown } | undefined) => tell('disconnect', result?.transportObj))
// The declared event is 'connected', the emitted one is 'connect'.
client.on('connect' as 'error', () => tell('connect'))
const proxied = protocol.endsWith('-ws') ? { mqtt: { webSocketAgent }, amqp: { webSocketAgent } } : {}
await client.setOptions({ ...ca, keepalive: keepaliveSeconds, ...proxied })
try {
  await client.open()
} catch (error) {
  // As an application ends that does not expect it.
  tell('open', error)
  process.exit(1)
}
client.onDeviceMethod('ping', (_request, response) => void response.send(200).catch(error => tell('error', error)))
tell('ready')
