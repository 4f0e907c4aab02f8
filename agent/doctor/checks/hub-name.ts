/** Where the name of the hub leads, as programs of this host ask for it. */
import dns from 'node:dns'
import { isIP } from 'node:net'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

export const hubName: Check = {
  id: 'hub-name',
  family: 'names',
  question: 'Does the name of the hub lead to an address?',
  why: 'The name is the only way to the hub: its addresses change, and TLS needs the name.',
  remedies: [
    'Compare HostName in the connection string with the overview of the hub in the portal.',
    'Run `getent hosts learn.microsoft.com`: if that fails too, it is the resolver and not the name.',
  ],
  needs: ['identity'],
  async ask({ target, probed, lookup }, signal) {
    const { host, proxy } = await target()
    if (isIP(host) !== 0)
      return warning(`${host} is an address and no name`, undefined, ['Use the name of the hub: addresses change.'])
    if (proxy !== null) return skipped('the proxy resolves it')
    const bySystem = await lookup(host, signal).catch((error: Error) => error)
    if (bySystem instanceof Error) {
      const elsewhere = answersOf({ probes: await probed() }, 'resolve').find(each => each.isHub && each.error === null)
      const found = `${host}: ${bySystem.message}`
      return elsewhere === undefined
        ? failed(found)
        : failed(`${found}; the resolver ${elsewhere.resolver} finds ${elsewhere.addresses.join(', ')}`, undefined, [
            'Look at /etc/hosts, /etc/nsswitch.conf and the local resolver: another resolver finds the name.',
          ])
    }
    const cname = await new dns.promises.Resolver(cnameOptions).resolveCname(host).catch(() => [])
    const isPrivate = bySystem.some(isPrivateAddress)
    const info = { host, addresses: bySystem, cname, private: isPrivate }
    const lead = `${host} leads to ${bySystem.join(', ')}${cname.length > 0 ? `, by ${cname[0]}` : ''}`
    return ok(isPrivate && host !== 'localhost' ? `${lead}: a private address, as of a private endpoint` : lead, info)
  },
}

/** It is good to know, and not worth a wait. */
const cnameOptions = { timeout: 1_500, tries: 1 }

/** RFC 1918, RFC 6598, RFC 4193 and the loopback. */
const isPrivateAddress = (address: string): boolean =>
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|127\.|f[cd]|::1$)/i.test(
    address,
  )
