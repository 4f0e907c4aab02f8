/** Whether packets can leave this host: a link, an address, a way out, and the next hop on it. */
import { networkInterfaces } from 'node:os'
import { interfaces, isInternal } from '../../evidence/samples/interfaces.js'
import { routes } from '../../evidence/samples/routes.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'
import { readingContext } from '../reading-context.js'

const why = 'Without a link, an address and a default route nothing leaves this host.'

export const link: Check = {
  id: 'link',
  family: 'network',
  question: 'Is there an interface with a carrier and an address?',
  why,
  remedies: [
    'Check the cable and the switch port, or the signal and the SIM card.',
    'Run `ip -br link` and `ip -br address`; renew the DHCP lease where the address is missing.',
  ],
  needs: [],
  async ask(facts) {
    const found = (await interfaces.read(readingContext(facts))) as Readonly<{
      byName: Readonly<
        Record<string, Readonly<{ carrier: number | null; operstate: string | null; addresses: string[] }>>
      >
    }> | null
    if (found === null) return skipped('the kernel does not show its interfaces')
    const outward = Object.entries(found.byName).filter(([name]) => !isInternal(name))
    const ready = outward.filter(([, { carrier, addresses }]) => carrier !== 0 && addresses.some(isGlobal))
    const info = {
      interfaces: Object.fromEntries(outward.map(([name, { carrier, addresses }]) => [name, { carrier, addresses }])),
    }
    if (ready.length > 0)
      return ok(
        ready.map(([name, { addresses }]) => `${name} has ${addresses.filter(isGlobal).join(', ')}`).join('; '),
        info,
      )
    const said = outward.map(([name, { carrier }]) => `${name} has ${carrier === 0 ? 'no carrier' : 'no address'}`)
    return failed(said.length > 0 ? said.join('; ') : 'there is no interface that leads out', info)
  },
}

/** One that only this link knows leads nowhere. */
const isGlobal = (address: string): boolean => !/^(?:fe[89ab]|169\.254\.|127\.|::1$)/i.test(address)

export const route: Check = {
  id: 'route',
  family: 'network',
  question: 'Is there a default route, and for which of IPv4 and IPv6?',
  why,
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

export const gateway: Check = {
  id: 'gateway',
  family: 'network',
  question: 'Is the default gateway there?',
  why: 'It is the first hop: what does not reach it reaches nothing.',
  remedies: [
    'Look at the router: is it on, and does it know this device?',
    'Run `ip neigh` and look for FAILED beside its address.',
  ],
  needs: ['identity', 'route'],
  async ask({ probed }) {
    const [answer] = (await probed()).flatMap(each => (each.probe === 'gateway' ? [each] : []))
    if (answer === undefined) return skipped('there is none on the way, or the kernel does not say')
    const where = `${answer.address} on ${answer.interface}`
    return answer.error === null ? ok(where) : failed(`${where} does not answer`)
  },
}
