/** The identity was disabled. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const deviceDisabled: Cause = {
  id: 'device-disabled',
  family: 'identity',
  title: 'The device is disabled in the hub',
  hubCodes: ['403012', '404001', '401003'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'A good session ends with a bare close, and then every sign-in is refused (CONNACK 5). A wrong key looks the same.',
    hub: 'A device whose status is disabled.',
    log: '403012 or 401003. Programs that ask for the device may get 404001.',
  },
  meaning:
    'Somebody has disabled the identity in the hub. Its key is still right, and it will work again when it is enabled.',
  nextSteps: {
    device: ['Leave the device as it is: it will come back by itself once the identity is enabled.'],
    portal: [
      'In the portal, open the device and enable it; the status reason may say who disabled it and why.',
      'Or run `az iot hub device-identity show -n HUB -d DEVICE --query "[status,statusReason]"`.',
    ],
  },
  docs: [pages.identityRegistry, pages.errorCodes],
}
