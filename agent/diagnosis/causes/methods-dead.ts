/** Connected, and deaf to direct methods. */
import { toldOf, wordOfEnding } from '../amqp-words.js'
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfEnding } from '../wire-facts.js'

export const methodsDead: Cause = {
  id: 'methods-dead',
  family: 'protocol',
  title: 'Connected, but direct methods did not arrive',
  hubCodes: ['404103', '403010'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The session stands, but the subscription to direct methods is refused, not answered, or lost (AMQP: its link is detached).',
    hub: 'A device that is connected and listens to no method.',
    log: 'Nothing, as long as the session stands. Whoever calls a method gets 404103 or a timeout.',
  },
  meaning:
    'A connection that cannot be called is of little use, and the SDK does not notice it. The recorder checks the answer to its subscription, and makes a new connection when it is bad.',
  tells: {
    raises: 'The session goes on, and the subscription was refused or its link is gone.',
    rulesOut: 'A method was answered in the same session.',
  },
  nextSteps: {
    device: [
      'Do nothing if it happened once: the recorder has already connected anew.',
      'If it happens again and again, check that no other program subscribes more than five topics under this identity.',
    ],
    portal: [
      'In the portal, check that the tier of the hub has direct methods (Standard, not Basic), and call `ping`.',
    ],
  },
  docs: [pages.mqtt, pages.errorCodes],

  fromEnding(ending) {
    const close = closeOfEnding(ending)
    if (ending.kind !== 'closed' || close === null || close.closed.by !== 'us' || close.closed.reason !== 'methods') {
      return null
    }
    const word = wordOfEnding(ending)
    // With a condition the hub has said why, and that is what counts.
    if (word !== null && word.condition !== null) return null
    return {
      confidence: 'certain',
      evidence: [
        ...(word === null ? [] : [toldOf(word)]),
        ending.subscribed
          ? 'The subscription to direct methods was lost during the session, so the recorder gave the connection up.'
          : 'The subscription to direct methods was refused or not answered, so the recorder gave the connection up.',
      ],
      runnersUp: [maybe('hub-transient-5xx', 'See whether other devices have the same trouble at the same time.')],
    }
  },
}
