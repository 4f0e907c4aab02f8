/** A SAS token ended and was not renewed. */
import type { CredentialUsed, Ending, Evidence } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { endsWithToken } from '../rhythm.js'
import {
  cbsRefusalIn,
  endedBefore,
  expiryText,
  type Refusal,
  refusedCredential,
  saysExpired,
  withdrawnCredential,
} from '../sign-in.js'
import { closeOfAttempt, closeOfEnding, isFin, isOurs, speaksMqtt } from '../wire-facts.js'
import { clockText, dialled } from '../words.js'

const skewed = maybe('clock-skew', 'Compare `date -u` with a watch: by a clock that is ahead a good token looks old.')
const wrongKey = maybe('wrong-key', 'Put a new token in place. If it is refused too, it was made with a wrong key.')
const disabled = maybe('device-disabled', 'In the portal, look at the status of the device: is it disabled?')

/** Hubs have been seen to close as late as this after the end of a token. */
const closesWithinMs = 10 * 60_000

/** Only a token that somebody else makes can be forgotten: from a key a new one is made for each attempt. */
function tokenEnded(credential: CredentialUsed | null, atMs: number): number | null {
  return credential?.kind === 'sas' ? endedBefore(credential, atMs) : null
}

/** How far the end of a token can be believed, as it is read by our own clock. */
function byClock({ clock }: Evidence): Readonly<{ confidence: Finding['confidence']; runnersUp: readonly RunnerUp[] }> {
  if (clock.synchronised === true) return { confidence: 'certain', runnersUp: [] }
  return { confidence: clock.synchronised === null ? 'likely' : 'possible', runnersUp: [skewed] }
}

function judge({ sentence, said, credential, endedMs }: Refusal, evidence: Evidence): Finding | null {
  const expiresMs = tokenEnded(credential, endedMs)
  if (expiresMs !== null) {
    const { confidence, runnersUp } = byClock(evidence)
    return {
      confidence,
      evidence: [sentence, expiryText('The token', expiresMs, endedMs), clockText(evidence)],
      runnersUp: [...runnersUp, wrongKey],
    }
  }
  if (credential?.kind !== 'sas' || !saysExpired(said)) return null
  return {
    confidence: 'likely',
    evidence: [sentence, 'By the clock of this device the token had not ended yet.', clockText(evidence)],
    runnersUp: [skewed],
  }
}

/** A close without a reason, soon after the end of the token. */
function judgeClose(
  credential: CredentialUsed | null,
  endedMs: number,
  told: string,
  evidence: Evidence,
): Finding | null {
  const expiresMs = tokenEnded(credential, endedMs)
  if (expiresMs === null || endedMs - expiresMs > closesWithinMs) return null
  return {
    confidence: evidence.clock.synchronised === false ? 'possible' : 'likely',
    evidence: [told, expiryText('The token', expiresMs, endedMs)],
    runnersUp: [skewed, maybe('hub-upgrade-or-failover', 'Look for 400029 in the Connections log at this time (UTC).')],
  }
}

/** The hub took no new token while the old one was still good, and closed when it ended. */
function judgeRenewal(ending: Ending): Finding | null {
  if (ending.kind !== 'closed' || ending.renewalRefused === null || isOurs(ending.event)) return null
  return {
    confidence: 'likely',
    evidence: [
      `The hub did not take the new token that it was given in the session: ${ending.renewalRefused}.`,
      'Later it ended the session, as it does when the old token ends.',
    ],
    runnersUp: [wrongKey, disabled],
  }
}

/** Whoever makes tokens from a key and does not renew them is thrown out again and again after the same time. */
function judgeRhythm(credential: CredentialUsed | null, told: string, { history }: Evidence): Finding | null {
  if (credential?.kind === 'x509' || credential?.kind === 'sas' || !endsWithToken(history)) return null
  return {
    confidence: 'possible',
    evidence: [told],
    runnersUp: [
      maybe('hub-upgrade-or-failover', 'Look for 401003 or 400029 in the Connections log at this time (UTC).'),
    ],
  }
}

export const sasExpired: Cause = {
  id: 'sas-expired',
  family: 'credential',
  title: 'The SAS token has expired',
  hubCodes: ['401003', '404104', '401002'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'A bare close at or up to ten minutes after the end of the token (`se`); then CONNACK 5 with the same token (AMQP: put-token 401, amqp:unauthorized-access).',
    hub: 'A token whose time is over.',
    log: '401003, followed by 404104.',
  },
  meaning:
    'A SAS token ends at a fixed time. Whoever holds the key makes a new one in time; a ready-made token, a blocked process or a wrong clock prevents that.',
  tells: {
    raises: "The token's `se` lies before the refusal.",
    rulesOut: 'A token that is still good for long, by a clock that is right.',
  },
  nextSteps: {
    device: [
      'Use a connection string with a key (SharedAccessKey), so that the SDK renews the token by itself.',
      'If you make tokens yourself, hand the next one over before the old one ends (updateSharedAccessSignature).',
      'Run `date -u` and compare it with a watch.',
    ],
    portal: ['In the portal, look in the Connections log for 401003 and then 404104 at the time the token ended.'],
  },
  docs: [pages.errorCodes, pages.connectivity],

  fromAttempt(attempt, evidence) {
    const refusal = refusedCredential(attempt)
    if (refusal !== null) return judge(refusal, evidence)
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'auth' || !speaksMqtt(attempt.protocol) || !isFin(close)) return null
    const told = `${dialled(attempt)} closed the connection (FIN) after the sign-in was sent and gave no answer to it.`
    // However long ago it ended, no hub takes it.
    return judgeClose(attempt.credential, attempt.endedMs, told, evidence)
  },
  fromEnding(ending, evidence) {
    const refusal = withdrawnCredential(ending)
    // A new token that was refused ended the session itself, while the old one was still good.
    if (refusal !== null) return judge(refusal, evidence) ?? (cbsRefusalIn(ending) ? null : judgeRenewal(ending))
    const close = closeOfEnding(ending)
    if (ending.kind !== 'closed' || close === null || !isFin(close)) return null
    const told = 'The other side closed the session without a word (FIN).'
    return (
      judgeRenewal(ending) ??
      judgeClose(ending.credential, ending.endedMs, told, evidence) ??
      judgeRhythm(ending.credential, told, evidence)
    )
  },
}
