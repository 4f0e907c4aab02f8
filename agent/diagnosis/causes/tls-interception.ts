/** Somebody else's certificate was shown in place of the hub's. */
import type { FailedAttempt } from '../../evidence/episode.js'
import { type Cause, knowable, maybe, type RunnerUp } from '../cause.js'
import { failedChain, failedName } from '../chain.js'
import { pages } from '../pages.js'
import { certificateOf, closeOfAttempt } from '../wire-facts.js'
import { certificateText, errorText } from '../words.js'

const rootMissing: RunnerUp = maybe(
  'tls-root-missing',
  'Compare the issuer with DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017. If the chain leads there, only the root is missing.',
)
const gatewayRoot: RunnerUp = maybe(
  'tls-root-missing',
  'Compare the issuer with the root certificate of the gateway. If it is the same, this device only lacks that root.',
)
const ownRoot: RunnerUp = maybe(
  'tls-root-missing',
  'Compare the issuer with the root of which the certificate of the server is made by now. If it is the same, `connection.caFile` lacks that root.',
)
const wrongName: RunnerUp = maybe(
  'wrong-hub-hostname',
  'Compare the host name in the connection string with the names in the certificate.',
)

const throughProxy = ({ proxy }: FailedAttempt): readonly string[] =>
  proxy === null ? [] : [`The connection went through the proxy ${proxy}.`]

export const tlsInterception: Cause = {
  id: 'tls-interception',
  family: 'tls',
  title: 'Another certificate than that of the hub was shown (TLS inspection or wrong server)',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The handshake fails: the chain leads to a root IoT Hub does not use, or the certificate is for another name.',
    hub: 'Nothing, or a connection made by the box in between and not by the device.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'A firewall or proxy opens the encrypted traffic and shows a certificate of its own, or the name leads to a machine that is not the hub. The recorder refuses to send its credential there, and so should every client.',
  tells: {
    raises: "The issuer is none of IoT Hub's, and was another one in the last good session.",
    rulesOut: 'The chain leads to a documented root.',
  },
  nextSteps: {
    device: [
      'Read the issuer in the evidence: the name of a company or of a firewall maker tells who opens the traffic.',
      'Run `openssl s_client -connect HUB:8883 -servername HUB -showcerts` and keep what it prints for the network owner.',
      'Do not switch the check off, and do not trust that root for the hub only to get through.',
    ],
    portal: [
      'Ask the network owner to exempt HUB from TLS inspection, and the provisioning service where the device uses it.',
    ],
  },
  docs: [pages.tls, pages.roots],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null) return null
    const certificate = certificateOf(attempt)
    if (failedName(close) !== undefined) {
      const names = certificate?.altNames ? ` and is valid for ${certificate.altNames}` : ''
      return {
        // At a gateway a wrong GatewayHostName is far more common than an interceptor.
        confidence: attempt.gateway ? 'possible' : 'certain',
        evidence: [
          `${attempt.host} was asked for, and the certificate that was shown is not for that name: ${errorText(close.error)}.`,
          certificate === null
            ? certificateText(null)
            : `It was made for ${certificate.subject}${names}, by ${certificate.issuer}.`,
          ...throughProxy(attempt),
        ],
        runnersUp: [wrongName],
      }
    }
    if (failedChain(close) === undefined || certificate?.knownRoot === true) return null
    const evidence = [
      `The certificate chain was not trusted: ${errorText(close.error)}.`,
      certificateText(certificate),
      ...throughProxy(attempt),
    ]
    if (certificate?.knownRoot === null) {
      return {
        confidence: 'possible',
        evidence: [
          ...evidence,
          'It leads to no root that is trusted here; whether the server has a root of your own by now cannot be told from here.',
        ],
        runnersUp: [ownRoot],
        firstSteps: [
          'If the issuer is a root of your own, put that root into `connection.caFile`; the next attempt reads it.',
        ],
      }
    }
    if (certificate === null) {
      return { confidence: 'possible', evidence, runnersUp: [rootMissing] }
    }
    const elsewhere = 'The chain leads to no root that IoT Hub is documented to use'
    // A gateway has a root of its own by design, so its chain looks like that of an interceptor.
    if (attempt.gateway) {
      return {
        confidence: 'possible',
        evidence: [...evidence, `${elsewhere}; that of a gateway need not.`],
        runnersUp: [gatewayRoot],
        firstSteps: ['If the issuer is the root of your own gateway, name that root in `connection.caFile`.'],
      }
    }
    return {
      confidence: 'certain',
      evidence: [...evidence, `${elsewhere}; its issuer is ${certificate.issuer}.`],
      runnersUp: [],
    }
  },
}
