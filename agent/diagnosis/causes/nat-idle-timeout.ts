/** A box on the road forgets connections that are idle for too long. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const natIdleTimeout: Cause = {
  id: 'nat-idle-timeout',
  family: 'network',
  title: 'A router forgot the idle connection',
  hubCodes: ['404104'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'Sessions end, or go silent, after the same idle time again and again, and that time is shorter than the keepalive.',
    hub: 'A device that falls silent although it sends.',
    log: '404104, again and again with the same distance.',
  },
  meaning:
    'Routers and mobile carriers keep a table of connections (NAT) and drop the idle ones, without telling either end. What is sent afterwards vanishes or is answered with a reset.',
  nextSteps: {
    device: [
      'Set `connection.keepaliveSeconds` to less than the shortest idle time at which it happened.',
      'Raise the TCP idle time in the router, if it has such a setting.',
      'Do not expect WebSocket on port 443 to help: the table is the same.',
    ],
    portal: ['Ask the mobile carrier for the idle time of its access point (APN), or for one without NAT.'],
  },
  docs: [pages.mqtt],
}
