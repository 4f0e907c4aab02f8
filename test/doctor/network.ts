/** The way out: link, route, gateway, names, portals and proxies. Each check once as it should be, and once as it should not. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startHub } from '../hub/hub.js'
import { startNameServer } from '../hub/name-server.js'
import { brief, examine, throughDoor } from '../support/examined.js'
import { listen, shutPort } from '../support/ports.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('pump')
const reached = {
  connectionString: hub.connectionString('pump', undefined, { port: false }),
  config: throughDoor(hub, door.port),
}

const page = async (t: Test, answer: RequestListener): Promise<string> => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const devices = (name: string) => ({
  'proc/net/dev': `Inter-|   Receive\n face |bytes\n  ${name}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n`,
})

t.test('link: one with an address, and ones without', async t => {
  t.match(brief(await examine('link')), /^ok: \S+ has /)
  t.equal(brief(await examine('link', { files: devices('eth9') })), 'failed: eth9 has no address')
  t.equal(
    brief(await examine('link', { files: { ...devices('eth9'), 'sys/class/net/eth9/carrier': '0\n' } })),
    'failed: eth9 has no carrier',
  )
  const down = await examine('link', { files: { ...devices('eth9'), 'sys/class/net/eth9/operstate': 'down\n' } })
  t.equal(brief(down), 'failed: eth9 is down')
  t.match(down.remedies, [/ip link set dev eth9 up/])
  t.equal(brief(await examine('link', { files: devices('lo') })), 'failed: there is no interface that leads out')
})

const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n'
const v4 = (gateway: string) => `${head}eth0\t00000000\t${gateway}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`
const v6 = `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n`

t.test('route: the default one, IPv6 alone, none', async t => {
  t.equal(
    brief(await examine('route', { files: { 'proc/net/route': v4('0101A8C0'), 'proc/net/ipv6_route': v6 } })),
    'ok: IPv4 by eth0 via 192.168.1.1, IPv6 by eth0 via fe80::1',
  )
  t.equal(
    brief(await examine('route', { files: { 'proc/net/route': head, 'proc/net/ipv6_route': v6 } })),
    'warning: IPv6 alone, by eth0 via fe80::1',
  )
  t.equal(brief(await examine('route', { files: { 'proc/net/route': head } })), 'failed: there is none')
})

t.test('route: without a default one the kernel is asked for that to the hub', async t => {
  const files = { 'proc/net/route': head }
  t.match(
    brief(await examine('route', { ...reached, files })),
    /^ok: the kernel reaches 127\.0\.0\.1 from 127\.0\.0\.1 on lo, without a default route of IPv4$/,
  )
  // No route leads to the class that is reserved, whatever the host has.
  const nowhere = await examine('route', { files, lookup: async () => ['255.255.255.255'] })
  t.match(brief(nowhere), /^failed: there is none to 255\.255\.255\.255: E\w+$/)
  t.match(nowhere.remedies, [/^Run `ip route get 255\.255\.255\.255`/])
})

t.test('gateway: it is in the kernel’s table, or was given up', async t => {
  const arp = (flags: string) =>
    `IP address       HW type     Flags       HW address            Mask     Device\n192.0.2.254      0x1         ${flags}         02:00:00:00:00:01     *        eth0\n`
  const files = (flags: string) => ({ 'proc/net/route': v4('FE0200C0'), 'proc/net/arp': arp(flags) })
  const ask = (flags: string) => examine('gateway', { files: files(flags) })
  t.equal(brief(await ask('0x2')), 'ok: 192.0.2.254 on eth0')
  t.equal(brief(await ask('0x0')), 'failed: 192.0.2.254 on eth0 does not answer')
})

t.test('mtu: what the interface takes, and TLS that is not answered behind a port that is', async t => {
  const files = (bytes: string) => ({ 'proc/net/route': v4('FE0200C0'), 'sys/class/net/eth0/mtu': `${bytes}\n` })
  t.equal(
    brief(await examine('mtu', { ...reached, files: files('1500') })),
    'ok: eth0 takes 1500 bytes, and TLS came through',
  )
  t.match(brief(await examine('mtu', { ...reached, files: files('1000') })), /^warning: eth0 takes 1000 bytes/)
  const shut = await shutPort()
  const nobody = { ...reached, config: throughDoor(hub, door.port, { ports: { mqtt: shut, amqp: shut, https: shut } }) }
  t.equal(
    brief(await examine('mtu', { ...nobody, files: files('1500') })),
    'skipped: eth0 takes 1500 bytes; nothing large has come through that would tell more',
  )
  await door.set({ kind: 'silent' })
  t.match(
    brief(await examine('mtu', { ...reached, files: files('1500') })),
    /^warning: localhost:\d+ takes connections and TLS is not answered, with 1500 bytes on eth0: large packets may get lost, or nobody speaks there$/,
  )
  door.heal()
})

t.test('control-host: another host answers, or does not', async t => {
  await using open = await listen()
  const by = (port: number) => ({
    ...reached,
    config: { ...reached.config, probes: { controlHost: `127.0.0.1:${port}` } },
  })
  t.equal(brief(await examine('control-host', by(open.port))), `ok: 127.0.0.1:${open.port} takes connections`)
  const shut = await shutPort()
  t.match(brief(await examine('control-host', by(shut))), /^failed: 127\.0\.0\.1:\d+ takes none: .*ECONNREFUSED/)
  t.match(brief(await examine('control-host', reached)), /^skipped: none is configured/)
})

t.test('portal: the page as it should be, and somebody else’s', async t => {
  const by = (portalUrl: string) => ({
    ...reached,
    config: { ...reached.config, probes: { portalUrl, portalText: 'Connect Test' } },
  })
  const good = await page(t, (_, response) => response.end('Connect Test'))
  t.equal(brief(await examine('portal', by(good))), `ok: ${good} was answered by whom it was meant for`)
  const login = await page(t, (_, response) =>
    response.writeHead(302, { location: 'http://portal.example/login' }).end(),
  )
  t.equal(
    brief(await examine('portal', by(login))),
    `failed: ${login} was answered with status 302, and sends us to http://portal.example/login`,
  )
  const broken = await page(t, (_, response) => response.writeHead(503).end())
  t.equal(brief(await examine('portal', reached)), 'skipped: no page is configured (`probes.portalUrl`)')
  t.match(brief(await examine('portal', by(broken))), /^warning: .* was not answered as it should be: .*503/)
})

t.test('proxy: it answers, it does not, and it is not on the way', async t => {
  await using proxy = await listen()
  const by = (port: number, protocol: string) => ({
    ...reached,
    config: throughDoor(hub, door.port, { protocol, proxy: `http://127.0.0.1:${port}` }),
  })
  t.equal(brief(await examine('proxy', by(proxy.port, 'mqtt-ws'))), `ok: 127.0.0.1:${proxy.port} takes connections`)
  t.match(
    brief(await examine('proxy', by(await shutPort(), 'mqtt-ws'))),
    /^failed: 127\.0\.0\.1:\d+ takes none: .*ECONNREFUSED/,
  )
  t.equal(brief(await examine('proxy', reached)), 'skipped: none is set')
})

t.test('resolvers: all answer, one is dead, all are', async t => {
  await using good = await startNameServer()
  await using dead = await startNameServer()
  dead.set('silence')
  const by = (...resolvers: readonly string[]) => ({ ...reached, config: { ...reached.config, probes: { resolvers } } })
  t.equal(brief(await examine('resolvers', by(good.address))), `ok: ${good.address}`)
  t.equal(
    brief(await examine('resolvers', by(dead.address, good.address))),
    `warning: ${dead.address} does not answer; ${good.address} does`,
  )
  t.equal(brief(await examine('resolvers', by(dead.address))), `failed: ${dead.address} does not answer`)
  await using failing = await startNameServer()
  failing.set('servfail')
  const complaint = await examine('resolvers', by(failing.address))
  t.equal(brief(complaint), `failed: ${failing.address} answers with ESERVFAIL`)
  t.match(complaint.remedies, [/^What it asks in turn does not answer/])
  const none = { 'etc/resolv.conf': '' }
  t.equal(
    brief(await examine('resolvers', { ...reached, files: none })),
    'skipped: none is configured, and localhost is found without one',
  )
  t.equal(
    brief(await examine('resolvers', { files: none, lookup: async () => Promise.reject(new Error('EAI_AGAIN')) })),
    'failed: none is configured in /etc/resolv.conf',
  )
})

t.test('hub-name: where it leads, that it leads nowhere, and that another resolver knows better', async t => {
  await using names = await startNameServer()
  const fails = async (name: string): Promise<readonly string[]> => {
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' })
  }
  t.equal(brief(await examine('hub-name', reached)), 'ok: localhost leads to 127.0.0.1')
  const inside = await examine('hub-name', { lookup: async () => ['10.1.2.3'] })
  t.match(brief(inside), /^ok: hub\.example leads to 10\.1\.2\.3.*: a private address, as of a private endpoint$/)
  t.equal(brief(await examine('hub-name', { lookup: fails })), 'failed: hub.example: getaddrinfo ENOTFOUND hub.example')
  const elsewhere = await examine('hub-name', { lookup: fails, config: { probes: { resolvers: [names.address] } } })
  t.equal(
    brief(elsewhere),
    `failed: hub.example: getaddrinfo ENOTFOUND hub.example; the resolver ${names.address} finds 127.0.0.1`,
  )
  t.match(elsewhere.remedies, [/\/etc\/hosts/])
})
