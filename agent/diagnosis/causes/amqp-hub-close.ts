/** The hub ended an AMQP connection or link for a reason that has no name of its own here. After all causes that know a condition. */
import type { AmqpWord } from '../amqp-words.js'
import { toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'

function judge(word: AmqpWord | null): Finding | null {
  // A message that was not taken ends nothing by itself.
  if (word === null || word.about === 'message') return null
  return {
    confidence: 'likely',
    evidence: [toldOf(word)],
    runnersUp: [
      maybe(
        'hub-upgrade-or-failover',
        'Look for 400029 in the Connections log, and for the same close on other devices.',
      ),
      maybe(
        'duplicate-device-id',
        'Look for 409002 in the Connections log: a second client has signed in under this identity.',
      ),
    ],
  }
}

export const amqpHubClose: Cause = {
  id: 'amqp-hub-close',
  family: 'protocol',
  title: 'The hub closed the AMQP connection or one of its links',
  hubCodes: ['404104'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'A close, end or detach arrives, without an error or with a condition that stands for no known cause. The SDK tells its application 45 seconds later, or never.',
    hub: 'It ended the connection itself, and politely.',
    log: '404104, or nothing.',
  },
  meaning:
    'That the hub ended it is sure; the condition and the description in the evidence are all that it said of the reason.',
  tells: {
    raises: 'The frame came from the hub while packets went both ways until then.',
    rulesOut: 'A condition that has a cause of its own, or a loss without any frame.',
  },
  nextSteps: {
    device: [
      'Do nothing if it happened once and the device came back.',
      'Read the condition and the description in the evidence; they often name a limit or an operation.',
    ],
    portal: [
      'In the portal, read the rows in the Connections log of this device at that time (UTC), give or take two minutes.',
      'Open a support request with the description, which may hold a tracking id, if it comes again and again.',
    ],
  },
  docs: [pages.errorCodes, pages.connectivity],

  fromAttempt: attempt => judge(wordOfAttempt(attempt)),
  fromEnding: ending => judge(wordOfEnding(ending)),
}
