/** Too many messages wait for the device. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const queueDepth: Cause = {
  id: 'queue-depth',
  family: 'service',
  title: 'Too many messages wait for the device',
  hubCodes: ['403004', '403007'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Nothing: the connection is not touched.',
    hub: 'Fifty messages, or too many bytes, are waiting for the device.',
    log: 'The failed send of the program that wrote to it.',
  },
  meaning: 'Messages to a device wait in the hub until it fetches and confirms them. It is no disconnection.',
  tells: {
    raises: 'Only the program that sends is told.',
    rulesOut: 'The device lost its session at that time.',
  },
  nextSteps: {
    device: ['See whether the application receives and confirms messages to the device.'],
    portal: [
      'In the portal, or with `az iot hub device-identity show`, look at the number of waiting messages.',
      'Purge the queue, or give messages a shorter life.',
    ],
  },
  docs: [pages.quotas, pages.errorCodes],
}
