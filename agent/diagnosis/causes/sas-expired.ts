/** A SAS token ended and was not renewed. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const sasExpired: Cause = {
  id: 'sas-expired',
  family: 'credential',
  title: 'The SAS token has expired',
  hubCodes: ['401003', '404104', '401002'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'A bare close at or up to ten minutes after the end of the token (`se`); then CONNACK 5 with the same token.',
    hub: 'A token whose time is over.',
    log: '401003, followed by 404104.',
  },
  meaning:
    'A SAS token ends at a fixed time. Whoever holds the key makes a new one in time; a ready-made token, a blocked process or a wrong clock prevents that.',
  nextSteps: {
    device: [
      'Use a connection string with a key (SharedAccessKey), so that the SDK renews the token by itself.',
      'If you make tokens yourself, hand the next one over before the old one ends (updateSharedAccessSignature).',
      'Run `date -u` and compare it with a watch.',
    ],
    portal: ['In the portal, look in the Connections log for 401003 and then 404104 at the time the token ended.'],
  },
  docs: [pages.errorCodes, pages.connectivity],
}
