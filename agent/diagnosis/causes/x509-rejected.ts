/** The hub did not accept the client certificate. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const x509Rejected: Cause = {
  id: 'x509-rejected',
  family: 'credential',
  title: 'The hub refused the certificate of the device',
  hubCodes: ['401003', '401002'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'TLS is fine, and the connection is closed after the sign-in without any CONNACK (AMQP: unauthorized when the first link is attached).',
    hub: 'A certificate that has ended, or whose thumbprint or authority is not registered. It is checked after TLS.',
    log: '401003 or 401002; the message may name the thumbprint.',
  },
  meaning:
    'Devices that sign in with a certificate are judged only after the TLS handshake, so everything looks well until the hub hangs up.',
  nextSteps: {
    device: [
      'Run `openssl x509 -in CERT -noout -dates -fingerprint -sha256` and check that it has not ended.',
      'Send the whole chain and not the device certificate alone, when an authority is registered.',
    ],
    portal: ['In the portal, compare the thumbprint of the device, or check that the authority is verified.'],
  },
  docs: [pages.errorCodes, pages.tls],
}
