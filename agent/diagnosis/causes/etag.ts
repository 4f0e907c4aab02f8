/** Two programs changed the same thing. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const etag: Cause = {
  id: 'etag',
  family: 'service',
  title: 'Two programs changed the same thing at once',
  hubCodes: ['412001', '400023'],
  ceiling: knowable('none'),
  planned: false,
  sees: {
    device: 'Nothing: no device is told of it.',
    hub: 'A change that was conditional on a version that is no longer the newest.',
    log: 'The failed change.',
  },
  meaning: 'A twin or an identity was changed by somebody else in between. It has nothing to do with connections.',
  tells: {
    raises: 'The program that changes it got 412 or 400.',
    rulesOut: 'The device lost its session at that time.',
  },
  nextSteps: {
    device: ['Nothing has to be done at the device.'],
    portal: ['Read the twin or the identity again, and repeat the change with its new ETag.'],
  },
  docs: [pages.errorCodes],
}
