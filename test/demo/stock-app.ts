/**
 * An application on the stock SDK with its default retry policy and a methods listener: it prints, one JSON line each,
 * what the SDK tells it. Run by the demo in a process of its own.
 */
import { readFile } from 'node:fs/promises'
import device from 'azure-iot-device'
import mqttDevice from 'azure-iot-device-mqtt'

const { DEMO_CONNECTION_STRING: connectionString = '', DEMO_CA_FILE: caFile = '', DEMO_KEEPALIVE_SECONDS } = process.env

const tell = (event: string, error?: unknown): void => {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : null
  process.stdout.write(`${JSON.stringify({ event, said })}\n`)
}

const client = device.Client.fromConnectionString(connectionString, mqttDevice.Mqtt)
client.on('error', error => tell('error', error))
client.on('disconnect', (result: { transportObj?: unknown } | undefined) => tell('disconnect', result?.transportObj))
// The declared event is 'connected', the emitted one is 'connect'.
client.on('connect' as 'error', () => tell('connect'))
await client.setOptions({ ca: await readFile(caFile, 'utf8'), keepalive: Number(DEMO_KEEPALIVE_SECONDS) })
await client.open()
client.onDeviceMethod('ping', (_request, response) => void response.send(200).catch(error => tell('error', error)))
tell('ready')
