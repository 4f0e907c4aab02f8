/** A message was larger than the hub takes. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable } from '../cause.js'
import { pages } from '../pages.js'

const conditions = new Set(['amqp:link:message-size-exceeded'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  return said === null ? null : { confidence: 'certain', evidence: [toldOf(said)], runnersUp: [] }
}

export const messageTooLarge: Cause = {
  id: 'message-too-large',
  family: 'protocol',
  title: 'A message was larger than the hub takes',
  hubCodes: ['413001'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'AMQP: amqp:link:message-size-exceeded. MQTT: the SDK refuses the message itself, or the connection is closed just after it was sent.',
    hub: 'A message of more than 256 KB, with its properties.',
    log: '413001.',
  },
  meaning: 'A message from a device may have 256 KB, properties included. The same message will be refused again.',
  tells: {
    raises: 'A message over 256 KB, or as large as the link allows, was the last that was sent.',
    rulesOut: 'Small messages are closed upon as well.',
  },
  nextSteps: {
    device: [
      'Split what the application sends, or send it compressed.',
      'Upload a file in place of a message when it must be large.',
    ],
    portal: ['In the portal, look for 413001 in the log at this time (UTC).'],
  },
  docs: [pages.quotas, pages.errorCodes],

  fromAttempt: attempt => judge(wordOfAttempt(attempt)),
  fromEnding: ending => judge(wordOfEnding(ending)),
}
