/** `npm run hub`: the local IoT Hub alone, with one device and one module, until Ctrl-C. */

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { connectionStrings, describeFailure, help, runCommand } from './commands.js'
import { startHub } from './hub.js'

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

  if (values.json) console.log(JSON.stringify({ caFile: hub.caFile, ports: hub.ports, connectionStrings: strings }))
  else console.log(introduction(hub.caFile, hub.ports.https, strings))

  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    runCommand(hub, devices, line).then(print, error => print(describeFailure(error)))
  })
  // The end of the input is not the end of the hub, so that it also runs in the background.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      lines.close()
      void hub.close()
    })
  }
}

function print(answer: unknown): void {
  if (values.json) console.log(JSON.stringify(answer))
  else console.log(typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2))
}

function introduction(caFile: string, httpsPort: number, strings: Readonly<Record<string, string>>): string {
  const named = Object.entries(strings).map(([name, text]) => `${name}\n  ${text}`)
  return `A local IoT Hub is running. Ctrl-C ends it, "help" shows what can be typed.

CA file     ${caFile}
HTTPS port  ${httpsPort}
${named.join('\n')}

With hubrec:
  HUBREC_CONNECTION_STRING='${strings['device1/module1']}' \\
  HUBREC_CA_FILE='${caFile}' HUBREC_STATE_DIR=./hubrec-state npx hubrec run
  (in a configuration file: "connection": { "caFile": "${caFile}", "ports": { "https": ${httpsPort} } })

With the stock SDK (see docs/local-hub.md for HTTPS):
  const client = Client.fromConnectionString('${strings.device1}', Mqtt)
  await client.setOptions({ ca: readFileSync('${caFile}', 'utf8') })
`
}
