/** The put-token was refused with a status that is not about the credential. After all causes that know a status. */
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { type CbsRefusal, cbsRefusalIn, cbsRefusalOf } from '../sign-in.js'

export const amqpCbsNonauth: Cause = {
  id: 'amqp-cbs-nonauth',
  family: 'protocol',
  title: 'The hub refused the put-token for a reason other than the credential',
  hubCodes: ['429001', '500001', '503001', '403002', '404001'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device: 'The put-token is answered with a status other than 200 and 401. The SDK calls all of them unauthorized.',
    hub: 'A token that it did not check, or did not want to take now.',
    log: 'A code that begins with the same three digits as the status.',
  },
  meaning:
    'Do not look for a bad key because the SDK says UnauthorizedError: it says so for every status. Status and description in the evidence are what the hub really said.',
  tells: {
    raises: 'The answer to the put-token names a status and a reason of its own.',
    rulesOut: 'Status 200, or 401: then it is about the credential.',
  },
  nextSteps: {
    device: [
      'Read status and description in the evidence before anything is changed on this device.',
      'Leave the key as it is until the hub says 401.',
    ],
    portal: ['In the portal, look in the Connections log for a code that begins with that status at this time (UTC).'],
  },
  docs: [pages.errorCodes],

  fromAttempt: attempt => judge(cbsRefusalOf(attempt)),
  fromEnding: ending => judge(cbsRefusalIn(ending)),
}

function judge(refusal: CbsRefusal | null): Finding | null {
  if (refusal === null || refusal.status === 401) return null
  const { status, sentence } = refusal
  const forbidden = status === 403
  return {
    confidence: forbidden || status < 400 ? 'possible' : 'likely',
    evidence: [sentence],
    runnersUp: forbidden
      ? [
          maybe('device-disabled', 'In the portal, look at the status of the device: is it disabled?'),
          maybe('quota-exceeded', 'Compare the messages used today with the quota of the hub; look for 403002.'),
          maybe(
            'ip-filter',
            'Try the same credential from another network. If it works there, the hub refuses this address.',
          ),
        ]
      : [maybe('hub-transient-5xx', 'See whether other devices have the same trouble at the same time.')],
  }
}
