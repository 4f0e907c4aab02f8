/** A message was published with QoS 2. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const mqttQos2: Cause = {
  id: 'mqtt-qos2',
  family: 'protocol',
  title: 'A message was published with QoS 2',
  hubCodes: ['400xxx'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The connection is closed right after a PUBLISH of QoS 2.',
    hub: 'A packet that it does not support, for which it hangs up.',
    log: 'deviceDisconnect with a number that begins with 400.',
  },
  meaning: 'IoT Hub takes QoS 0 and 1. The SDK publishes with 1; a client of another make may be set to 2.',
  tells: {
    raises: 'The last packet that was sent is a PUBLISH with QoS 2.',
    rulesOut: 'All packets that were sent have QoS 0 or 1.',
  },
  nextSteps: {
    device: [
      "Set the client's QoS to 1.",
      'Run `hubrec logs --type wire` for the second before the close and look for the packet.',
    ],
    portal: ['In the portal, look for 400 in the log of the hub at each of these times.'],
  },
  docs: [pages.mqtt],
}
