/**
 * `npm run example`: the application of docs/examples beside a local hub and a daemon. The line is cut, the application comes back
 * by its own SDK, and the daemon says what it was.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { startHub } from '../hub/hub.js'

const hubrec = resolve('dist/agent/cli/main.js')

const hub = await startHub()
const door = await hub.addDevice('gateway', { moduleIds: ['hubrec'] })
const dir = await mkdtemp(join(tmpdir(), 'hubrec-example-'))
const configFile = join(dir, 'config.json')
await writeFile(
  configFile,
  JSON.stringify({
    connection: { caFile: hub.caFile, ports: { https: hub.ports.https } },
    stateDir: 'state',
    probes: { enabled: false },
  }),
)
const children: ChildProcess[] = []

function start(name: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  createInterface({ input: child.stdout! }).on('line', line => {
    console.log(`${name.padEnd(6)} ${line}`)
    child.emit('said', line)
  })
  return child
}

const said = async (child: ChildProcess, text: string): Promise<void> => {
  for (;;) {
    const [line] = await once(child, 'said')
    if (String(line).includes(text)) return
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

try {
  const daemon = start('hubrec', [hubrec, 'run', '--config', configFile], {
    HUBREC_CONNECTION_STRING: hub.connectionString('gateway', 'hubrec'),
    HUBREC_LOG_LEVEL: 'error',
  })
  await hub.waitFor(event => event.type === 'subscribe', { from: 0 })

  const app = start('app', ['docs/examples/telemetry-app.mjs'], {
    IOTHUB_DEVICE_CONNECTION_STRING: hub.connectionString('gateway'),
    IOTHUB_CA_FILE: hub.caFile,
    HUBREC_INGEST_SOCKET: join(dir, 'state', 'ingest.sock'),
  })
  await said(app, 'sent 2')
  console.log('       -- the line is cut --')
  door.cut('fin')
  await said(app, 'connected')
  await said(app, 'sent')
  await ended(app)

  console.log('       -- hubrec episodes --')
  const episodes = start('', [hubrec, 'episodes', '--config', configFile], {})
  await once(episodes, 'exit')
  await ended(daemon)
} finally {
  for (const child of children) child.kill('SIGKILL')
  await hub.close()
  await rm(dir, { recursive: true, force: true })
}
