/** Whether names resolve: by each resolver, and that of the hub. */
import dns from 'node:dns'
import { isIP } from 'node:net'
import { answersOf } from '../../diagnosis/probe-facts.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

export const resolvers: Check = {
  id: 'resolvers',
  family: 'names',
  question: 'Does each configured resolver answer?',
  why: 'One dead resolver costs seconds at every connection; when all are dead, no name leads anywhere.',
  remedies: [
    'Run `resolvectl status` or `cat /etc/resolv.conf`, and take out what does not answer.',
    'Renew the DHCP lease, which says who the resolvers are, or ask the network owner whether port 53 is open.',
  ],
  needs: ['identity'],
  async ask({ probed }) {
    const answers = answersOf({ probes: await probed() }, 'resolve').filter(({ resolver }) => resolver !== 'system')
    const all = [...new Set(answers.map(({ resolver }) => resolver))]
    if (all.length === 0) return skipped('none is configured, or none had to be asked')
    // One that says that there is no such name has answered.
    const silent = all.filter(one =>
      answers.every(({ resolver, error }) => resolver !== one || (error !== null && !isWord(error.code))),
    )
    const info = { resolvers: all, silent }
    if (silent.length === 0) return ok(all.join(', '), info)
    const said = `${silent.join(', ')} ${silent.length === 1 ? 'does' : 'do'} not answer`
    return silent.length === all.length
      ? failed(said, info)
      : warning(`${said}; ${all.filter(one => !silent.includes(one)).join(', ')} does`, info)
  },
}

const isWord = (code: string | undefined): boolean => code === 'ENOTFOUND' || code === 'ENODATA'

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
