/** What the caller of the service is told when a part of it has moved. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const partitionNotFound: Cause = {
  id: 'partition-not-found',
  family: 'service',
  title: 'A part of the service could not be found',
  hubCodes: ['503003'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Nothing: no device is told of it.',
    hub: 'A request that came while one of its parts moved.',
    log: 'Nothing in the Connections log; the caller gets 503003.',
  },
  meaning: 'This is not a disconnect. The service moved a part of itself; the same request succeeds a moment later.',
  tells: {
    raises: 'Only the caller sees it, and repeating helps.',
    rulesOut: 'The device lost its session at that time.',
  },
  nextSteps: {
    device: ['Do nothing on the device.'],
    portal: ['Repeat the request. If it fails again and again, open a support request with the tracking id.'],
  },
  docs: [pages.errorCodes],
}
