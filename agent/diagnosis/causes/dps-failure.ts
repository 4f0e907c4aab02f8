/** The provisioning service (DPS) did not say to which hub this device belongs. */
import { ofEachCloud } from '../../../transports/clouds.js'
import type { Failure } from '../../../transports/wire-event.js'
import { type Cause, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { findCode } from '../wire-facts.js'
import { errorText } from '../words.js'

/** Without a code of the system the service itself has answered. */
const roadCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'EPERM',
  'EACCES',
  'EPROTO',
  'BAD_ANSWER',
])
const chainCodes: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
])

const unreachable: readonly RunnerUp[] = [
  maybe('no-network', 'Reach another address on the internet. If nothing answers there either, it is this device.'),
  maybe('port-blocked', 'Dial port 443 of the provisioning service. If it answers, only 8883 is closed.'),
]
const badChain: readonly RunnerUp[] = [
  maybe('tls-interception', 'Try the handshake from another network, and compare the issuer of the certificate.'),
  maybe(
    'tls-root-missing',
    'Compare the issuer with the roots of the service. If it is one of them, it is missing here.',
  ),
]
const byAnswer: readonly Readonly<{ of: RegExp; firstStep: string }>[] = [
  {
    of: /unauthorized|forbidden|disabled|\b40[13]/i,
    firstStep:
      'Compare registration id, scope id and key or certificate with the enrollment. With a group enrollment the key of the device must be derived from that of the group.',
  },
  {
    of: /not ?found|\b404/i,
    firstStep: 'Compare the scope id with the overview of the provisioning service, and look for the enrollment there.',
  },
  {
    of: /quota|thrott|too many|\b429/i,
    firstStep: 'Leave the device waiting: the service has more registrations than it takes at a time.',
  },
]

function firstSteps(error: Failure | null): readonly string[] {
  const told = `${error?.name ?? ''} ${error?.code ?? ''} ${error?.message ?? ''}`
  return byAnswer.filter(({ of }) => of.test(told)).map(({ firstStep }) => firstStep)
}

export const dpsFailure: Cause = {
  id: 'dps-failure',
  family: 'identity',
  title: 'The provisioning service (DPS) did not assign a hub',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The registration fails, so there is no hub to dial.',
    hub: 'Nothing: the device never comes as far as the hub.',
    log: 'No entry in the log of the hub; that of the provisioning service names the registration.',
  },
  meaning:
    'A device that is provisioned asks DPS for its hub before it dials. DPS could not be reached, or it refused the registration; the hub is not involved.',
  tells: {
    raises: 'The service has answered with a status.',
    rulesOut: 'The error is one of the network: then nobody heard the question.',
  },
  nextSteps: {
    device: [
      'Check scope id and registration id in the configuration.',
      `Run \`nc -vz SERVICE 8883\`, and with 443, where \`connection.protocol\` is not mqtt or a proxy is set. SERVICE is ${ofEachCloud(({ provisioningHost }) => provisioningHost)}, or what \`endpoint\` says.`,
      'Run `date -u`: a wrong clock spoils tokens and certificates.',
    ],
    portal: [
      'In the portal, open the provisioning service: the enrollment must exist, be enabled, and be allowed to assign a hub.',
      'In the portal, check that the hub is linked to the provisioning service and active.',
    ],
  },
  docs: [pages.provisioning, pages.reconnections],

  fromAttempt({ outcome, error }) {
    if (outcome !== 'provisioning') return null
    // What answered an upgrade with another status than 101 need not be the service.
    const road = findCode(error, roadCodes) !== undefined || error?.name === 'UpgradeError'
    const chain = findCode(error, chainCodes) !== undefined
    return {
      confidence: road || chain || error === null ? 'likely' : 'certain',
      evidence: [
        error === null
          ? 'The registration at the provisioning service failed, and why was not recorded.'
          : `The registration at the provisioning service failed: ${errorText(error)}.`,
      ],
      runnersUp: road ? unreachable : chain ? badChain : [],
      ...(road || chain ? {} : { firstSteps: firstSteps(error) }),
    }
  },
}
