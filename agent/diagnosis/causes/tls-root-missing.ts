/** The server's chain is IoT Hub's own, and this device does not trust its root. */
import { cloudOf, ofEachCloud } from '../../../transports/clouds.js'
import { rootsOf } from '../../../transports/known-roots.js'
import { type Cause, knowable } from '../cause.js'
import { failedChain } from '../chain.js'
import { pages } from '../pages.js'
import { certificateOf, closeOfAttempt } from '../wire-facts.js'
import { certificateText, errorText } from '../words.js'

export const tlsRootMissing: Cause = {
  id: 'tls-root-missing',
  family: 'tls',
  title: 'This device does not trust the root certificate of the hub',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The handshake fails on the chain, although the chain leads to a root that IoT Hub is documented to use.',
    hub: 'A client that breaks off the handshake.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'The hub is the right one. What is missing is its root certificate among those this device trusts: an old system, a list of roots that was replaced by one of its own, or a pinned certificate that has since been changed.',
  tells: {
    raises: 'The chain leads to a root of IoT Hub that this host does not have.',
    rulesOut: 'The chain leads to another root.',
  },
  nextSteps: {
    device: [
      `Install the roots that IoT Hub uses: ${ofEachCloud(({ id }) => rootsOf(id))}. On Debian: \`apt install ca-certificates && update-ca-certificates\`.`,
      'Look for what replaces the list of roots: the option `ca` of the application, NODE_OPTIONS=--use-openssl-ca, SSL_CERT_FILE. `connection.caFile` of hubrec only adds to it.',
      'Never pin a server or intermediate certificate; they change without notice.',
    ],
    portal: [
      'In the portal, change nothing. Look for other devices of the same age and image, which will have the same trouble.',
    ],
  },
  docs: [pages.roots, pages.tls],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    const certificate = certificateOf(attempt)
    const cloud = cloudOf(attempt.host)
    if (close === null || failedChain(close) === undefined || certificate?.knownRoot !== true) return null
    return {
      confidence: 'certain',
      evidence: [
        `The certificate chain was not trusted: ${errorText(close.error)}.`,
        certificateText(certificate),
        'The chain leads to a root that IoT Hub is documented to use, so the server is genuine and the root is missing here.',
        ...(cloud === null ? [] : [`Hubs of the ${cloud.name} cloud chain to ${rootsOf(cloud.id)}.`]),
      ],
      runnersUp: [],
    }
  },
}
