/** What breaks at a gateway, one thing at a time: the first line of doctor that says FAILED is about that thing. */
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { checks } from '../../agent/doctor/checks.js'
import { openRing } from '../../agent/ring/open.js'
import { systemClock } from '../../transports/clock.js'
import { type Door, type Fault, startHub } from '../hub/hub.js'
import { startNameServer } from '../hub/name-server.js'
import { examineAll, type Story, throughDoor } from '../support/examined.js'
import { shutPort } from '../support/ports.js'
import { recordJson, stamp } from '../support/ring-records.js'

const hub = await startHub()
t.teardown(() => hub.close())
const dead = await startNameServer()
dead.set('silence')
t.teardown(() => dead.close())
const login = createServer((_, response) => response.writeHead(302, { location: 'http://portal.example/' }).end())
const page = createServer((_, response) => response.end('well'))
for (const server of [login, page]) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
}
const addressOf = (server: typeof page): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
const shut = await shutPort()

const stateDir = t.testdir({})
mkdirSync(join(stateDir, 'ring'))
const { ring } = await openRing({ dir: join(stateDir, 'ring'), budgetBytes: 1 << 20, stamp })
for (let id = 1; id <= 20; id++) await ring.append(recordJson(id), 'kernel')
await ring.close()
for (const name of readdirSync(join(stateDir, 'ring')).filter(each => each.endsWith('.log'))) {
  const file = join(stateDir, 'ring', name)
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"seq":5/, '"seq":6'))
}

const later = (ms: number) => {
  const real = systemClock()
  return { ...real, now: () => ({ ...real.now(), wallMs: real.now().wallMs + ms }) }
}
const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n'
const routed = `${head}eth0\t00000000\tFE0200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`
const files = (more: Readonly<Record<string, string>>) => ({
  'proc/net/route': routed,
  'proc/net/arp': 'IP address HW type Flags HW address Mask Device\n192.0.2.254 0x1 0x2 02:00:00:00:00:01 * eth0\n',
  'sys/class/net/eth0/mtu': '1500\n',
  ...more,
})

type Breakage = Readonly<{
  name: string
  first: string
  connection?: Readonly<Record<string, unknown>>
  config?: Readonly<Record<string, unknown>>
  story?: Partial<Story>
  fault?: Fault
  before?(deviceId: string, door: Door): Promise<unknown> | unknown
}>

const breakages: readonly Breakage[] = [
  { name: 'a key of the configuration that is misspelt', first: 'configuration', connection: { keepAlive: 60 } },
  {
    name: 'a connection string that was cut',
    first: 'credential',
    story: { connectionString: 'HostName=localhost;DeviceId=x;SharedAcc' },
  },
  {
    name: 'a file of the credential that is gone',
    first: 'credential',
    connection: { sasTokenFile: '/nowhere/token' },
    story: { connectionString: '' },
  },
  { name: 'a CA file that is no certificate', first: 'credential', connection: { caFile: '/etc/hostname' } },
  { name: 'a clock that starts in 1970', first: 'clock-plausible', story: { clock: later(-Date.now()) } },
  {
    name: 'a clock that is two hours ahead',
    first: 'clock-references',
    config: { probes: { portalUrl: addressOf(page), portalText: null } },
    story: { clock: later(7_200_000) },
  },
  {
    name: 'a cable that is pulled',
    first: 'link',
    story: {
      files: files({
        'proc/net/dev': 'a\nb\n  eth9: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n',
        'sys/class/net/eth9/carrier': '0\n',
      }),
    },
  },
  {
    name: 'a lease that ended',
    first: 'link',
    story: { files: files({ 'proc/net/dev': 'a\nb\n  eth9: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n' }) },
  },
  {
    name: 'a router that is off',
    first: 'gateway',
    config: { probes: {} },
    story: {
      connectionString: 'HostName=hub.example;DeviceId=x;SharedAccessKey=c2VjcmV0',
      lookup: async () => [],
      files: files({ 'proc/net/arp': 'h\n192.0.2.254 0x1 0x0 00:00:00:00:00:00 * eth0\n' }),
    },
  },
  {
    name: 'a hub that takes connections and is silent',
    first: 'tls-mqtt',
    fault: { kind: 'silent' },
    story: { files: files({}) },
  },
  {
    name: 'a network that reaches nothing else',
    first: 'control-host',
    config: { probes: { controlHost: `127.0.0.1:${shut}` } },
  },
  {
    name: 'a guest network that wants a click',
    first: 'portal',
    config: { probes: { portalUrl: addressOf(login), portalText: 'well' } },
  },
  {
    name: 'a proxy that is down',
    first: 'proxy',
    connection: { protocol: 'mqtt-ws', proxy: `http://127.0.0.1:${shut}` },
  },
  { name: 'resolvers that are all dead', first: 'resolvers', config: { probes: { resolvers: [dead.address] } } },
  {
    name: 'a name that leads nowhere',
    first: 'hub-name',
    story: {
      connectionString: 'HostName=hub.example;DeviceId=x;SharedAccessKey=c2VjcmV0',
      lookup: async name => {
        throw new Error(`getaddrinfo ENOTFOUND ${name}`)
      },
    },
  },
  {
    name: 'a port that the firewall shuts',
    first: 'tcp-mqtt',
    connection: { ports: { mqtt: shut, amqp: shut, https: shut } },
  },
  { name: 'TLS that somebody opens', first: 'tls-mqtt', fault: { kind: 'certificate', certificate: 'unknownCa' } },
  {
    name: 'a certificate of the server that has ended',
    first: 'tls-mqtt',
    fault: { kind: 'certificate', certificate: 'expired' },
  },
  {
    name: 'a certificate for another name',
    first: 'tls-mqtt',
    fault: { kind: 'certificate', certificate: 'wrongName' },
  },
  {
    name: 'WebSocket that a filter takes apart',
    first: 'websocket',
    connection: { protocol: 'mqtt-ws' },
    fault: { kind: 'upgrade', status: 403 },
  },
  { name: 'a device that was disabled', first: 'sign-in', before: deviceId => hub.disableDevice(deviceId) },
  { name: 'a device that was deleted', first: 'sign-in', before: deviceId => hub.deleteDevice(deviceId) },
  {
    name: 'a sign-in that is never answered',
    first: 'sign-in',
    connection: { timeoutSeconds: { accept: 1 } },
    fault: { kind: 'noConnack' },
  },
  {
    name: 'a supply that is too weak',
    first: 'power',
    story: { files: files({ 'sys/devices/platform/soc/soc:firmware/get_throttled': '0x1' }) },
  },
  { name: 'a ring with damaged blocks', first: 'ring', config: { stateDir } },
]

t.jobs = 4
for (const [at, { name, first, connection, config, story, fault, before }] of breakages.entries()) {
  t.test(`${name}: ${first}`, async t => {
    const deviceId = `pump-${at}`
    const door = await hub.addDevice(deviceId)
    const connectionString = hub.connectionString(deviceId, undefined, { port: false })
    if (fault) await door.set(fault)
    await before?.(deviceId, door)
    const found = await examineAll(checks, {
      connectionString,
      config: { ...throughDoor(hub, door.port, connection), ...config },
      ...story,
    })
    const failed = [...found].filter(([, { result }]) => result === 'failed')
    t.equal(failed[0]?.[0], first, failed.map(([id, { found: said }]) => `${id}: ${said}`).join('\n'))
  })
}
