/** The identity is not in this hub. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import {
  type CbsRefusal,
  cbsRefusalIn,
  cbsRefusalOf,
  type Refusal,
  refusedCredential,
  saysUnknownDevice,
  withdrawnCredential,
} from '../sign-in.js'

const conditions = new Set(['amqp:not-found'])

const otherwise: readonly RunnerUp[] = [
  maybe('device-disabled', 'In the portal, look for the device: is it there, and disabled?'),
  maybe('wrong-hub-hostname', 'Compare the host name in the connection string with that of the hub in the portal.'),
  maybe('dps-reassigned', 'Only where this device is provisioned by DPS: look to which hub it was assigned.'),
]

function judge(cbs: CbsRefusal | null, refusal: Refusal | null, word: AmqpWord | null): Finding | null {
  if (cbs?.status === 404) return { confidence: 'possible', evidence: [cbs.sentence], runnersUp: otherwise }
  const told = among(word, conditions)
  const named = refusal !== null && saysUnknownDevice(refusal.said) ? refusal.sentence : null
  const sentence = told === null ? named : toldOf(told)
  return sentence === null ? null : { confidence: 'possible', evidence: [sentence], runnersUp: otherwise }
}

export const deviceDeleted: Cause = {
  id: 'device-deleted',
  family: 'identity',
  title: 'The device is not registered in this hub',
  hubCodes: ['404001', '401003'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device:
      'Every sign-in is refused (CONNACK 5; AMQP: put-token 401 or 404, or amqp:not-found), perhaps after months of good sessions. Over MQTT a wrong key looks the same.',
    hub: 'A name that is not in its registry.',
    log: '401003. Programs that ask for the device get 404001.',
  },
  meaning:
    'The identity was deleted, was never registered, is spelled otherwise, or a provisioning service (DPS) has moved it to another hub.',
  tells: {
    raises: 'It worked until a certain moment, the clock is right, and the key was not changed.',
    rulesOut: 'The portal shows the identity, or another credential of it works.',
  },
  nextSteps: {
    device: [
      'Compare the device id letter by letter with the portal: upper and lower case count.',
      'If the device was provisioned by DPS, let it provision again.',
    ],
    portal: [
      'In the portal, search for the device in this hub and in the others of the subscription.',
      'In the portal, register it again if it is gone, and give the device its new key.',
    ],
  },
  docs: [pages.identityRegistry, pages.errorCodes, pages.reconnections],

  fromAttempt: attempt => judge(cbsRefusalOf(attempt), refusedCredential(attempt), wordOfAttempt(attempt)),
  fromEnding: ending => judge(cbsRefusalIn(ending), withdrawnCredential(ending), wordOfEnding(ending)),
}
