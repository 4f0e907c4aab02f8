/** `npm run hub`: the local IoT Hub alone, with one device and one module, until Ctrl-C. */

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { connectionStrings, describeFailure, help, runCommand } from './commands.js'
import { startHub } from './hub.js'
import { ProxyCommands } from './proxy-commands.js'

const usage = `npm run hub -- [--json] [--dir DIR] [--host-name NAME]

A local Azure IoT Hub with one device, "device1", and one module, "device1/module1".
  --json            one JSON line with everything that a script needs, then one for each command's answer
  --dir DIR         where the CA file and the blobs lie; by default a temporary directory, removed at the end
  --host-name NAME  what clients call the hub; by default localhost

${help}`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    dir: { type: 'string' },
    'host-name': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await run()

async function run(): Promise<void> {
  const { dir, 'host-name': hostName } = values
  const hub = await startHub({ ...(dir === undefined ? {} : { dir }), ...(hostName === undefined ? {} : { hostName }) })
  const devices = new Map([['device1', ['module1']]])
  await hub.addDevice('device1', { moduleIds: ['module1'] })
  const service = hub.serviceConnectionString
  const strings = { ...connectionStrings(hub, devices), service }

  const doors = Object.fromEntries([...devices.keys()].map(deviceId => [deviceId, hub.door(deviceId).port]))

  const proxy = new ProxyCommands(hub)
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    runCommand({ hub, devices, proxy }, line).then(print, error => print(describeFailure(error)))
  })
  // The end of the input is not the end of the hub, so that it also runs in the background.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      lines.close()
      void Promise.all([proxy.close(), hub.close()])
    })
  }
  // Last, because who has read it may end the hub at once.
  const { caFile, ports } = hub
  if (values.json) console.log(JSON.stringify({ caFile, ports: { ...ports, doors }, connectionStrings: strings }))
  else console.log(introduction(caFile, ports.https, doors, strings))
}

function print(answer: unknown): void {
  if (values.json) console.log(JSON.stringify(answer))
  else console.log(typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2))
}

function introduction(
  caFile: string,
  httpsPort: number,
  doors: Readonly<Record<string, number>>,
  strings: Readonly<Record<string, string>>,
): string {
  const named = Object.entries(strings).map(([name, text]) => `${name}\n  ${text}`)
  return `A local IoT Hub is running. Ctrl-C ends it, "help" shows what can be typed.

CA file     ${caFile}
HTTPS port  ${httpsPort}
Doors       ${Object.entries(doors)
    .map(([deviceId, port]) => `${deviceId} ${port} (MQTT, AMQP, WebSockets, HTTPS)`)
    .join(', ')}
${named.join('\n')}

With hubrec:
  HUBREC_CONNECTION_STRING='${strings['device1/module1']}' \\
  HUBREC_CA_FILE='${caFile}' HUBREC_STATE_DIR=./hubrec-state npx hubrec run
  (in a configuration file: "connection": { "caFile": "${caFile}", "ports": { "https": ${doors.device1} } })
  HUBREC_PROTOCOL=amqp, mqtt-ws or amqp-ws for the other protocols; for WebSockets the port above is needed.

With the stock SDK (see docs/local-hub.md for HTTPS), and the same with Amqp:
  const client = Client.fromConnectionString('${strings.device1}', Mqtt)
  await client.setOptions({ ca: readFileSync('${caFile}', 'utf8') })
With its WebSockets, MqttWs and AmqpWs, which add a port themselves:
  const webSocketAgent = new https.Agent({ host: 'localhost', port: ${doors.device1}, ca })
  const client = Client.fromConnectionString('${strings.device1?.replace(/:\d+;/, ';')}', AmqpWs)
  await client.setOptions({ ca, mqtt: { webSocketAgent }, amqp: { webSocketAgent } })
`
}
