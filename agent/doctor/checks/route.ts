/** Whether packets know a way out of this host. */
import { networkInterfaces } from 'node:os'
import { routes } from '../../evidence/samples/routes.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

export const route: Check = {
  id: 'route',
  family: 'network',
  question: 'Is there a default route, and for which of IPv4 and IPv6?',
  why: 'Without a default route nothing leaves this network.',
  remedies: [
    'Run `ip route`: is there a line that begins with `default`? If not, renew the DHCP lease or set the gateway.',
  ],
  needs: [],
  async ask(facts) {
    const found = (await routes.read(readingContext(facts))) as Readonly<
      Record<'v4' | 'v6', readonly Readonly<{ interface: string; gateway: string | null }>[] | null>
    > | null
    if (found === null) return skipped('the kernel does not show its routes')
    const of = (family: 'v4' | 'v6') =>
      (found[family] ?? []).map(each => `${each.interface} via ${each.gateway ?? 'the link itself'}`)
    const [v4, v6] = [of('v4'), of('v6')]
    const info = { v4, v6 }
    if (v4.length > 0) return ok(`IPv4 by ${v4[0]}${v6.length > 0 ? `, IPv6 by ${v6[0]}` : ''}`, info)
    const isHere = (await facts.target().catch(() => null))?.host
    if (isHere === 'localhost') return ok('there is none, and a hub on this host needs none', info)
    if (v6.length > 0)
      return warning(`IPv6 alone, by ${v6[0]}`, info, [
        'Give this host IPv4 too, or NAT64: the names of hubs lead to IPv4 addresses.',
      ])
    return failed('there is none', { ...info, addresses: Object.keys(networkInterfaces()) })
  },
}
