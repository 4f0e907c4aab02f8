/** The hub itself: ports, certificates, WebSocket, sign-in. Each check once as it should be, and once as it should not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checks } from '../../agent/doctor/checks.js'
import { AgentError } from '../../agent/errors.js'
import { openRing } from '../../agent/ring/open.js'
import { createTrust } from '../../transports/trust.js'
import { startProxy } from '../hub/http-proxy.js'
import { type Fault, startHub } from '../hub/hub.js'
import { brief, examine, examineAll, nobodysHub, type Story, throughDoor } from '../support/examined.js'
import { shutPort } from '../support/ports.js'
import { recordJson, stamp } from '../support/ring-records.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('pump')

const reached = (connection: Readonly<Record<string, unknown>> = {}) => ({
  connectionString: hub.connectionString('pump', undefined, { port: false }),
  config: throughDoor(hub, door.port, connection),
})

const each = [
  ['tcp-mqtt', 'mqtt', 'MQTT'],
  ['tcp-amqp', 'amqp', 'AMQP'],
  ['tcp-websocket', 'mqtt-ws', 'WebSocket'],
] as const

for (const [id, protocol, title] of each) {
  t.test(`${id}: open, shut, and shut where it is not needed`, async t => {
    t.match(brief(await examine(id, reached({ protocol }))), /^ok: 127\.0\.0\.1:\d+ takes connections, after N ms$/)
    const shut = await shutPort()
    const ports = { mqtt: shut, amqp: shut, https: shut }
    t.match(
      brief(await examine(id, reached({ protocol, ports }))),
      /^failed: 127\.0\.0\.1:\d+ takes none: .*ECONNREFUSED/,
    )
    const other = protocol === 'mqtt' ? 'amqp' : 'mqtt'
    t.match(
      brief(await examine(id, reached({ protocol: other, ports }))),
      new RegExp(`^skipped: 127\\.0\\.0\\.1:\\d+ takes none: .*; ${title} is not what is configured here$`),
    )
  })

  t.test(`${id.replace('tcp', 'tls')}: the hub’s certificate, and others`, async t => {
    const ask = () => examine(id.replace('tcp', 'tls'), reached({ protocol }))
    t.match(brief(await ask()), /^ok: TLSv1\.[23], certificate for CN=localhost, issued by CN=Local IoT Hub Root/)
    await door.set({ kind: 'certificate', certificate: 'expired' })
    t.match(brief(await ask()), /^failed: CERT_HAS_EXPIRED/)
    await door.set({ kind: 'certificate', certificate: 'unknownCa' })
    t.match(brief(await ask()), /^failed: .*The chain leads to no root of IoT Hub: somebody else answers\.$/)
    const ownRoot = await examine(id.replace('tcp', 'tls'), reached({ protocol, knownRootsFile: null }))
    t.match(
      brief(ownRoot),
      /^failed: .*no root that is trusted here: somebody else answers, or it has a root of your own, which is missing in `connection\.caFile`\.$/,
    )
    door.heal()
  })
}

t.test('websocket: let through, and taken apart', async t => {
  const ask = () => examine('websocket', reached({ protocol: 'mqtt-ws' }))
  t.match(brief(await ask()), /^ok: localhost:\d+ answers the upgrade with 101$/)
  await door.set({ kind: 'upgrade', status: 403 })
  t.match(brief(await ask()), /^failed: localhost:\d+ answers the upgrade with 403$/)
  door.heal()
  t.equal(brief(await examine('websocket', reached())), 'skipped: it is not configured here')
})

t.test('roots: those of the cloud are trusted, or one is not', async t => {
  t.equal(
    brief(await examine('roots')),
    'ok: DigiCert Global Root G2, Microsoft RSA Root Certificate Authority 2017 (public cloud)',
  )
  t.equal(
    brief(await examine('roots', { connectionString: nobodysHub.replace('hub.example', 'h.azure-devices.cn') })),
    'ok: DigiCert Global Root CA (China cloud)',
  )
  const own = { ...createTrust(hub.ca, null), ca: [hub.ca] }
  const lacking = await examine('roots', {
    instead: facts => ({ secret: async () => ({ ...(await facts.secret()), trust: own }) }),
  })
  t.equal(
    brief(lacking),
    'warning: DigiCert Global Root G2, Microsoft RSA Root Certificate Authority 2017 are not trusted here',
  )
})

t.test('storage: it answers, or does not', async t => {
  const by = (port: number) => ({
    ...reached(),
    config: {
      ...throughDoor(hub, door.port),
      upload: { allowedContainers: [`https://localhost:${port}/account/container`] },
    },
  })
  t.match(
    brief(await examine('storage', by(hub.ports.https))),
    /^ok: localhost:\d+ at .* shows a certificate that is trusted$/,
  )
  t.match(brief(await examine('storage', by(await shutPort()))), /^failed: .*ECONNREFUSED/)
  t.match(brief(await examine('storage')), /^skipped: the hub names it/)
})

for (const protocol of ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const) {
  t.test(`sign-in: the hub lets us in over ${protocol}, and then it does not`, async t => {
    const ask = () => examine('sign-in', reached({ protocol }))
    t.equal(brief(await ask()), `ok: over ${protocol}, and methods are subscribed, after N ms`)
    await hub.disableDevice('pump')
    const refused = await ask()
    t.match(brief(refused), /^failed: (connack|cbs) refused over .* with (5|401): /)
    await hub.enableDevice('pump')
  })
}

t.test('sign-in: what to try is said by how far it came, and a key is blamed for what keys do', async t => {
  const by = async (connection: Readonly<Record<string, unknown>> = {}) => {
    const { result, found, remedies } = await examine('sign-in', reached(connection))
    return `${result}: ${found}\n${remedies?.[0]}`
  }
  const story = async (fault: Fault, connection?: Readonly<Record<string, unknown>>) => {
    await door.set(fault)
    const said = await by({ timeoutSeconds: { accept: 1 }, ...connection })
    door.heal()
    return said
  }
  t.match(
    await story({ kind: 'connack', code: 5 }),
    /^failed: connack refused over mqtt with 5: .*\nIn the portal, open the device/,
  )
  t.match(
    await story({ kind: 'connack', code: 3 }),
    /^failed: connack refused over mqtt with 3: .*\nThe hub is there and takes nobody in/,
  )
  t.match(await story({ kind: 'connack', code: 2 }), /\nCompare DeviceId and ModuleId with the portal/)
  t.match(
    await story({ kind: 'noConnack' }),
    /^failed: over mqtt, it ended at stage auth .*\nThe hub took the connection and does not answer the sign-in/,
  )
  t.match(
    await story({ kind: 'noSuback' }),
    /^failed: the hub let us in over mqtt, and did not answer the subscription to methods\nLook at the tier of the hub/,
  )
  t.match(
    await story({ kind: 'upgrade', status: 403 }, { protocol: 'mqtt-ws' }),
    /\nWebSocket to the hub is refused on the road/,
  )
  await using proxy = await startProxy()
  for (const [status, said] of [
    [407, /\nThe proxy wants a user and a password: .*connection\.proxyCredentialsFile/],
    [403, /\nThe proxy forbids the way to the hub/],
    [502, /\nThe proxy does not reach the hub/],
  ] as const) {
    proxy.set({ kind: 'status', status })
    t.match(await by({ protocol: 'mqtt-ws', proxy: proxy.url }), said)
  }
})

t.test('sign-in: it waits for what has failed before the hub could hear of it', async t => {
  const shut = await shutPort()
  const ask = async (more: Partial<Story> = {}, connection = {}) =>
    brief(await examine('sign-in', { ...reached(connection), ...more }))
  t.equal(await ask({}, { ports: { mqtt: shut, amqp: shut, https: shut } }), 'skipped: waits for tcp-mqtt')
  t.equal(
    await ask({ lookup: async () => Promise.reject(new Error('getaddrinfo ENOTFOUND')) }),
    'skipped: waits for hub-name',
  )
  t.equal(await ask({}, { protocol: 'mqtt-ws', proxy: `http://127.0.0.1:${shut}` }), 'skipped: waits for proxy')
  await door.set({ kind: 'certificate', certificate: 'unknownCa' })
  t.equal(await ask(), 'skipped: waits for tls-mqtt')
  door.heal()
})

t.test('sign-in: somebody else than the recorder of this device is not signed in unless told to', async t => {
  const stateDir = t.testdir({ ring: {} })
  const { ring } = await openRing({ dir: join(stateDir, 'ring'), budgetBytes: 1 << 20, stamp })
  const ask = (more: Partial<Story> = {}) =>
    examine('sign-in', { ...reached(), ...more, config: { ...reached().config, stateDir } })
  t.match(brief(await ask()), /^ok: over mqtt/, 'a ring that has recorded nothing is nobody’s')
  const device = { hub: 'localhost', deviceId: 'pump', moduleId: null }
  const start = (data: object) => JSON.stringify({ ...JSON.parse(recordJson(1)), type: 'start', data })
  await ring.append(start({ device: { ...device, deviceId: 'fan' } }), 'kernel')
  const from = hub.log.length
  t.equal(
    brief(await ask()),
    'skipped: the recorder here is fan at localhost, and pump at localhost may be somebody who would be thrown out: left out without --may-disconnect',
  )
  t.strictSame(
    hub.log.slice(from).filter(({ type }) => type === 'connect'),
    [],
  )
  t.match(brief(await ask({ mayDisconnect: true })), /^ok: over mqtt/)
  await ring.append(start({ device }), 'kernel')
  await ring.close()
  t.match(brief(await ask()), /^ok: over mqtt/)
})

t.test('sign-in: while a recorder is there that does not answer, or may not be asked, nobody signs in', async t => {
  // The path of a socket may have 107 bytes, and those of the runner have more.
  const dir = mkdtempSync(join(tmpdir(), 'control-'))
  const socket = join(dir, 'control.sock')
  const broken = createServer((_, response) => response.writeHead(500).end('no')).listen(socket)
  await once(broken, 'listening')
  t.teardown(() => {
    broken.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const found = await examineAll(checks, { ...reached(), config: { ...reached().config, controlSocket: socket } })
  t.equal(brief(found.get('daemon')!), 'failed: the daemon answered 500: no')
  t.equal(brief(found.get('sign-in')!), 'skipped: waits for daemon')
  const forbidden = await examineAll(checks, {
    ...reached(),
    instead: () => ({
      daemon: async () => {
        throw new AgentError('USAGE', 'it may not be asked by this user')
      },
    }),
  })
  t.equal(brief(forbidden.get('daemon')!), 'skipped: USAGE: it may not be asked by this user')
  t.equal(brief(forbidden.get('sign-in')!), 'skipped: waits for daemon')
})

t.test(
  'other-clients: nothing else, and a process that has a connection: then nobody signs in unless told to',
  async t => {
    t.equal(brief(await examine('other-clients', reached())), 'ok: by nothing')
    const script = `require('net').connect(${door.port}, '127.0.0.1', () => console.log('connected')).on('error', () => {})`
    const other = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    })
    t.teardown(() => other.kill('SIGKILL'))
    await once(other.stdout, 'data')
    const found = await examineAll(
      checks.filter(({ id }) => ['configuration', 'credential', 'identity', 'other-clients', 'sign-in'].includes(id)),
      reached(),
    )
    t.match(
      brief(found.get('other-clients')!),
      /^skipped: 1 more socket leads to localhost: \S+ \(pid \d+\); a sign-in might throw it out/,
    )
    t.equal(brief(found.get('sign-in')!), 'skipped: waits for other-clients')
    const told = await examineAll(
      checks.filter(({ id }) => ['configuration', 'credential', 'identity', 'other-clients', 'sign-in'].includes(id)),
      { ...reached(), mayDisconnect: true },
    )
    t.match(brief(told.get('other-clients')!), /^warning: 1 more socket leads to localhost/)
    t.match(brief(told.get('sign-in')!), /^ok: over mqtt/)
  },
)

t.test('a healthy hub has no warning that is not true, and the network part is quick', async t => {
  const beganMs = performance.now()
  const found = await examineAll(checks, {
    ...reached(),
    runRoot: join(t.testdir({ systemd: { timesync: { synchronized: '' } } })),
  })
  t.ok(performance.now() - beganMs < 30_000)
  t.strictSame(
    [...found]
      .filter(([, { result }]) => result === 'failed' || result === 'warning')
      .map(([id, { found: said }]) => `${id}: ${said.split(' ')[0]}`),
    ['daemon: nobody'],
  )
})
