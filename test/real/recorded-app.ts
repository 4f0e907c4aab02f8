/** The application of docs/examples as a process, beside a daemon, without one, and with one that comes and goes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { segmentName } from '../../agent/ring/segment.js'
import type { Status } from '../../agent/status.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { type Door, startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'
import { breaches } from '../support/pairing.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0

class App {
  readonly child: ChildProcess
  readonly lines: string[] = []

  constructor(t: Test, deviceId: string, env: Readonly<Record<string, string>>) {
    const { HUBREC_INGEST_SOCKET: _, HUBREC_LIBRARY_DIR: __, ...outer } = process.env
    const own = { IOTHUB_DEVICE_CONNECTION_STRING: hub.connectionString(deviceId), IOTHUB_CA_FILE: hub.caFile }
    this.child = spawn(process.execPath, ['docs/examples/telemetry-app.mjs'], {
      env: { ...outer, ...own, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', line => {
        this.lines.push(line)
        this.child.emit('said', line)
      })
    }
    t.teardown(() => this.end('SIGKILL'))
  }

  async said(text: string, from = this.lines.length): Promise<void> {
    while (!this.lines.slice(from).some(line => line.includes(text))) await once(this.child, 'said')
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    return child.exitCode
  }
}

type Scene = Readonly<{ deviceId: string; door: Door; gateway: Gateway; env: Record<string, string> }>

/** The application is the device, and the daemon a module beside it. */
async function scene(t: Test, config: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  const deviceId = `gateway-${++devices}`
  const door = await hub.addDevice(deviceId, { moduleIds: ['hubrec'] })
  const gateway = await Gateway.make(hub, hub.connectionString(deviceId, 'hubrec'), config)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return { deviceId, door, gateway, env: { HUBREC_INGEST_SOCKET: join(gateway.stateDir, 'ingest.sock') } }
}

async function startDaemon({ deviceId, gateway }: Scene): Promise<ChildProcess> {
  const from = hub.log.length
  const daemon = gateway.start()
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === deviceId && event.moduleId === 'hubrec', {
    from,
  })
  return daemon
}

const conn = 'telemetry-app'

/** Polls the commands a person would use, until they show what is waited for. */
async function eventually<T>(ask: () => Promise<T | null | undefined | false>): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (answer) return answer
  }
}

const statusOf = ({ gateway }: Scene): Promise<Status | undefined> =>
  gateway.json<Status>('status', '--config', gateway.configFile).then(([status]) => status)

const applicationOnline = (on: Scene) =>
  eventually(async () => (await statusOf(on))?.applications.find(({ state }) => state === 'online'))

const recordsOf = ({ gateway }: Scene, stateDir = gateway.stateDir): Promise<LogRecord[]> =>
  gateway.json<LogRecord>('logs', '--state-dir', stateDir)

const episodesOf = async ({ gateway }: Scene, stateDir = gateway.stateDir): Promise<Episode[]> =>
  (await gateway.json<Episode>('episodes', '--state-dir', stateDir)).filter(episode => episode.conn === conn)

const wireOf = (records: readonly LogRecord[], name = conn): WireEvent[] =>
  records.flatMap(({ type, conn: of, data }) => (type === 'wire' && of === name ? [data as unknown as WireEvent] : []))

const short = ({ state, planned, verdict, attempts }: Episode): object => ({
  state,
  planned,
  cause: verdict.cause,
  attempts,
})

t.test('beside a daemon: it is shown, its loss is told, its death is a crash, and its return ends that', async t => {
  const on = await scene(t)
  await startDaemon(on)
  const app = new App(t, on.deviceId, on.env)
  const shown = await applicationOnline(on)
  t.match(shown, { conn, name: conn, pid: app.child.pid, protocol: 'mqtt' })
  const text = (await on.gateway.run('status', '--config', on.gateway.configFile)).out
  t.match(text, new RegExp(`application ${conn} \\(pid ${app.child.pid}\\) online since .*, mqtt`))

  const connectedAgain = app.said('connected')
  on.door.cut('fin')
  await connectedAgain
  const [loss] = await eventually(async () => {
    const found = await episodesOf(on)
    return found[0]?.state === 'closed' && found
  })
  t.match(loss, { conn, attempts: 1, sdkSaid: { name: 'NotConnectedError' } })
  t.match((await on.gateway.run('episodes', '--state-dir', on.gateway.stateDir)).out, `connection ${conn}`)

  await app.end('SIGKILL')
  await eventually(async () => (await episodesOf(on)).length === 2)
  const next = new App(t, on.deviceId, on.env)
  await applicationOnline(on)
  await next.end('SIGTERM')
  const episodes = await eventually(async () => {
    const found = await episodesOf(on)
    return found.length === 3 && found
  })
  t.strictSame(episodes.slice(1).map(short), [
    { state: 'closed', planned: false, cause: 'app-crash', attempts: 1 },
    { state: 'open', planned: true, cause: 'graceful-close', attempts: 0 },
  ])
})

t.test('a daemon that is killed under a session goes on with it, and nothing is told twice', async t => {
  const on = await scene(t)
  const first = await startDaemon(on)
  const app = new App(t, on.deviceId, on.env)
  const { since } = await applicationOnline(on)
  await eventually(async () => wireOf(await recordsOf(on)).some(({ type }) => type === 'subscribed'))
  first.kill('SIGKILL')
  await once(first, 'exit')
  await startDaemon(on)
  const after = (await applicationOnline(on)).since
  t.ok(Math.abs(Date.parse(after ?? '') - Date.parse(since ?? '')) < 100, 'the session is as old as it was')
  t.strictSame(await episodesOf(on), [], 'the daemon’s crash is not the application’s')

  const connectedAgain = app.said('connected')
  on.door.cut('rst')
  await connectedAgain.catch(() => undefined)
  await eventually(async () => (await episodesOf(on)).length === 1)
  const wire = wireOf(await recordsOf(on))
  const first4 = wire.filter(({ attempt }) => attempt === 1)
  t.strictSame(
    first4.filter(({ type }) => type === 'accepted' || type === 'closed').map(({ type }) => type),
    ['accepted', 'closed'],
  )
  t.strictSame(breaches(first4, false), [])
})

t.test('without a daemon it writes a ring of its own, and the next start knows how it ended', async t => {
  const on = await scene(t)
  const env = {
    HUBREC_INGEST_SOCKET: join(on.gateway.dir, 'nobody.sock'),
    HUBREC_LIBRARY_DIR: join(on.gateway.dir, 'lib'),
  }
  const own = join(on.gateway.dir, 'lib', conn)
  const first = new App(t, on.deviceId, env)
  await eventually(async () => wireOf(await recordsOf(on, own).catch(() => [])).some(({ type }) => type === 'accepted'))
  const connectedAgain = first.said('connected')
  on.door.cut('fin')
  await connectedAgain
  t.match(await eventually(async () => (await episodesOf(on, own))[0]), { conn, session: {} })
  t.equal(await first.end('SIGTERM'), 0)

  const second = new App(t, on.deviceId, env)
  const isBack = async () => (await episodesOf(on, own)).at(-1)?.state === 'closed'
  await eventually(
    async () => (await recordsOf(on, own)).filter(({ type }) => type === 'start').length === 2 && isBack(),
  )
  t.strictSame(
    (await episodesOf(on, own)).map(({ verdict }) => verdict.cause).slice(1),
    ['graceful-close'],
    'it had said goodbye',
  )
  await second.end('SIGKILL')
  t.strictSame(
    second.lines.filter(line => line.includes('Warning')),
    [],
  )
})

t.test('without a daemon and without a directory it runs as ever, and says so once', async t => {
  const on = await scene(t)
  const app = new App(t, on.deviceId, { HUBREC_INGEST_SOCKET: join(on.gateway.dir, 'nobody.sock') })
  await app.said('HubrecWarning', 0)
  await app.said('sent')
  t.equal(await app.end('SIGTERM'), 0)
  t.equal(app.lines.filter(line => line.includes('HubrecWarning')).length, 1)
})

t.test('a directory that cannot be used does no harm', async t => {
  const on = await scene(t)
  const env = { HUBREC_INGEST_SOCKET: join(on.gateway.dir, 'nobody.sock'), HUBREC_LIBRARY_DIR: on.gateway.configFile }
  const app = new App(t, on.deviceId, env)
  await app.said('cannot be used', 0)
  await app.said('sent')
  t.equal(await app.end('SIGTERM'), 0)
})

const noSs = spawnSync('ss', ['-V']).error ? 'ss (Debian: iproute2) is not on this machine' : false

t.test('an application that knows nothing of hubrec is watched from outside', { skip: noSs }, async t => {
  // An address that nobody else on this machine connects to.
  const host = `127.${[0, 0, 0].map(() => 1 + Math.floor(Math.random() * 250)).join('.')}`
  const accepted: Socket[] = []
  const server = createServer(socket => accepted.push(socket)).listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const script = `require('net').connect(${port}, '${host}').on('close', () => process.exit())`
  const child = spawn(process.execPath, ['-e', script])
  t.teardown(() => {
    child.kill('SIGKILL')
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  if (accepted.length === 0) await once(server, 'connection')

  const on = await scene(t, { watch: [host] })
  await startDaemon(on)
  const watched = async () => (await statusOf(on))?.watched
  t.match(await eventually(async () => ((await watched())?.length ?? 0) > 0 && watched()), [
    { host, state: 'ESTAB', peer: `${host}:${port}` },
  ])
  const record = await eventually(async () => (await recordsOf(on)).find(({ type }) => type === 'condition'))
  t.match(record.data, { condition: 'watched-socket', coarse: true, what: 'seen', host })
})

t.test('npm run example shows what it promises', async t => {
  const child = spawn(process.execPath, ['dist/test/demo/example.js'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  t.strictSame(await once(child, 'close'), [0, null])
  t.match(
    out,
    /the line is cut --\n(.*\n)*app +connected\n(.*\n)*.*hubrec episodes --\n(.*\n)*.*connection telemetry-app/,
  )
})

t.test('nothing of ours keeps a process alive, with a daemon or without', async t => {
  const on = await scene(t)
  await startDaemon(on)
  const script = `
    const { default: device } = await import('azure-iot-device')
    const { default: { Mqtt } } = await import('azure-iot-device-mqtt')
    const { recorded } = await import('iothub-flight-recorder')
    const { existsSync, readFileSync } = await import('node:fs')
    const client = device.Client.fromConnectionString(process.env.CS, recorded(Mqtt, { name: 'short-lived' }))
    await client.setOptions({ ca: readFileSync(process.env.CA, 'utf8') })
    await client.open()
    while (process.env.WAIT && !existsSync(process.env.WAIT)) await new Promise(resolve => setTimeout(resolve, 50))
    await client.close()
    console.log(performance.now())`
  const ownRing = join(on.gateway.dir, 'own', 'short-lived', 'ring', segmentName(1))
  // A daemon that is slow to take it in would hear of nothing else than its end.
  const takenIn = join(on.gateway.dir, 'taken-in')
  void eventually(async () => (await statusOf(on))?.applications.find(({ state }) => state === 'online'))
    .then(() => writeFile(takenIn, ''))
    .catch(t.threw)
  for (const [socket, extra] of [
    [join(on.gateway.stateDir, 'ingest.sock'), { WAIT: takenIn }],
    [join(on.gateway.dir, 'nobody.sock'), {}],
    [join(on.gateway.dir, 'nobody.sock'), { WAIT: ownRing, HUBREC_LIBRARY_DIR: join(on.gateway.dir, 'own') }],
  ] as const) {
    const env = {
      ...process.env,
      CS: hub.connectionString(on.deviceId),
      CA: hub.caFile,
      HUBREC_INGEST_SOCKET: socket,
      ...extra,
    }
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(createInterface({ input: child.stdout }), 'line')
    t.ok(Number(said) > 0)
    t.strictSame(await once(child, 'exit'), [0, null], 'it ends when its client is closed')
  }
  const goodbyes = async () => wireOf(await recordsOf(on), 'short-lived').filter(({ type }) => type === 'closed')
  t.match(await eventually(async () => (await goodbyes()).length > 0 && goodbyes()), [
    { by: 'application', how: 'goodbye' },
  ])
})
