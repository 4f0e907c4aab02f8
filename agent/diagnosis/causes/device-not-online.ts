/** What the caller of a direct method is told when nobody listens. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const deviceNotOnline: Cause = {
  id: 'device-not-online',
  family: 'service',
  title: 'A direct method found no listening device',
  hubCodes: ['404103', '404102'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Nothing: the call does not reach it.',
    hub: 'A method call for a device that is not connected, or connected without listening to methods.',
    log: 'Nothing in the Connections log; the caller gets 404103.',
  },
  meaning:
    'This is not a disconnect but the answer to somebody who called. The device may be offline, or online with nobody listening.',
  tells: {
    raises: 'The time of the call lies in an outage of this device.',
    rulesOut: 'The device answered other methods at that time.',
  },
  nextSteps: {
    device: [
      'Run `hubrec status` on the device: is it connected?',
      'Check that the call goes to the right identity: hubrec may run as a module beside the device.',
    ],
    portal: [
      'In the portal, look at the connection state of the device, and call the method again with a connect timeout.',
    ],
  },
  docs: [pages.errorCodes, pages.connectionState],
}
