/** The daemon as a process in each of its protocols, through a proxy, and where it chooses by itself. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { Status } from '../../agent/status.js'
import type { KeyPair } from '../hub/certificates.js'
import { startWorkload } from '../hub/edge-workload.js'
import { startProxy } from '../hub/http-proxy.js'
import { type Door, type Identity, startHub } from '../hub/hub.js'
import { isLong } from '../support/campaign.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0

type Scene = Readonly<{ deviceId: string; door: Door; gateway: Gateway }>

/** A device whose door is also the hub's port of HTTPS, and a gateway of its own. */
async function scene(t: Test, connection: Readonly<Record<string, unknown>>): Promise<Scene> {
  const deviceId = `gateway-${++devices}`
  const door = await hub.addDevice(deviceId)
  const ports = { mqtt: door.port, amqp: door.port, https: door.port }
  const connectionString = hub.connectionString(deviceId, undefined, { port: false })
  const gateway = await Gateway.make(hub, connectionString, { connection: { ports, ...connection } })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return { deviceId, door, gateway }
}

/** A method is answered, as soon as the hub knows somebody who would. */
async function answered(identity: Identity): Promise<object> {
  for (const giveUpMs = performance.now() + 15_000; ; ) {
    try {
      return await hub.invokeMethod(identity, { methodName: 'ping' })
    } catch (error) {
      if (performance.now() > giveUpMs) throw error
      await hub.waitFor(() => true).catch(() => undefined)
    }
  }
}

const wires = async ({ gateway }: Scene): Promise<LogRecord[]> =>
  gateway.json<LogRecord>('logs', '--config', gateway.configFile, '--type', 'wire')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

for (const protocol of ['mqtt-ws', 'amqp', 'amqp-ws'] as const) {
  t.test(`over ${protocol} it connects, answers, tells its status, and stops within 5 s with exit 0`, async t => {
    const on = await scene(t, { protocol })
    const daemon = on.gateway.start()
    t.strictSame(await answered({ deviceId: on.deviceId }), { status: 200, payload: null })
    const [status] = await on.gateway.json<Status>('status', '--config', on.gateway.configFile)
    t.match(status, { connection: { state: 'online', protocol, methods: true, incarnation: 1 } })
    const stoppedMs = performance.now()
    daemon.kill('SIGTERM')
    t.strictSame(await once(daemon, 'exit'), [0, null])
    t.ok(performance.now() - stoppedMs < 10_000, 'before a service manager loses its patience')
    const records = await wires(on)
    t.ok(records.length > 5 && records.every(({ data }) => (data as { protocol: string }).protocol === protocol))
  })
}

/** What a device is given, beside its connection string: settings, files, and what IoT Edge lays into the environment. */
type Given = Readonly<{
  connectionString?: string
  settings?: Readonly<Record<string, unknown>>
  files?: Readonly<Record<string, string>>
  identity: Identity
  shown: Readonly<{ kind: string; expires: boolean }>
  /** @param dir the gateway's own */
  env?(dir: string): Promise<Readonly<Record<string, string>>>
}>

const pairFiles = { certFile: 'cert.pem', keyFile: 'key.pem' }
const filesOf = ({ cert, key }: KeyPair) => ({ 'cert.pem': cert, 'key.pem': key })

const dps = await hub.startDps()
/** By registration ids that are new each time, so that nothing is remembered. */
const provisioned = (registrationId: string, proof: object) => ({
  dps: { endpoint: dps.endpoint, idScope: dps.idScope, registrationId, ...proof },
})

/** Each way to say who one is, for a device of this name. */
const kinds: Readonly<Record<string, (t: Test, deviceId: string) => Promise<Given>>> = {
  key: async (_t, deviceId) => {
    await hub.addDevice(deviceId)
    return {
      connectionString: hub.connectionString(deviceId),
      identity: { deviceId },
      shown: { kind: 'key', expires: false },
    }
  },
  'the key of a module': async (_t, deviceId) => {
    await hub.addDevice(deviceId, { moduleIds: ['recorder'] })
    return {
      connectionString: hub.connectionString(deviceId, 'recorder'),
      identity: { deviceId, moduleId: 'recorder' },
      shown: { kind: 'key', expires: false },
    }
  },
  certificate: async (_t, deviceId) => {
    await hub.addDevice(deviceId, { x509: 'ca' })
    return {
      connectionString: hub.connectionString(deviceId),
      settings: { x509: pairFiles },
      files: filesOf(await hub.issueClientCertificate(deviceId)),
      identity: { deviceId },
      shown: { kind: 'x509', expires: true },
    }
  },
  'token from a file': async (_t, deviceId) => {
    await hub.addDevice(deviceId)
    const connectionString = hub.connectionString(deviceId).replace(/;SharedAccessKey=.*/, '')
    return {
      connectionString,
      settings: { sasTokenFile: 'token' },
      files: { token: hub.sasToken({ deviceId }) },
      identity: { deviceId },
      shown: { kind: 'sas', expires: true },
    }
  },
  'DPS with a key': async (_t, deviceId) => {
    const key = randomBytes(32).toString('base64')
    await hub.addDevice(deviceId, { key })
    dps.enrol(deviceId, { assign: hub.assignment(deviceId), key })
    return {
      settings: provisioned(deviceId, { symmetricKeyFile: 'dps.key' }),
      files: { 'dps.key': key },
      identity: { deviceId },
      shown: { kind: 'key', expires: false },
    }
  },
  'DPS with a certificate': async (_t, deviceId) => {
    await hub.addDevice(deviceId, { x509: 'ca' })
    dps.enrol(deviceId, { assign: hub.assignment(deviceId), x509: 'ca' })
    return {
      settings: provisioned(deviceId, { x509: pairFiles }),
      files: filesOf(await hub.issueClientCertificate(deviceId)),
      identity: { deviceId },
      shown: { kind: 'x509', expires: true },
    }
  },
  'IoT Edge': async (t, deviceId) => {
    await hub.addDevice(deviceId, { moduleIds: ['recorder'] })
    return {
      settings: { caFile: null },
      identity: { deviceId, moduleId: 'recorder' },
      shown: { kind: 'edge', expires: false },
      env: async dir => {
        const workload = await startWorkload({
          socketPath: join(dir, 'workload.sock'),
          connectionString: hub.connectionString(deviceId, 'recorder', { gateway: true }),
          ca: hub.ca,
        })
        t.teardown(() => workload.stop())
        return workload.env
      },
    }
  },
}

if (!isLong) t.comment('every other cell; all 28 with HUBREC_TEST_LONG=1')
for (const [row, protocol] of (['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const).entries()) {
  for (const [column, [kind, give]] of Object.entries(kinds).entries()) {
    if (!isLong && (row + column) % 2 === 1) continue
    t.test(`${protocol} by ${kind}: it connects, a method is answered, and status says so`, async t => {
      const deviceId = `gateway-${++devices}`
      const { connectionString = '', settings, files = {}, identity, shown, env } = await give(t, deviceId)
      const { port } = hub.door(deviceId)
      const ports = { mqtt: port, amqp: port, https: port }
      const gateway = await Gateway.make(hub, connectionString, { connection: { protocol, ports, ...settings } })
      t.teardown(() => gateway[Symbol.asyncDispose]())
      for (const [name, text] of Object.entries(files)) await writeFile(join(gateway.dir, name), text)
      const daemon = gateway.start(await env?.(gateway.dir))
      t.strictSame(await answered(identity), { status: 200, payload: null })
      const [status] = await gateway.json<Status>('status', '--config', gateway.configFile)
      t.match(status, {
        device: { deviceId, moduleId: identity.moduleId ?? null },
        connection: { state: 'online', protocol, methods: true, incarnation: 1 },
        conditions: [],
      })
      daemon.kill('SIGTERM')
      t.strictSame(await once(daemon, 'exit'), [0, null])
      const records = await gateway.json<LogRecord>('logs', '--config', gateway.configFile, '--type', 'wire')
      const connecting = records.filter(({ data }) => data.type === 'connecting')
      t.match(
        connecting.map(({ data }) => data),
        [{ protocol, credential: { kind: shown.kind, expiresAt: shown.expires ? /^\d{4}-.*Z$/ : null } }],
        'at once',
      )
      const printed = JSON.stringify(records) + gateway.output
      for (const secret of Object.values(files)) t.notMatch(printed, secret.trim().split('\n').at(1) ?? secret)
    })
  }
}

t.test('through a proxy with credentials from a file, which nobody gets to see', async t => {
  const password = 'pr0xy-passw0rd-of-this-test'
  await using proxy = await startProxy({ credentials: { user: 'gateway', password } })
  const on = await scene(t, { protocol: 'mqtt-ws', proxy: proxy.url, proxyCredentialsFile: 'proxy-credentials' })
  await writeFile(join(on.gateway.dir, 'proxy-credentials'), `gateway:${password}\n`)
  const daemon = on.gateway.start()
  t.match(await answered({ deviceId: on.deviceId }), { status: 200 })
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
  const records = await wires(on)
  t.match(
    records.find(({ data }) => (data as { type: string }).type === 'proxyConnected'),
    { data: { proxy: `127.0.0.1:${proxy.port}` } },
  )
  t.notMatch(JSON.stringify(records) + on.gateway.output, password)
})

t.test('the proxy of the environment is taken too', async t => {
  await using proxy = await startProxy()
  const on = await scene(t, { protocol: 'amqp-ws' })
  const daemon = on.gateway.start({ HTTPS_PROXY: proxy.url })
  t.match(await answered({ deviceId: on.deviceId }), { status: 200 })
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
  t.match(
    proxy.log.find(({ type }) => type === 'connect'),
    { target: `localhost:${on.door.port}`, status: 200 },
  )
})

t.test('where it chooses by itself, it says why, and begins with what worked at the next start', async t => {
  const mqtt = await freePort()
  const on = await scene(t, { protocol: 'auto' })
  const ports = { mqtt, amqp: on.door.port, https: on.door.port }
  const config = JSON.parse(await readFile(on.gateway.configFile, 'utf8'))
  await writeFile(on.gateway.configFile, JSON.stringify({ ...config, connection: { ...config.connection, ports } }))
  for (const why of [`mqtt: port ${mqtt} is refused (ECONNREFUSED)`, 'mqtt-ws: it is what worked before']) {
    const daemon = on.gateway.start()
    t.match(await answered({ deviceId: on.deviceId }), { status: 200 })
    const [status] = await on.gateway.json<Status>('status', '--config', on.gateway.configFile)
    t.match(status, { connection: { state: 'online', protocol: 'mqtt-ws' } })
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
    const chosen = (await wires(on)).filter(({ data }) => (data as { type: string }).type === 'protocolChosen')
    t.match(chosen.at(-1), { data: { protocol: 'mqtt-ws', from: 'mqtt', why } })
  }
})

t.test('what is wrong with a proxy is said at start, without its password', async t => {
  const on = await scene(t, { protocol: 'mqtt', proxy: 'http://user:geheim123@proxy:3128' })
  const { code, err, out } = await on.gateway.run('run', '--config', on.gateway.configFile)
  t.equal(code, 2)
  t.match(err, /connection\.proxy: found a string; a proxy carries mqtt-ws and amqp-ws only/)
  t.notMatch(err + out, 'geheim123')
})

t.test('a daemon that speaks MQTT has no AMQP in its memory', async t => {
  const script = `
    await import(${JSON.stringify(resolve('dist/agent/daemon.js'))})
    const { loadTap } = await import(${JSON.stringify(resolve('dist/agent/protocols.js'))})
    const { createRequire } = await import('node:module')
    const loaded = () => Object.keys(createRequire(process.cwd() + '/').cache).filter(path => /\\/(rhea|azure-iot-amqp-base)\\//.test(path)).length
    await loadTap.mqtt()
    const before = loaded()
    await loadTap.amqp()
    console.log(JSON.stringify([before, loaded() > 10]))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  t.strictSame(JSON.parse(stdout), [0, true])
})
