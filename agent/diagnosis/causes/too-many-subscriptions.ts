/** More topics were subscribed than the hub allows. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const tooManySubscriptions: Cause = {
  id: 'too-many-subscriptions',
  family: 'protocol',
  title: 'More than five topics are subscribed',
  hubCodes: ['400xxx'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device: 'A SUBSCRIBE is answered by 0x80, or the connection is closed upon it; the SDK says nothing of the former.',
    hub: 'More subscriptions on one connection than it keeps.',
    log: 'deviceDisconnect with a number that begins with 400, if it hung up.',
  },
  meaning:
    'A connection can subscribe to five topics at a time. What is refused stays silent: its messages never come.',
  tells: {
    raises: 'A sixth filter was the last that was subscribed, and the ones before were granted.',
    rulesOut: 'Fewer than six filters, or all of them granted.',
  },
  nextSteps: {
    device: [
      'Subscribe with the documented wildcards: one filter each for methods, twin answers, twin changes and messages.',
      'Run `hubrec logs --type wire` and look for `subscribed` with 128.',
    ],
    portal: ['Nothing decides it in the portal.'],
  },
  docs: [pages.mqtt],
}
