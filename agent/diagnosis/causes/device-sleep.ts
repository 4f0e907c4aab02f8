/** The device was suspended. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const deviceSleep: Cause = {
  id: 'device-sleep',
  family: 'local',
  title: 'The device was asleep',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The wall clock has moved on much further than the running time; timers fire late, and the first write fails.',
    hub: 'A device that falls silent without a goodbye.',
    log: '404104 after one and a half keepalive intervals.',
  },
  meaning:
    'While a device is suspended its timers stand still. The hub closes the session meanwhile, and the device finds out when it wakes.',
  nextSteps: {
    device: [
      'Close the connection before suspending and make a new one after waking, or switch suspending off.',
      'Run `journalctl | grep -i suspend` to see when it slept.',
    ],
    portal: ['In the portal, expect 404104 for each sleep.'],
  },
  docs: [pages.mqtt],
}
