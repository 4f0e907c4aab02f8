/** Whether packets know a way out of this host, as far as the hub. */
import { networkInterfaces } from 'node:os'
import { routes } from '../../evidence/samples/routes.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import type { Facts } from '../facts.js'
import { readingContext } from '../reading-context.js'
import { wayTo } from '../way-to.js'

export const route: Check = {
  id: 'route',
  family: 'network',
  question: 'Is there a way to the hub, and for which of IPv4 and IPv6?',
  why: 'Without a route nothing leaves this network.',
  remedies: [
    'Run `ip route`: is there a line that begins with `default`? If not, renew the DHCP lease or set the gateway.',
  ],
  needs: [],
  async ask(facts, signal) {
    const found = (await routes.read(readingContext(facts))) as Readonly<
      Record<'v4' | 'v6', readonly Readonly<{ interface: string; gateway: string | null }>[] | null>
    > | null
    const of = (family: 'v4' | 'v6') =>
      (found?.[family] ?? []).map(each => `${each.interface} via ${each.gateway ?? 'the link itself'}`)
    const [v4, v6] = [of('v4'), of('v6')]
    const address = await addressOf(facts, signal)
    const way = address === null ? null : await wayTo(address)
    const info = { v4, v6, address, way }
    if (way !== null && 'code' in way)
      return failed(`there is none to ${address}: ${way.code}`, info, [
        `Run \`ip route get ${address}\`, and \`ip route\`: renew the DHCP lease, or set the gateway or the route.`,
      ])
    if (v4.length > 0) return ok(`IPv4 by ${v4[0]}${v6.length > 0 ? `, IPv6 by ${v6[0]}` : ''}`, info)
    if (way !== null)
      return ok(
        `the kernel reaches ${address} from ${way.from}${way.interface === null ? '' : ` on ${way.interface}`}, without a default route of IPv4`,
        info,
      )
    if (found === null) return skipped('the kernel does not show its routes')
    if (v6.length > 0)
      return warning(`IPv6 alone, by ${v6[0]}`, info, [
        'Give this host IPv4 too, or NAT64: the names of hubs lead to IPv4 addresses.',
      ])
    return failed('there is none', { ...info, addresses: Object.keys(networkInterfaces()) })
  },
}

/** Whether the name leads anywhere is another question, which is asked for longer. */
const lookUpMs = 3_000

/** Of the hub, or of the proxy before it; `null` where it cannot be found out. */
async function addressOf({ target, lookup }: Facts, signal: AbortSignal): Promise<string | null> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(lookUpMs)])
  try {
    const { host, proxy } = await target()
    return (await lookup(proxy?.host ?? host, limit))[0] ?? null
  } catch {
    // No identity, or no address: the checks that need them say so.
    return null
  }
}
