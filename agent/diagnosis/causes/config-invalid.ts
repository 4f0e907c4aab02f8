/** What the client was given cannot be used. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const configInvalid: Cause = {
  id: 'config-invalid',
  family: 'local',
  title: 'The configuration cannot be used',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'Nothing is dialled: the connection string or an option is refused at the start, each with its place.',
    hub: 'Nothing: nobody comes.',
    log: 'Nothing.',
  },
  meaning: 'The host, the ids or the key are malformed. No network is needed to see it.',
  tells: {
    raises: 'The error names a field, and comes before any connection.',
    rulesOut: 'Something was dialled.',
  },
  nextSteps: {
    device: [
      'Read the problems that `hubrec run` prints, and correct the named fields.',
      'Copy the connection string anew from the portal: it has HostName, DeviceId and SharedAccessKey.',
    ],
    portal: ['In the portal, open the device and copy its connection string as a whole.'],
  },
  docs: [pages.connectivity],
}
