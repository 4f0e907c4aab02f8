/** Whether the first hop is there. */
import { type Check, failed, ok, skipped } from '../check.js'

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
