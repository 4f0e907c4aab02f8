/** The hub does not speak the version of the protocol or of the interface that was asked for. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { connackOf } from '../sign-in.js'
import { dialled } from '../words.js'

const conditions = new Set(['amqp:not-implemented'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  return said === null ? null : { confidence: 'certain', evidence: [toldOf(said)], runnersUp: [] }
}

export const protocolVersion: Cause = {
  id: 'protocol-version',
  family: 'protocol',
  title: 'The hub refused the protocol version',
  hubCodes: ['400001'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The sign-in is answered with CONNACK 1 (AMQP: amqp:not-implemented).',
    hub: 'A version of MQTT other than 3.1.1, or an api-version it does not know.',
    log: '400001.',
  },
  meaning:
    'The client and the hub do not speak the same version. An SDK that is much too old or too new for this cloud is the usual reason.',
  tells: {
    raises: 'CONNACK 1, at each attempt.',
    rulesOut: 'The same software was accepted before by the same hub.',
  },
  nextSteps: {
    device: [
      'Update the SDK of the application, or hubrec if it is hubrec itself.',
      'Check that MQTT 3.1.1 is used: protocol level 4, not 3 or 5.',
    ],
    portal: [
      'In the portal, check in which cloud and region the hub is: not all of them serve the newest api-version.',
    ],
  },
  docs: [pages.mqtt, pages.errorCodes],

  fromAttempt(attempt) {
    if (connackOf(attempt) !== 1) return judge(wordOfAttempt(attempt))
    return {
      confidence: 'certain',
      evidence: [`${dialled(attempt)} answered the sign-in with CONNACK 1: unacceptable protocol version.`],
      runnersUp: [],
    }
  },
  fromEnding: ending => judge(wordOfEnding(ending)),
}
