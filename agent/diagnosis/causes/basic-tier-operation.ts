/** The tier of the hub lacks what was asked for. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'

const conditions = new Set(['amqp:not-allowed'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  if (said === null || !/\btier\b/i.test(said.description ?? '')) return null
  return {
    confidence: 'possible',
    evidence: [toldOf(said)],
    runnersUp: [
      maybe('illegal-topic', 'Check which links and topics the application opens: are they all in the documentation?'),
    ],
  }
}

export const basicTierOperation: Cause = {
  id: 'basic-tier-operation',
  family: 'service',
  title: 'The tier of the hub does not have this feature',
  hubCodes: ['403010'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device: 'The link or the subscription to direct methods, the twin or messages is refused or closed, every time.',
    hub: 'A request for a feature that only the Standard tier has.',
    log: '403010.',
  },
  meaning:
    'Direct methods, twins and messages to devices need the Standard tier. In a hub of the Basic tier a device can only send.',
  tells: {
    raises: 'It is the same on each device of the hub and at each attempt; telemetry works.',
    rulesOut: 'Another device of the same hub has methods or a twin.',
  },
  nextSteps: {
    device: ['Switch the feature off in the application, or leave it until the hub has the Standard tier.'],
    portal: ['In the portal, look at the tier of the hub (Pricing and scale), and choose Standard if it is Basic.'],
  },
  docs: [pages.quotas, pages.errorCodes],

  fromAttempt: attempt => judge(wordOfAttempt(attempt)),
  fromEnding: ending => judge(wordOfEnding(ending)),
}
