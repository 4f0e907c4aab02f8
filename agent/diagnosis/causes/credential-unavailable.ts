/** There is nothing to sign in with: a file, a key or the service that signs cannot be reached. */
import type { Failure } from '../../../transports/wire-event.js'
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'
import { errorText } from '../words.js'

const ofEdge = 'Run `iotedge check` and `systemctl status aziot-edged` on the host: its workload API signs for modules.'
const ofFile = 'Check that the file exists, that the service may read it, and who renews it.'

function firstStep(error: Failure | null): string {
  const told = `${error?.name ?? ''} ${errorText(error)} ${error?.message ?? ''}`
  return /workload|edge|unix|\.sock\b/i.test(told) ? ofEdge : ofFile
}

export const credentialUnavailable: Cause = {
  id: 'credential-unavailable',
  family: 'credential',
  title: 'The credential of the device could not be read or made',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Before anything is dialled, the certificate, key or token file cannot be read, or the workload API of IoT Edge does not sign.',
    hub: 'Nothing: the device does not dial.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Without a credential there is no use in dialling. A file was moved, is empty or not readable, or the IoT Edge runtime is not running.',
  tells: {
    raises: 'The path, the permissions or the socket of the workload API are named in the error.',
    rulesOut: 'The credential was read, and the hub refused it.',
  },
  nextSteps: {
    device: ['Read the error in the evidence: it names the file or the service that failed.'],
    portal: ['In the portal, change nothing: neither the hub nor the identity is involved.'],
  },
  docs: [pages.edge, pages.connectivity],

  fromAttempt({ outcome, error }) {
    if (outcome !== 'credential') return null
    return {
      confidence: 'certain',
      evidence: [`The device had nothing to sign in with: ${errorText(error)}.`],
      runnersUp: [],
      firstSteps: [firstStep(error)],
    }
  },
}
