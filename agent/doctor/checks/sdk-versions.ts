/** Whether the packages of the SDK below hubrec are new. */
import { latestAsOf, sdkFindings } from '../../sdk-versions.js'
import { type Check, ok, warning } from '../check.js'

export const sdkVersions: Check = {
  id: 'sdk-versions',
  family: 'host',
  question: 'Are the packages of the SDK new, and of one age?',
  why: "Old versions have mistakes that look like the network's: reconnections that never end or never begin.",
  remedies: [
    'Update hubrec, which brings them; in an application update azure-iot-device and its transports together.',
  ],
  needs: [],
  async ask({ sdk }) {
    const found = sdk()
    const findings = sdkFindings(found)
    const info = { ...found, asOf: latestAsOf }
    return findings.length === 0
      ? ok(`azure-iot-device ${found.device}, as new as of ${latestAsOf}`, info)
      : warning(findings.join('; '), info)
  },
}
