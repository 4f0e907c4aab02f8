/** The two sides have no TLS version or cipher in common. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, innermost } from '../wire-facts.js'
import { dialled, errorText } from '../words.js'

const aboutVersion = /protocol version|unsupported protocol|no protocols available|version too low|wrong ssl version/i
const aboutCipher = /handshake failure|no shared cipher|no ciphers available|insufficient security/i

const certificate = maybe(
  'x509-rejected',
  'Run `openssl x509 -in CERT -noout -dates` for the certificate of this device: some servers refuse a bad one so.',
)

export const tlsVersionOrCipher: Cause = {
  id: 'tls-version-or-cipher',
  family: 'tls',
  title: 'No TLS version or cipher in common',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The handshake is refused with an alert: "protocol version" (70) or "handshake failure" (40).',
    hub: 'A client that offers nothing it may accept.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'IoT Hub speaks TLS 1.2 and newer with a short list of ciphers; 1.0 and 1.1 ended on 31 August 2025. An old runtime, an option that lowers TLS, or a box on the road that speaks for one of the two stands in the way.',
  tells: {
    raises: 'The alert names the version or the handshake.',
    rulesOut: 'The handshake was finished.',
  },
  nextSteps: {
    device: [
      'Run `node -p process.versions.openssl` for the application: it needs OpenSSL 1.1.1 or newer.',
      'Remove options that lower TLS: secureProtocol, secureOptions, ciphers, --tls-max-v1.1.',
      'Run `openssl s_client -tls1_2 -connect HUB:8883 -servername HUB` here and on another network, and compare.',
    ],
    portal: ['In the portal, look up the minimum TLS version of the hub.'],
  },
  docs: [pages.tls],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'tls') return null
    const text = innermost(close.error)
      .map(({ code, message }) => `${message} ${code?.replaceAll('_', ' ') ?? ''}`)
      .join(' ')
    const version = aboutVersion.test(text)
    if (!version && !aboutCipher.test(text)) return null
    return {
      confidence: version ? 'certain' : 'likely',
      evidence: [`${dialled(attempt)} refused the TLS handshake: ${errorText(close.error)}.`],
      runnersUp: [
        ...(attempt.credential?.kind === 'x509' && !version ? [certificate] : []),
        maybe(
          'tls-interception',
          'Try the handshake from another network. If it works there, a box on this one refuses it.',
        ),
      ],
    }
  },
}
