/** What the caller of a direct method is told when no answer comes in time. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const gatewayTimeout: Cause = {
  id: 'gateway-timeout',
  family: 'service',
  title: 'A direct method was not answered in time',
  hubCodes: ['504101'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Perhaps a call that it answered too late, or nothing because the line was already silent.',
    hub: 'A device that took the call, as it seemed, and gave no answer.',
    log: 'Nothing in the Connections log; the caller gets 504101.',
  },
  meaning:
    'This is not a disconnect. The device was slow, its handler failed, or the connection was dead and neither side knew it yet.',
  tells: {
    raises: 'The method came, and its answer left later than the caller waited.',
    rulesOut: 'No session stood at that time.',
  },
  nextSteps: {
    device: ['Run `hubrec episodes` and see whether a loss (link-lost-keepalive) was found just after the call.'],
    portal: ['In the portal, call again with a longer response timeout.'],
  },
  docs: [pages.errorCodes],
}
