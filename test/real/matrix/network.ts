/**
 * The network around the devices, in a namespace of its own: a hub at its real ports, a name server, another host and a
 * portal, each device at the end of a cable of its own. Everything that is done to a packet is done on this side of the
 * cable, as by a router.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'

/** RFC 2544: for benchmarks, and nobody else's. */
export const addresses = {
  hub: '198.18.0.1',
  names: '198.18.0.53',
  proxy: '198.18.0.8',
  portal: '198.18.0.66',
  control: '198.18.0.200',
  /** Nobody's. */
  stale: '198.18.0.99',
} as const

export const proxyUrl = `http://${addresses.proxy}:3128`

export const hubName = 'fabrikam.azure-devices.net'
export const portalUrl = 'http://portal-check.example/'
export const portalText = 'not behind a portal'
export const controlHost = `${addresses.control}:443`

/** IoT Hub's. */
export const hubPorts = [443, 8883, 5671] as const

/** Runs `ip`, `nft` or the like. @throws Error with what it complained of */
export function command(program: string, args: readonly string[], input?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, (error, _out, err) =>
      error ? reject(new Error(err || error.message)) : resolve(),
    )
    // Not every program reads what it is given.
    child.stdin?.on('error', () => undefined).end(input ?? '')
  })
}

export const ip = (...args: string[]): Promise<void> => command('ip', args)
export const nft = (script: string): Promise<void> => command('nft', ['-f', '-'], script)

/** The hosts that every device can reach, and the tables that the devices' rules are put into. */
export async function startNetwork(): Promise<AsyncDisposable> {
  for (const address of [addresses.control]) await ip('address', 'add', `${address}/32`, 'dev', 'lo')
  await nft(`
    add table ip matrix
    add chain ip matrix in { type filter hook prerouting priority -300; }
    add chain ip matrix out { type filter hook postrouting priority 300; }
    add chain ip matrix lead { type nat hook prerouting priority -100; }`)
  const control = createServer(socket => socket.on('error', () => socket.destroy()).end())
  control.listen({ host: addresses.control, port: 443 })
  await once(control, 'listening')
  const web = createHttpServer((_request, response) => response.end(portalText))
  web.listen({ host: addresses.control, port: 80 })
  await once(web, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      control.close()
      web.close()
      web.closeAllConnections()
    },
  }
}

export type Cable = Readonly<{
  /** `ip netns exec NAME`, before a command that is to run at the device. */
  within: readonly string[]
  /** From now on packets of the device to this address and these ports go to that port of loopback. */
  lead(address: string, protocol: 'tcp' | 'udp', ports: readonly number[], toPort: number): Promise<void>
  /** A rule of nftables for what comes from the device, or goes to it, before it is led anywhere. */
  filter(direction: 'in' | 'out', rule: string): Promise<void>
  clear(): Promise<void>
  /** The carrier, as the device sees it. */
  plug(plugged: boolean): Promise<void>
  /** The device's own default route. */
  route(there: boolean): Promise<void>
  remove(): Promise<void>
}>

let cables = 0

export async function layCable(): Promise<Cable> {
  const n = ++cables
  const [ns, here] = [`device${n}`, `cable${n}`]
  const net = `10.77.${n}`
  await ip('netns', 'add', ns)
  await ip('link', 'add', here, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns)
  await ip('address', 'add', `${net}.1/24`, 'dev', here)
  await ip('link', 'set', here, 'up')
  await command('sysctl', ['-q', '-w', `net.ipv4.conf.${here}.route_localnet=1`])
  await ip('-n', ns, 'link', 'set', 'lo', 'up')
  await ip('-n', ns, 'address', 'add', `${net}.2/24`, 'dev', 'eth0')
  await ip('-n', ns, 'link', 'set', 'eth0', 'up')
  await ip('-n', ns, 'route', 'add', 'default', 'via', `${net}.1`)
  await nft(`
    add chain ip matrix in-${n}
    add chain ip matrix out-${n}
    add chain ip matrix lead-${n}
    add rule ip matrix in iifname ${here} jump in-${n}
    add rule ip matrix out oifname ${here} jump out-${n}
    add rule ip matrix lead iifname ${here} jump lead-${n}`)
  return {
    within: ['ip', 'netns', 'exec', ns],
    lead: (address, protocol, ports, toPort) =>
      nft(
        `add rule ip matrix lead-${n} ip daddr ${address} ${protocol} dport { ${ports.join(', ')} } dnat to 127.0.0.1:${toPort}`,
      ),
    filter: (direction, rule) => nft(`add rule ip matrix ${direction}-${n} ${rule}`),
    clear: () => nft(`flush chain ip matrix in-${n}\nflush chain ip matrix out-${n}`),
    plug: plugged => ip('link', 'set', here, plugged ? 'up' : 'down'),
    route: there => ip('-n', ns, 'route', there ? 'add' : 'del', 'default', 'via', `${net}.1`),
    remove: () => ip('netns', 'delete', ns),
  }
}

/** The port of a server that has just been made to listen on loopback. */
export async function listeningPort(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
