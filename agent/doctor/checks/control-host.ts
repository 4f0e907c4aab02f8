/** Whether anything else than the hub answers. */
import { answersOf } from '../../diagnosis/probe-facts.js'
import { errorText } from '../../diagnosis/words.js'
import { type Check, failed, ok, skipped } from '../check.js'

export const controlHost: Check = {
  id: 'control-host',
  family: 'network',
  question: 'Does another host answer?',
  why: 'What is dead alone is the hub or the way to it; what is dead together is this network.',
  remedies: ['Look at the router and its way out: nothing beyond this network answers.'],
  needs: ['identity'],
  async ask({ probed }) {
    const [answer] = answersOf({ probes: await probed() }, 'control')
    if (answer === undefined) return skipped('none is configured (`probes.controlHost`)')
    const where = `${answer.host}:${answer.port}`
    return answer.error === null
      ? ok(`${where} takes connections`)
      : failed(`${where} takes none: ${errorText(answer.error)}`)
  },
}
