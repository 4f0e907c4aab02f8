/** The identity is not in this hub. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const deviceDeleted: Cause = {
  id: 'device-deleted',
  family: 'identity',
  title: 'The device is not registered in this hub',
  hubCodes: ['404001', '401003'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device: 'Every sign-in is refused (CONNACK 5), perhaps after months of good sessions. A wrong key looks the same.',
    hub: 'A name that is not in its registry.',
    log: '401003. Programs that ask for the device get 404001.',
  },
  meaning:
    'The identity was deleted, was never registered, is spelled otherwise, or a provisioning service (DPS) has moved it to another hub.',
  nextSteps: {
    device: [
      'Compare the device id letter by letter with the portal: upper and lower case count.',
      'If the device was provisioned by DPS, let it provision again.',
    ],
    portal: [
      'In the portal, search for the device in this hub and in the others of the subscription.',
      'In the portal, register it again if it is gone, and give the device its new key.',
    ],
  },
  docs: [pages.identityRegistry, pages.errorCodes, pages.reconnections],
}
