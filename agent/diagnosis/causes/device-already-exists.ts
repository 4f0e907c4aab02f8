/** A device was registered twice. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const deviceAlreadyExists: Cause = {
  id: 'device-already-exists',
  family: 'service',
  title: 'Somebody registered a device that is there already',
  hubCodes: ['409001'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Nothing: no device is told of it.',
    hub: 'A registration of an id that it has.',
    log: 'The failed registration.',
  },
  meaning: 'Only programs that register devices see it. It has nothing to do with connections.',
  tells: {
    raises: 'The program that registers got 409.',
    rulesOut: 'The device lost its session at that time.',
  },
  nextSteps: {
    device: ['Nothing has to be done at the device.'],
    portal: ['Use another id, or update the identity that is there.'],
  },
  docs: [pages.identityRegistry],
}
