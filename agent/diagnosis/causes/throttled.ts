/** The hub gets more than it takes, and slows its clients down. */
import type { Cause } from '../cause.js'
import { pages } from '../pages.js'

export const throttled: Cause = {
  id: 'throttled',
  family: 'service',
  title: 'The hub slows its devices down',
  hubCodes: ['429000', '429001', '429002', '429003', '429005', '503008', '403005'],
  ceiling: { mqtt: 'possible', amqp: 'certain' },
  planned: false,
  sees: {
    device: 'MQTT: a bare close, or twin answers with status 429. AMQP: com.microsoft:device-container-throttled.',
    hub: 'More connections, messages or operations in a second than its tier and units allow.',
    log: 'A code that begins with 429, and the metric of throttling errors.',
  },
  meaning:
    'Each unit of a hub takes a limited number of new connections and operations a second. After a power cut or a failover a whole fleet comes back at once and exceeds it.',
  nextSteps: {
    device: ['Leave the device alone: it waits longer each time. Do not restart it, each restart is one more sign-in.'],
    portal: [
      'In the portal, look at the metric of throttling errors at this time.',
      'Add units, or spread the start of the devices with a random delay.',
    ],
  },
  docs: [pages.quotas, pages.errorCodes],
}
