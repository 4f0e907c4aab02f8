/** The keepalive is longer than the hub allows. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const keepaliveTooLong: Cause = {
  id: 'keepalive-too-long',
  family: 'local',
  title: 'The keepalive is longer than the hub allows',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The configured keepalive is over 1177 s (MQTT).',
    hub: 'It hears nothing for 1767 s (MQTT) or 240 s (AMQP) and closes.',
    log: '404104.',
  },
  meaning:
    'The hub waits for one and a half keepalive intervals, and never longer than 1767 seconds. A client that speaks less often than that is taken for dead.',
  tells: {
    raises: 'The process stood still, or sent no ping, for longer than the hub waits.',
    rulesOut: 'Pings left in time until the end.',
  },
  nextSteps: {
    device: [
      'Set the keepalive of the application to 1177 s or less; hubrec itself accepts nothing longer.',
      'Check whether the application blocks: pings that are due must leave.',
    ],
    portal: ['In the portal, compare the distances between 404104 rows of the device with its keepalive.'],
  },
  docs: [pages.mqtt],
}
