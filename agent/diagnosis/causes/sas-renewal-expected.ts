/** The planned reconnection with a new SAS token. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfEnding } from '../wire-facts.js'

export const sasRenewalExpected: Cause = {
  id: 'sas-renewal-expected',
  family: 'credential',
  title: 'Planned reconnection with a new SAS token',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: true,
  sees: {
    device: 'This side says goodbye (DISCONNECT), and signs in again at once with a new token.',
    hub: 'A client that leaves politely and comes back. AMQP renews without leaving.',
    log: 'deviceDisconnect and deviceConnect at level Information, without a code.',
  },
  meaning:
    'Nothing is wrong. MQTT has no way to hand over a new token in a running session, so the connection is made anew shortly before the old token ends.',
  nextSteps: {
    device: ['Do nothing, as long as the reconnection succeeds.'],
    portal: ['In alerts, ignore a disconnect that is followed by a connect within a minute.'],
  },
  docs: [pages.connectivity],

  fromEnding(ending) {
    const close = closeOfEnding(ending)
    if (close === null || close.closed.by !== 'us' || close.closed.reason !== 'renewal') return null
    return {
      confidence: 'certain',
      evidence: ['The session was ended on purpose, to sign in again with a new SAS token.'],
      runnersUp: [],
    }
  },
}
