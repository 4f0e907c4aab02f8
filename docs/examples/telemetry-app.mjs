/**
 * An application that sends a message every second, and whose connection is recorded. Beside what any application of the SDK has
 * there are two things: the import of `recorded`, and its call.
 *
 *   IOTHUB_DEVICE_CONNECTION_STRING='HostName=...' node docs/examples/telemetry-app.mjs
 *
 * `IOTHUB_CA_FILE` is for a hub with a certificate of its own, such as the local one; `npm run example` sets both.
 */
import { readFileSync } from 'node:fs'
import device from 'azure-iot-device'
import transport from 'azure-iot-device-mqtt'
import { recorded } from 'iothub-flight-recorder'

const { Client, Message } = device
const { IOTHUB_DEVICE_CONNECTION_STRING, IOTHUB_CA_FILE } = process.env

const client = Client.fromConnectionString(
  IOTHUB_DEVICE_CONNECTION_STRING ?? '',
  recorded(transport.Mqtt, { name: 'telemetry-app' }),
)

client.on('connect', () => console.log('connected'))
client.on('disconnect', error => console.log('disconnected', error?.message ?? ''))
client.on('error', error => console.log('error', error.message))

if (IOTHUB_CA_FILE) await client.setOptions({ ca: readFileSync(IOTHUB_CA_FILE, 'utf8') })
await client.open()
client.onDeviceMethod('ping', (_request, response) => response.send(200))

let sent = 0
const sending = setInterval(async () => {
  try {
    await client.sendEvent(new Message(JSON.stringify({ number: ++sent, temperature: 20 + Math.random() })))
    console.log('sent', sent)
  } catch (error) {
    console.log('not sent', error.message)
  }
}, 1_000)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    clearInterval(sending)
    await client.close()
    process.exit(0)
  })
}
