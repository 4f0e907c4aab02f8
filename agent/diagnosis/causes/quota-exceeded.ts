/** The hub has had all the messages that its tier allows for the day. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { publishRun } from '../closing-runs.js'
import { pages } from '../pages.js'
import { overMidnight } from '../rhythm.js'
import { type CbsRefusal, cbsRefusalIn, cbsRefusalOf } from '../sign-in.js'
import { closeOfEnding, isFin } from '../wire-facts.js'

const throttled = maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.')

const conditions = new Set(['amqp:resource-limit-exceeded', 'com.microsoft:quota-exceeded'])

function judgeWord(refusal: CbsRefusal | null, word: AmqpWord | null): Finding | null {
  if (refusal?.status === 403 && /\bquota\b/i.test(refusal.said)) {
    return { confidence: 'likely', evidence: [refusal.sentence], runnersUp: [throttled] }
  }
  const said = among(word, conditions)
  return said === null ? null : { confidence: 'likely', evidence: [toldOf(said)], runnersUp: [throttled] }
}

export const quotaExceeded: Cause = {
  id: 'quota-exceeded',
  family: 'service',
  title: 'The daily message quota is used up',
  hubCodes: ['403002'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'Sign-in succeeds, and the connection is closed as soon as a message is sent, again and again until 00:00 UTC. AMQP: amqp:resource-limit-exceeded or com.microsoft:quota-exceeded.',
    hub: 'More messages in one day than its tier and units allow.',
    log: '403002.',
  },
  meaning:
    'The quota counts for the whole hub, so the device that is closed need not be the one that sends too much. Over MQTT the hub gives no reason; it only closes.',
  tells: {
    raises: 'It begins during the day and ends at 00:00 UTC; the close follows a publish.',
    rulesOut: 'Closes without any message, or over midnight UTC.',
  },
  nextSteps: {
    device: [
      'Stop sending until 00:00 UTC, or send less often.',
      'Check whether a program on this device sends in a loop.',
    ],
    portal: [
      'In the portal, compare the metric of messages used today with the quota of the tier.',
      'In the portal, add units or choose a larger tier.',
    ],
  },
  docs: [pages.quotas, pages.errorCodes],

  fromAttempt: attempt => judgeWord(cbsRefusalOf(attempt), wordOfAttempt(attempt)),
  fromEnding(ending, { history }) {
    const told = judgeWord(cbsRefusalIn(ending), wordOfEnding(ending))
    if (told !== null) return told
    const close = closeOfEnding(ending)
    if (close === null || close.stage !== 'session' || !isFin(close)) return null
    const run = publishRun(history)
    // At 00:00 UTC a new quota begins.
    if (run.length < 2 || overMidnight(run)) return null
    return {
      confidence: 'possible',
      evidence: [
        `The last ${run.length} sessions were each closed without a word (FIN) just after a message was sent.`,
      ],
      runnersUp: [
        maybe(
          'illegal-topic',
          'Check the topic of the message that was sent: does it name this device, in this spelling?',
        ),
        throttled,
      ],
    }
  },
}
