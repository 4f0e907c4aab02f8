/** The identity was disabled. */
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import {
  type CbsRefusal,
  cbsRefusalIn,
  cbsRefusalOf,
  type Refusal,
  refusedCredential,
  saysDisabled,
  withdrawnCredential,
} from '../sign-in.js'

/** Only the hub's own words tell this from a wrong key. */
function judge(cbs: CbsRefusal | null, refusal: Refusal | null): Finding | null {
  const told = [cbs?.status === 403 ? cbs : null, refusal].find(each => each !== null && saysDisabled(each.said))
  if (!told) return null
  return {
    confidence: 'possible',
    evidence: [told.sentence],
    runnersUp: [
      maybe('device-deleted', 'In the portal, look for the device: is it still there, with the same spelling?'),
      maybe('hub-suspended', 'In the portal, check that the hub is active and other devices connect.'),
    ],
  }
}

export const deviceDisabled: Cause = {
  id: 'device-disabled',
  family: 'identity',
  title: 'The device is disabled in the hub',
  hubCodes: ['403012', '404001', '401003'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'A good session ends with a bare close, and then every sign-in is refused (CONNACK 5; AMQP: put-token 401 or 403, perhaps with the reason). Over MQTT a wrong key looks the same.',
    hub: 'A device whose status is disabled.',
    log: '403012 or 401003. Programs that ask for the device may get 404001.',
  },
  meaning:
    'Somebody has disabled the identity in the hub. Its key is still right, and it will work again when it is enabled.',
  tells: {
    raises: 'A session ended at the moment of the refusal, with the clock right and the key unchanged.',
    rulesOut: 'The portal shows the identity enabled, or AMQP names another reason.',
  },
  nextSteps: {
    device: ['Leave the device as it is: it will come back by itself once the identity is enabled.'],
    portal: [
      'In the portal, open the device and enable it; the status reason may say who disabled it and why.',
      'Or run `az iot hub device-identity show -n HUBNAME -d DEVICE --query "[status,statusReason]"`.',
    ],
  },
  docs: [pages.identityRegistry, pages.errorCodes],

  fromAttempt: attempt => judge(cbsRefusalOf(attempt), refusedCredential(attempt)),
  fromEnding: ending => judge(cbsRefusalIn(ending), withdrawnCredential(ending)),
}
