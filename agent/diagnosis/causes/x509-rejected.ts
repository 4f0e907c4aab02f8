/** The hub did not accept the client certificate. */
import type { CredentialUsed, Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { endedBefore, expiryText, refusedCredential, withdrawnCredential } from '../sign-in.js'
import { closeOfAttempt, innermost, isFin, speaksMqtt } from '../wire-facts.js'
import { dialled, errorText } from '../words.js'

const disabled = maybe('device-disabled', 'In the portal, look at the status of the device: is it disabled?')
const deleted = maybe(
  'device-deleted',
  'In the portal, look for the device: is it still there, with the same spelling?',
)
const filtered = maybe(
  'ip-filter',
  'Try the same certificate from another network. If it works there, the hub refuses this address.',
)
const throttled = maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.')

/** What the other side says of the certificate that it was shown. What we say of its own is no alert. */
const alerts =
  /alert (?:bad certificate|unsupported certificate|certificate (?:revoked|expired|unknown|required)|unknown ca|access denied)/i

/** With our certificate past its end there is little doubt; a clock that cannot be right does not count. */
function found(
  sentence: string,
  credential: CredentialUsed | null,
  endedMs: number,
  { clock }: Evidence,
  runnersUp: readonly RunnerUp[],
): Finding {
  const expiresMs = clock.plausible ? endedBefore(credential, endedMs) : null
  return {
    confidence: expiresMs === null || clock.synchronised === false ? 'possible' : 'likely',
    evidence: [
      sentence,
      ...(expiresMs === null ? [] : [expiryText('The certificate of this device', expiresMs, endedMs)]),
    ],
    runnersUp,
  }
}

/** The alert of the other side, in the handshake, or after it where TLS 1.3 judges a client's certificate. */
function alertOf({ error, closed }: FailedAttempt): string | null {
  const met = closed?.error ?? error
  const alerted = innermost(met).some(({ code, message }) =>
    alerts.test(`${message} ${(code ?? '').replaceAll('_', ' ')}`),
  )
  return alerted ? errorText(met) : null
}

export const x509Rejected: Cause = {
  id: 'x509-rejected',
  family: 'credential',
  title: 'The hub refused the certificate of the device',
  hubCodes: ['401003', '401002'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'TLS is fine, and the connection is closed after the sign-in without any CONNACK, or refused with CONNACK 5 (AMQP: unauthorized when the first link is attached). Or the handshake ends with an alert about the certificate.',
    hub: 'A certificate that has ended, or whose thumbprint or authority is not registered. It is checked after TLS.',
    log: '401003 or 401002; the message may name the thumbprint.',
  },
  meaning:
    'Devices that sign in with a certificate are judged only after the TLS handshake, so everything looks well until the hub hangs up.',
  tells: {
    raises: 'TLS asked for the certificate, and the refusal came before any CONNACK.',
    rulesOut: 'The same certificate was accepted before and has not ended.',
  },
  nextSteps: {
    device: [
      'Run `openssl x509 -in CERT -noout -dates -fingerprint -sha256` and check that it has not ended.',
      'Send the whole chain and not the device certificate alone, when an authority is registered.',
    ],
    portal: ['In the portal, compare the thumbprint of the device, or check that the authority is verified.'],
  },
  docs: [pages.errorCodes, pages.tls],

  fromAttempt(attempt, evidence) {
    const { credential, endedMs } = attempt
    if (credential?.kind !== 'x509') return null
    const refusal = refusedCredential(attempt)
    if (refusal !== null) return found(refusal.sentence, credential, endedMs, evidence, [disabled, deleted, filtered])
    const alert = alertOf(attempt)
    if (alert !== null) {
      const sentence = `${dialled(attempt)} answered the certificate of this device with a TLS alert: ${alert}.`
      return { ...found(sentence, credential, endedMs, evidence, []), confidence: 'likely' }
    }
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'auth' || !speaksMqtt(attempt.protocol) || !isFin(close)) return null
    const sentence = `${dialled(attempt)} closed the connection (FIN) after the sign-in was sent and gave no answer to it, as a hub does that refuses a certificate.`
    return found(sentence, credential, endedMs, evidence, [throttled, filtered])
  },
  fromEnding(ending, evidence) {
    const refusal = withdrawnCredential(ending)
    if (refusal === null || refusal.credential?.kind !== 'x509') return null
    return found(refusal.sentence, refusal.credential, refusal.endedMs, evidence, [disabled, deleted])
  },
}
