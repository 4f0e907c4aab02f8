/** The hub is there and cannot serve at the moment. */
import { type Cause, knowable, maybe } from '../cause.js'
import { connackOf } from '../connack.js'
import { pages } from '../pages.js'
import { dialled } from '../words.js'

export const hubTransient5xx: Cause = {
  id: 'hub-transient-5xx',
  family: 'service',
  title: 'The hub cannot serve at the moment',
  hubCodes: ['500001', '500008', '503001', '503005', '503101', '503102'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'The sign-in is answered with CONNACK 3, server unavailable (AMQP: amqp:internal-error or com.microsoft:timeout).',
    hub: 'A fault of its own, usually in one of its nodes and for a few minutes.',
    log: '500001, 500008 or a code that begins with 503, for many devices at once.',
  },
  meaning:
    'The trouble is on the side of the service and as a rule ends by itself. Waiting longer between attempts helps everybody.',
  nextSteps: {
    device: [
      'Leave the device alone: it tries again by itself, ever more slowly, up to a limit.',
      'If it never worked, check that the host name of the hub is used and not its IP address.',
    ],
    portal: [
      'In the portal, look at Resource Health of the hub and at Azure status.',
      'Open a support request if it lasts over 30 minutes, with the device id and the time (UTC).',
    ],
  },
  docs: [pages.errorCodes],

  fromAttempt(attempt, evidence) {
    if (connackOf(attempt, evidence) !== 3) return null
    return {
      confidence: 'likely',
      evidence: [`${dialled(attempt)} answered the sign-in with CONNACK 3: server unavailable.`],
      runnersUp: [
        maybe(
          'wrong-hub-hostname',
          'Check whether the hub is dialled by its address: without its name it answers with CONNACK 3 too.',
        ),
        maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.'),
      ],
    }
  },
}
