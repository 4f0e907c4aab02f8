/** Whether each resolver that is configured answers. */
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
