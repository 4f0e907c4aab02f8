/** A message was not acknowledged in time. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const pubackTimeout: Cause = {
  id: 'puback-timeout',
  family: 'protocol',
  title: 'Messages are not acknowledged',
  hubCodes: [],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      "A PUBLISH of QoS 1 has no PUBACK after 30 seconds, and the SDK's application gets TimeoutError, while pings are answered.",
    hub: 'A message that waits, or that it has and whose answer was lost.',
    log: 'Nothing, or throttling at the same time.',
  },
  meaning:
    'The line works and what is sent over it is not taken: the service is slow or throttling, or the road loses large packets.',
  tells: {
    raises: 'Pings are answered while publishes wait; large messages wait longer.',
    rulesOut: 'Pings are not answered either: then the line is dead.',
  },
  nextSteps: {
    device: [
      'Send a small message: if it is acknowledged and a large one is not, lower the MTU of the interface.',
      'Look at the rate of the application, and at `inFlightPublishes` of the closes.',
    ],
    portal: ['In the portal, look at the metrics for throttling errors and latency at that time.'],
  },
  docs: [pages.quotas],
}
