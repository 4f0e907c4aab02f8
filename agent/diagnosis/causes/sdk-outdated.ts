/** The SDK is older than what is known to be good. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const sdkOutdated: Cause = {
  id: 'sdk-outdated',
  family: 'local',
  title: 'The SDK is outdated, or its parts do not belong together',
  hubCodes: [],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'Package versions older than the newest that this release of hubrec knows, or of several ages side by side.',
    hub: 'Clients that name an old version when they sign in.',
    log: 'Nothing that names it.',
  },
  meaning:
    "Old versions of the SDK have mistakes that look like the network's: reconnections that never end or never begin, leaked handlers, tokens that are not renewed. It is seldom the cause of one loss, and often the cause that it is not over by itself.",
  tells: {
    raises: 'The version is far behind, and the SDK, not the wire, gave up.',
    rulesOut: 'The newest versions are installed, all of one age.',
  },
  nextSteps: {
    device: [
      "Run `npm ls azure-iot-device azure-iot-device-mqtt azure-iot-device-amqp mqtt` in the application's folder.",
      'Update all of these packages together, on one device first, and compare its outages with those of the rest.',
    ],
    portal: ['In the portal, compare how devices with the new version do over a week.'],
  },
  docs: [pages.reconnections],
}
