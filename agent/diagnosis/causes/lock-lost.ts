/** A message was confirmed too late. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const lockLost: Cause = {
  id: 'lock-lost',
  family: 'service',
  title: 'A message was confirmed too late',
  hubCodes: ['412002'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'AMQP: com.microsoft:message-lock-lost when it confirms; HTTPS: 412. The connection is not touched.',
    hub: 'A message whose minute was over, or that was taken over another connection.',
    log: 'The failed confirmation.',
  },
  meaning:
    'A message that was received over AMQP or HTTPS has to be confirmed within a minute, on the same connection. It will come again.',
  tells: {
    raises: 'The time between receiving and confirming is over a minute, or a reconnection lies between.',
    rulesOut: 'MQTT: there it does not exist.',
  },
  nextSteps: {
    device: ['Confirm at once, and do the work after; expect that a message comes twice.'],
    portal: ['Nothing decides it in the portal.'],
  },
  docs: [pages.errorCodes],
}
