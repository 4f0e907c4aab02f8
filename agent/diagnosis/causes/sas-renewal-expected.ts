/** The planned reconnection with a new SAS token or a new certificate, or over a protocol that is open again. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfEnding } from '../wire-facts.js'

export const sasRenewalExpected: Cause = {
  id: 'sas-renewal-expected',
  family: 'credential',
  title: 'Planned reconnection with a new SAS token or certificate',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: true,
  sees: {
    device: 'This side says goodbye (DISCONNECT), and signs in again at once with a new token or certificate.',
    hub: 'A client that leaves politely and comes back. AMQP renews without leaving.',
    log: 'deviceDisconnect and deviceConnect at level Information, without a code.',
  },
  meaning:
    'Nothing is wrong. MQTT has no way to hand over a new token in a running session, and no protocol has one for a new certificate, so the connection is made anew before the old one ends.',
  tells: {
    raises: "Our own goodbye at three quarters of the token's life, and acceptance at once.",
    rulesOut: 'A session that ended before its renewal was due.',
  },
  nextSteps: {
    device: ['Do nothing, as long as the reconnection succeeds.'],
    portal: ['In alerts, ignore a disconnect that is followed by a connect within a minute.'],
  },
  docs: [pages.connectivity],

  fromEnding(ending, { protocolChanges }) {
    const close = closeOfEnding(ending)
    if (close === null || close.closed.by !== 'us' || close.closed.reason !== 'renewal') return null
    const isCertificate = ending.kind === 'closed' && ending.credential?.kind === 'x509'
    const [moved] = protocolChanges
    const how = moved ? `over ${moved.to}` : `with a new ${isCertificate ? 'certificate' : 'SAS token'}`
    return {
      confidence: 'certain',
      evidence: [`The session was ended on purpose, to sign in again ${how}.`],
      runnersUp: [],
    }
  },
}
