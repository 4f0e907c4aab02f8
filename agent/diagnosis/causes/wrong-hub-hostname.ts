/** The connection string names a hub that is not there, or another one. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const wrongHubHostname: Cause = {
  id: 'wrong-hub-hostname',
  family: 'identity',
  title: 'The connection string names the wrong hub',
  hubCodes: ['401001', '401003'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The name does not resolve although others do (ENOTFOUND); or another hub answers and refuses (CONNACK 5); or the address was used instead of the name (CONNACK 3).',
    hub: 'Nothing, or a device it does not know.',
    log: 'No entry in the log of the right hub; perhaps 401003 in that of another.',
  },
  meaning:
    'The host name has a typing error or the suffix of another cloud, the hub was deleted, or the device belongs to another hub.',
  nextSteps: {
    device: [
      'Read HostName in the connection string: NAME.azure-devices.net (US government: .us, China: .cn).',
      'Use the name and never the IP address: the hub needs the name to know which hub is meant, and addresses change.',
      'Run `getent hosts HUB` and, for comparison, `getent hosts learn.microsoft.com`.',
    ],
    portal: ['In the portal, check that the hub exists, and copy its host name from the overview.'],
  },
  docs: [pages.errorCodes, pages.addresses],
}
