/** Whether there is an interface by which packets can leave this host. */
import { interfaces, isInternal } from '../../evidence/samples/interfaces.js'
import { type Check, failed, ok, skipped } from '../check.js'
import { readingContext } from '../reading-context.js'

export const link: Check = {
  id: 'link',
  family: 'network',
  question: 'Is there an interface with a carrier and an address?',
  why: 'Without a link and an address nothing leaves this host.',
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
    const ready = outward.filter(
      ([, { carrier, operstate, addresses }]) => carrier !== 0 && operstate !== 'down' && addresses.some(isGlobal),
    )
    const info = {
      interfaces: Object.fromEntries(outward.map(([name, { carrier, addresses }]) => [name, { carrier, addresses }])),
    }
    if (ready.length > 0)
      return ok(
        ready.map(([name, { addresses }]) => `${name} has ${addresses.filter(isGlobal).join(', ')}`).join('; '),
        info,
      )
    const isDown = (each: Readonly<{ carrier: number | null; operstate: string | null }>): boolean =>
      each.carrier === null && each.operstate === 'down'
    const said = outward.map(([name, each]) =>
      isDown(each) ? `${name} is down` : `${name} has ${each.carrier === 0 ? 'no carrier' : 'no address'}`,
    )
    const down = outward.flatMap(([name, each]) => (isDown(each) ? [name] : []))
    if (down.length > 0)
      return failed(said.join('; '), info, [
        `Somebody has switched it off: \`ip link set dev ${down[0]} up\`, and look for what did (\`rfkill list\`, \`journalctl -u NetworkManager\`).`,
      ])
    return failed(said.length > 0 ? said.join('; ') : 'there is no interface that leads out', info)
  },
}

/** One that only this link knows leads nowhere. */
const isGlobal = (address: string): boolean => !/^(?:fe[89ab]|169\.254\.|127\.|::1$)/i.test(address)
