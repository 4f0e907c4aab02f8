/** The hub gets more than it takes, and slows its clients down. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import type { Cause, Finding } from '../cause.js'
import { httpAnswerOf } from '../http-answers.js'
import { pages } from '../pages.js'
import { type CbsRefusal, cbsRefusalIn, cbsRefusalOf } from '../sign-in.js'

const conditions = new Set(['com.microsoft:device-container-throttled'])

function judge(refusal: CbsRefusal | null, word: AmqpWord | null): Finding | null {
  if (refusal?.status === 429) return { confidence: 'certain', evidence: [refusal.sentence], runnersUp: [] }
  const said = among(word, conditions)
  return said === null ? null : { confidence: 'certain', evidence: [toldOf(said)], runnersUp: [] }
}

export const throttled: Cause = {
  id: 'throttled',
  family: 'service',
  title: 'The hub slows its devices down',
  hubCodes: ['429000', '429001', '429002', '429003', '429005', '503008', '403005'],
  ceiling: { mqtt: 'possible', amqp: 'certain' },
  planned: false,
  sees: {
    device:
      'MQTT: a bare close, or twin answers with status 429. AMQP: com.microsoft:device-container-throttled, or put-token 429. WebSocket: HTTP status 429.',
    hub: 'More connections, messages or operations in a second than its tier and units allow.',
    log: 'A code that begins with 429, and the metric of throttling errors.',
  },
  meaning:
    'Each unit of a hub takes a limited number of new connections and operations a second. After a power cut or a failover a whole fleet comes back at once and exceeds it.',
  tells: {
    raises: 'Status 429 or the condition of throttling, or the rate was raised before.',
    rulesOut: 'It strikes a device that sends nothing.',
  },
  nextSteps: {
    device: ['Leave the device alone: it waits longer each time. Do not restart it, each restart is one more sign-in.'],
    portal: [
      'In the portal, look at the metric of throttling errors at this time.',
      'Add units, or spread the start of the devices with a random delay.',
    ],
  },
  docs: [pages.quotas, pages.errorCodes],

  fromAttempt(attempt) {
    const answer = httpAnswerOf(attempt)
    if (answer !== null && answer.step === 'upgrade' && answer.status === 429) {
      return { confidence: 'certain', evidence: [answer.sentence], runnersUp: [] }
    }
    return judge(cbsRefusalOf(attempt), wordOfAttempt(attempt))
  },
  fromEnding: ending => judge(cbsRefusalIn(ending), wordOfEnding(ending)),
}
