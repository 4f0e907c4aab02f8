/** Whether direct methods reach the recorder, and how soon they are answered. */
import { type Check, failed, ok, skipped, warning } from '../check.js'

type AnswerTime = Readonly<{ answerMs: number; roundTripMs: number | null }>

/** A method that is answered later than this, an operator takes for lost: the service waits for 30 s by default. */
const slowMs = 5_000

export const methods: Check = {
  id: 'methods',
  family: 'recorder',
  question: 'Are direct methods answered, and how soon?',
  why: 'A device that is connected and deaf looks well in the portal, and nobody gets anything from it.',
  remedies: ['Restart the recorder; where the hub refuses the subscription, look at its tier: methods need Standard.'],
  needs: ['daemon'],
  async ask(facts) {
    const status = await facts.daemon()
    if (status === null) return skipped('nobody is there to answer them')
    if (!status.connection.methods) return failed('the hub has not answered the subscription')
    const found = (await facts.ask('method').catch((error: Error) => error)) as AnswerTime | Error | null
    if (found === null || found instanceof Error)
      return warning(`subscribed; the recorder did not say how long it takes${found ? `: ${found.message}` : ''}`)
    const { answerMs, roundTripMs } = found
    const wholeMs = answerMs + (roundTripMs ?? 0)
    const road = roundTripMs === null ? 'the road is not measured yet' : `${Math.round(roundTripMs)} ms on the road`
    const told = `answered in ${answerMs.toFixed(1)} ms here, and ${road}`
    return wholeMs > slowMs ? warning(told, found) : ok(told, found)
  },
}
