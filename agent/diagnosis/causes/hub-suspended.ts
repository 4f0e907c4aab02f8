/** The hub is there, and has been switched off. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import type { Cause, Finding } from '../cause.js'
import { pages } from '../pages.js'
import { type CbsRefusal, cbsRefusalIn, cbsRefusalOf } from '../sign-in.js'

const conditions = new Set(['com.microsoft:iot-hub-suspended'])

function judge(refusal: CbsRefusal | null, word: AmqpWord | null): Finding | null {
  if (refusal?.status === 403 && /\bsuspended\b/i.test(refusal.said)) {
    return { confidence: 'certain', evidence: [refusal.sentence], runnersUp: [] }
  }
  const said = among(word, conditions)
  return said === null ? null : { confidence: 'certain', evidence: [toldOf(said)], runnersUp: [] }
}

export const hubSuspended: Cause = {
  id: 'hub-suspended',
  family: 'service',
  title: 'The hub is suspended',
  hubCodes: ['403001', '503004'],
  ceiling: { mqtt: 'possible', amqp: 'certain' },
  planned: false,
  sees: {
    device: 'AMQP: com.microsoft:iot-hub-suspended. MQTT: a refused sign-in that does not say why.',
    hub: 'It takes no devices, because the subscription or the hub itself is disabled.',
    log: '403001 or 503004, for all devices.',
  },
  meaning:
    'Nothing is wrong with the device or the network. A subscription without money or a hub that was disabled lets nobody in.',
  tells: {
    raises: 'AMQP names it; all devices are refused from the same moment.',
    rulesOut: 'Another device of the same hub is served.',
  },
  nextSteps: {
    device: ['Leave the device as it is: it comes back by itself once the hub is active.'],
    portal: [
      'In the portal, check that the state of the hub is Active.',
      'In the portal, check that the subscription is enabled and paid for.',
    ],
  },
  docs: [pages.errorCodes],

  fromAttempt: attempt => judge(cbsRefusalOf(attempt), wordOfAttempt(attempt)),
  fromEnding: ending => judge(cbsRefusalIn(ending), wordOfEnding(ending)),
}
