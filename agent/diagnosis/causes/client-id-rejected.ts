/** The hub refused the name under which the client signed in. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { connackOf } from '../sign-in.js'
import { dialled } from '../words.js'

export const clientIdRejected: Cause = {
  id: 'client-id-rejected',
  family: 'protocol',
  title: 'The hub refused the client id',
  hubCodes: ['400004', '401003'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The sign-in is answered with CONNACK 2.',
    hub: 'A client id that is not the device id (for modules: device id, slash, module id).',
    log: '400004 or 401003.',
  },
  meaning:
    'Over MQTT the client id must be the device id, in the same spelling. With the SDK that follows from the connection string.',
  tells: {
    raises: 'The client id differs from `deviceId` or `deviceId/moduleId`.',
    rulesOut: 'The same client id was accepted before.',
  },
  nextSteps: {
    device: [
      'Check DeviceId and ModuleId in the connection string: spelling, upper and lower case, blanks at the end.',
      'If the application signs in without the SDK, make its client id equal to the device id.',
    ],
    portal: ['In the portal, copy the device id and compare.'],
  },
  docs: [pages.mqtt],

  fromAttempt(attempt) {
    if (connackOf(attempt) !== 2) return null
    return {
      confidence: 'certain',
      evidence: [`${dialled(attempt)} answered the sign-in with CONNACK 2: client id rejected.`],
      runnersUp: [],
    }
  },
}
