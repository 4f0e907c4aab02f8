/** The hub refused the credential; over MQTT it does not say why. */
import type { Evidence } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { type Refusal, refusedCredential, saysBadSignature, withdrawnCredential } from '../sign-in.js'
import { clockText } from '../words.js'

const disabled = maybe('device-disabled', 'In the portal, look at the status of the device: is it disabled?')
const deleted = maybe(
  'device-deleted',
  'In the portal, look for the device: is it still there, with the same spelling?',
)
const expired = maybe(
  'sas-expired',
  'Check whether the application uses a ready-made token (SharedAccessSignature) instead of a key, and when it ends.',
)
const skewed = maybe('clock-skew', 'Compare `date -u` with a watch: more than five minutes of error spoil every token.')
const filtered = maybe(
  'ip-filter',
  'Try the same credential from another network. If it works there, the hub refuses this address.',
)
const wrongHub = maybe(
  'wrong-hub-hostname',
  'Compare the host name in the connection string with that of the hub in the portal.',
)

function judge({ sentence, said, credential }: Refusal, evidence: Evidence): Finding {
  const { credentialWorked, clock } = evidence
  // Over AMQP the hub may say that it is the signature, and then it is neither the identity nor the clock.
  const signature = saysBadSignature(said)
  const byClock: readonly RunnerUp[] = clock.synchronised === false ? [skewed] : []
  const later: readonly RunnerUp[] = clock.synchronised === false ? [] : [skewed]
  // A token that is made anew for each attempt is not forgotten.
  const ready: readonly RunnerUp[] = credential === null || credential.kind === 'sas' ? [expired] : []
  const runnersUp = credentialWorked
    ? [...byClock, disabled, deleted, ...ready, ...later, filtered]
    : [...byClock, deleted, wrongHub, ...later, disabled, filtered]
  return {
    confidence: signature ? 'likely' : 'possible',
    evidence: [
      sentence,
      credentialWorked
        ? 'The same credential was accepted before, so something has changed: the key was renewed, or the device was disabled or deleted.'
        : 'This credential has never been accepted, as far as the records go.',
      ...(credential?.kind === 'key'
        ? [
            'The token was made from the key for this attempt, so it fits that key: what is asked is whether the key fits the device.',
          ]
        : []),
      clockText(evidence),
    ],
    runnersUp: signature ? [wrongHub] : runnersUp,
  }
}

export const wrongKey: Cause = {
  id: 'wrong-key',
  family: 'credential',
  title: 'The hub refused the credential',
  hubCodes: ['401003', '401002'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'DNS, TCP and TLS are fine, and the hub answers the sign-in with CONNACK 5 or 4 (AMQP: put-token status 401, or amqp:unauthorized-access).',
    hub: 'A signature that fits neither key of the device. A disabled, deleted or unknown device is refused in the same way.',
    log: '401003 or 401002, with a message that names the reason.',
  },
  meaning:
    'The network is fine and the hub has answered: it does not accept who this device says it is. Over MQTT a wrong key, a disabled and a deleted device look alike; only the hub can tell them apart.',
  tells: {
    raises: 'It never worked with this key, the clock is right, and the token does not end before the refusal.',
    rulesOut: 'The same credential was accepted earlier and nothing was changed in the portal.',
  },
  nextSteps: {
    device: [
      'Compare the device id in the connection string letter by letter with the portal: upper and lower case count.',
      'Run `date -u`: a clock that is more than five minutes wrong spoils every token.',
      'Put the current connection string in place and restart the service.',
    ],
    portal: [
      'In the portal, open the device: it must exist and be enabled.',
      'In the portal, compare its primary and secondary key with the key on the device. If a key was renewed, give the device the new one.',
      'In the portal, read the message of the 401003 row in the Connections log at this time (UTC): it names the reason.',
    ],
  },
  docs: [pages.errorCodes, pages.identityRegistry],

  fromAttempt(attempt, evidence) {
    const refusal = refusedCredential(attempt)
    return refusal === null ? null : judge(refusal, evidence)
  },
  fromEnding(ending, evidence) {
    const refusal = withdrawnCredential(ending)
    return refusal === null ? null : judge(refusal, evidence)
  },
}
