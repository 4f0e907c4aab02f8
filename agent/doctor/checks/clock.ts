/** Whether the clock can be right, is kept right, and agrees with others. */
import { readClock } from '../../evidence/samples/clock.js'
import { isPlausible } from '../../release.js'
import { type Check, failed, ok, skipped, warning } from '../check.js'

const why = 'Tokens and certificates are judged by the time: a wrong clock looks like a wrong key or a bad certificate.'
const remedies = [
  'Run `timedatectl` and check that the clock is synchronised; if not, `timedatectl set-ntp true`, and open UDP port 123.',
  'If it is wrong after every power cut, replace the battery of the clock.',
]

export const clockPlausible: Check = {
  id: 'clock-plausible',
  family: 'clock',
  question: 'Can the clock be right?',
  why,
  remedies,
  needs: [],
  async ask({ clock }) {
    const { wallMs } = clock.now()
    const wall = new Date(wallMs).toISOString()
    return isPlausible(wallMs) ? ok(wall, { wall }) : failed(`it reads ${wall}, which cannot be true`, { wall })
  },
}

export const clockSynchronised: Check = {
  id: 'clock-synchronised',
  family: 'clock',
  question: 'Is the clock kept right by a time server?',
  why,
  remedies,
  needs: [],
  async ask({ clock, roots }) {
    const { synchronised } = await readClock(clock, roots.runRoot)
    if (synchronised === null) return skipped('the host does not say; where chrony runs, `chronyc tracking` does')
    return synchronised ? ok('the host says so') : warning('the host says that it is not synchronised')
  },
}

/** A header says whole seconds, and a slow answer is late. */
const apartMs = { warning: 30_000, failed: 300_000 } as const

export const clockReferences: Check = {
  id: 'clock-references',
  family: 'clock',
  question: 'Does the clock agree with that of another host?',
  why,
  remedies,
  needs: ['identity'],
  async ask({ probed }) {
    const seen = (await probed()).flatMap(answer =>
      answer.probe === 'httpDate' && answer.aheadMs !== null ? [{ host: answer.host, aheadMs: answer.aheadMs }] : [],
    )
    if (seen.length === 0) return skipped('no host that was asked told the time')
    const info = { aheadMs: Object.fromEntries(seen.map(({ host, aheadMs }) => [host, aheadMs])) }
    const said = seen.map(
      ({ host, aheadMs }) => `${Math.abs(aheadMs) / 1e3} s ${aheadMs < 0 ? 'behind' : 'ahead of'} ${host}`,
    )
    const worst = Math.max(...seen.map(({ aheadMs }) => Math.abs(aheadMs)))
    if (worst >= apartMs.failed) return failed(`it is ${said.join(', ')}`, info)
    return worst >= apartMs.warning ? warning(`it is ${said.join(', ')}`, info) : ok(`within ${said.join(', ')}`, info)
  },
}
