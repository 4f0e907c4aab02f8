/** The provisioning service has given the device another hub, and the old one no longer knows it. */
import type { FailedAttempt } from '../../evidence/episode.js'
import { type Cause, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { cbsRefusalOf, refusedCredential } from '../sign-in.js'
import { closeOfAttempt, closeOfEnding, findCode, isOurs } from '../wire-facts.js'

const noSuchName: ReadonlySet<string> = new Set(['ENOTFOUND'])

const otherwise: readonly RunnerUp[] = [
  maybe(
    'wrong-key',
    'In the portal, look for the device in the old hub. If it is still there, it was its key and not the move.',
  ),
]

/** The old hub says that it does not know the device, or is itself gone. */
function disowned(attempt: FailedAttempt): string | null {
  const refusal = refusedCredential(attempt)
  if (refusal !== null) return refusal.sentence
  const cbs = cbsRefusalOf(attempt)
  if (cbs?.status === 403 || cbs?.status === 404) return cbs.sentence
  const close = closeOfAttempt(attempt)
  return close !== null && !attempt.gateway && findCode(close.error, noSuchName) !== undefined
    ? `The name ${attempt.host} no longer exists.`
    : null
}

export const dpsReassigned: Cause = {
  id: 'dps-reassigned',
  family: 'identity',
  title: 'The provisioning service (DPS) moved the device to another hub',
  hubCodes: ['401003', '404001'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'The old hub closes the session and refuses the sign-in; asked again, the provisioning service names another hub.',
    hub: 'The old hub: a device it no longer knows. The new one: a device that signs in for the first time.',
    log: '401003 in the log of the old hub, deviceConnect in that of the new one.',
  },
  meaning:
    'Somebody changed the enrollment or its policy, or moved the fleet. When a device is provisioned again, its registration in the first hub is removed.',
  tells: {
    raises: 'The provisioning service names another hub than before.',
    rulesOut: 'It names the same hub and device id.',
  },
  nextSteps: {
    device: ['Do nothing, if it came back: the recorder asks the provisioning service by itself.'],
    portal: [
      'In the portal, look for the device in the hub that the evidence names.',
      'In the portal, check in the provisioning service who changed the enrollment or the linked hubs, if nobody meant to move it.',
    ],
  },
  docs: [pages.reprovisioning, pages.reconnections],

  fromAttempt(attempt) {
    if (attempt.reassignedTo === null) return null
    const told = disowned(attempt)
    if (told === null) return null
    return {
      confidence: 'likely',
      evidence: [told, `Then the provisioning service assigned the device anew, to ${attempt.reassignedTo}.`],
      runnersUp: otherwise,
    }
  },
  fromEnding(ending, { reassignedTo }) {
    const close = closeOfEnding(ending)
    if (reassignedTo === null || close === null || isOurs(close.closed)) return null
    return {
      confidence: 'likely',
      evidence: [
        `The other side ended the session (${close.closed.how}).`,
        `Then the provisioning service assigned the device anew, to ${reassignedTo}.`,
      ],
      runnersUp: otherwise,
    }
  },
}
