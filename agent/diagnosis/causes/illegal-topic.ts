/** A topic that IoT Hub does not have. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'

const conditions = new Set(['amqp:not-allowed'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  if (said === null) return null
  return {
    confidence: 'possible',
    evidence: [toldOf(said)],
    runnersUp: [
      maybe(
        'basic-tier-operation',
        'In the portal, look at the tier of the hub: Basic has no direct methods and twins.',
      ),
    ],
  }
}

export const illegalTopic: Cause = {
  id: 'illegal-topic',
  family: 'protocol',
  title: 'A topic that the hub does not have',
  hubCodes: ['400xxx'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Sign-in succeeds, and the connection is closed within a second of one certain publish or subscribe, every time. AMQP: a link is refused with amqp:not-allowed.',
    hub: 'A publish or subscribe on a topic outside devices/DEVICE/ and $iothub/.',
    log: 'A code that begins with 400, or only 404104.',
  },
  meaning:
    'IoT Hub is not a general MQTT broker. It knows a handful of topics and hangs up on all others, also on those of another device.',
  tells: {
    raises: 'Each close follows one certain publish or subscribe within a second.',
    rulesOut: 'Sessions that were closed without having sent anything.',
  },
  nextSteps: {
    device: [
      'Compare the topics that the application uses with those in the documentation.',
      'Check the device id within the topic: spelling, upper and lower case.',
    ],
    portal: ['In the portal, look in the Connections log for a code that begins with 400 at this time (UTC).'],
  },
  docs: [pages.mqtt],

  fromAttempt: attempt => judge(wordOfAttempt(attempt)),
  fromEnding: ending => judge(wordOfEnding(ending)),
}
