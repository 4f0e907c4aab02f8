/** The clock of this device is wrong. */
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { failedAsEarly, failedAsExpired } from '../chain.js'
import { refusedCredential } from '../connack.js'
import { pages } from '../pages.js'
import { certificateOf, closeOfAttempt } from '../wire-facts.js'
import { certificateText, clockText, errorText } from '../words.js'

const badCertificate: RunnerUp = maybe(
  'server-certificate-invalid',
  'Compare `date -u` with a watch. If the clock is right, the certificate of the server is not.',
)
const wrongKey: RunnerUp = maybe(
  'wrong-key',
  'Set the clock and try again. If it is still refused, it is the credential.',
)

export const clockSkew: Cause = {
  id: 'clock-skew',
  family: 'credential',
  title: 'The clock of this device is wrong',
  hubCodes: ['401003'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'Certificates are "not yet valid" or "expired", or the hub refuses the credential (CONNACK 5), while the clock reads an impossible time or is not synchronised.',
    hub: 'A token that has expired before it arrived, or a client that breaks off the handshake.',
    log: '401003 when the token was refused; nothing when the handshake failed.',
  },
  meaning:
    'Certificates and SAS tokens hold only between two dates, and this device judges and makes them by its own clock. More than five minutes of error are enough. Devices without a battery for the clock start in the past after every power cut.',
  nextSteps: {
    device: [
      'Run `date -u` and compare it with a watch.',
      'Run `timedatectl` and check that the clock is synchronised; if not, `timedatectl set-ntp true` and check that UDP port 123 is open.',
      'If it starts wrong after every power cut, replace the battery of the clock, or let the service start after time-sync.target.',
    ],
    portal: [
      'In the portal, look for other devices that were refused (401003) after the same power cut: their clocks are wrong too.',
    ],
  },
  docs: [pages.errorCodes],

  fromAttempt(attempt, evidence) {
    const { clock } = evidence
    const refused = refusedCredential(attempt, evidence)
    if (refused !== null && !clock.plausible) {
      return { confidence: 'likely', evidence: [refused, clockText(evidence)], runnersUp: [wrongKey] }
    }
    const close = closeOfAttempt(attempt)
    if (close === null) return null
    const early = failedAsEarly(close) !== undefined
    if (!early && failedAsExpired(close) === undefined) return null
    const found = (confidence: Finding['confidence'], runnersUp: readonly RunnerUp[]): Finding => ({
      confidence,
      evidence: [
        clockText(evidence),
        `Seen by that clock, the certificate of the server ${early ? 'is not valid yet' : 'has expired'}: ${errorText(close.error)}.`,
        certificateText(certificateOf(attempt)),
      ],
      runnersUp,
    })
    if (!clock.plausible) return found('certain', [])
    // An expired certificate under a plausible clock is the server's fault: see `server-certificate-invalid`.
    if (!early || clock.synchronised === true) return null
    return found(clock.synchronised === false ? 'likely' : 'possible', [badCertificate])
  },
}
