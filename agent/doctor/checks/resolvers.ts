/** Whether each resolver that is configured answers. */
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
  async ask({ probed, target }) {
    const answers = answersOf({ probes: await probed() }, 'resolve')
    const byEach = answers.filter(({ resolver }) => resolver !== 'system')
    const all = [...new Set(byEach.map(({ resolver }) => resolver))]
    if (all.length === 0) {
      const { host, proxy } = await target()
      if (isIP(host) !== 0) return skipped('the hub is configured by its address')
      if (proxy !== null) return skipped('the proxy finds the name')
      const byHost = answers.find(({ isHub }) => isHub)
      if (byHost?.error === null) return skipped(`none is configured, and ${host} is found without one`)
      return failed('none is configured in /etc/resolv.conf', undefined, [
        'Renew the DHCP lease, or name a resolver: `echo nameserver ADDRESS > /etc/resolv.conf`, unless a program writes that file.',
        'Run `resolvectl status` where systemd-resolved runs.',
      ])
    }
    const codesOf = (one: string) =>
      byEach.filter(({ resolver }) => resolver === one).map(({ error }) => error?.code ?? null)
    // One that says that there is no such name has answered, and one that says that it cannot has, too.
    const silent = all.filter(one =>
      codesOf(one).every(code => code !== null && !words.has(code) && !complaints.has(code)),
    )
    const complaining = all.flatMap(one => {
      const codes = codesOf(one)
      const complaint = codes.find(code => code !== null && complaints.has(code))
      return complaint && codes.every(code => code !== null && !words.has(code))
        ? [`${one} answers with ${complaint}`]
        : []
    })
    const info = { resolvers: all, silent, complaining }
    const said = [
      ...(silent.length === 0 ? [] : [`${silent.join(', ')} ${silent.length === 1 ? 'does' : 'do'} not answer`]),
      ...complaining,
    ].join('; ')
    if (said === '') return ok(all.join(', '), info)
    const good = all.filter(one => !silent.includes(one) && !complaining.some(each => each.startsWith(`${one} `)))
    const remedies =
      silent.length > 0
        ? undefined
        : [
            'What it asks in turn does not answer, or it does not serve this network: look at that resolver, or name another one.',
          ]
    return good.length === 0
      ? failed(said, info, remedies)
      : warning(`${said}; ${good.join(', ')} does`, info, remedies)
  },
}

const words: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])
const complaints: ReadonlySet<string> = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR'])
