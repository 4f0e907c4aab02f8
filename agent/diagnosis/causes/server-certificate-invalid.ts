/** The server's certificate is at fault, and not the clock that looked at it. */
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { failedAsEarly, failedAsExpired, failedAsRevoked, failedAsSelfSigned } from '../chain.js'
import { pages } from '../pages.js'
import { aheadOfServers, farApartMs } from '../probe-facts.js'
import { certificateOf, closeOfAttempt } from '../wire-facts.js'
import { certificateText, clockText, errorText } from '../words.js'

const clockSkew: RunnerUp = maybe(
  'clock-skew',
  'Compare `date -u` with a watch. A wrong clock makes a good certificate look bad.',
)
const intercepted: RunnerUp = maybe(
  'tls-interception',
  'Try the handshake from another network. If the certificate there is another one, a box on this network shows its own.',
)

export const serverCertificateInvalid: Cause = {
  id: 'server-certificate-invalid',
  family: 'tls',
  title: 'The certificate of the server is not valid',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The handshake fails on a certificate that has expired, is not valid yet, was revoked or is signed by itself.',
    hub: 'A client that breaks off the handshake.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'The certificate itself is bad. IoT Hub renews its own long before they end, so the usual owner of such a certificate is a gateway, a proxy or a test server.',
  tells: {
    raises: "The clock is synchronised and the certificate's dates are wrong all the same.",
    rulesOut: 'The clock is wrong: then the certificate is not to blame.',
  },
  nextSteps: {
    device: [
      'Run `openssl s_client -connect HUB:8883 -servername HUB </dev/null | openssl x509 -noout -subject -issuer -dates` and see whose certificate it is.',
      'Run `date -u` and `timedatectl`, to be sure that the clock is right.',
      'If it is the certificate of your own gateway or proxy, renew it there.',
    ],
    portal: [
      'In the portal, check whether other devices connect. If none does, check Azure status and open a support request.',
    ],
  },
  docs: [pages.tls, pages.roots],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    if (close === null) return null
    const { clock } = evidence
    const found = (confidence: Finding['confidence'], runnersUp: readonly RunnerUp[]): Finding => ({
      confidence,
      evidence: [
        `The certificate of the server was refused: ${errorText(close.error)}.`,
        certificateText(certificateOf(attempt)),
        clockText(evidence),
      ],
      runnersUp,
    })
    // Neither of these depends on the clock.
    if (failedAsSelfSigned(close) !== undefined) return found('certain', [intercepted])
    if (failedAsRevoked(close) !== undefined) return found('certain', [])
    if (!clock.plausible) return null
    // A clock that nobody sets runs behind, by as long as the device was off; a certificate looks expired only to a clock
    // that runs ahead. So an expired one stays the server's fault, the more surely the more is known of the clock: by the host's own
    // word, or by another server's.
    if (failedAsExpired(close) !== undefined) {
      if (clock.synchronised === true) return found('certain', [])
      const apart = aheadOfServers(evidence)
      const isOnTime = apart !== null && Math.abs(apart.aheadMs) < farApartMs
      return found(isOnTime ? 'likely' : 'possible', [clockSkew])
    }
    if (failedAsEarly(close) !== undefined && clock.synchronised === true) return found('certain', [])
    return null
  },
}
