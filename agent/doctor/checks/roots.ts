/** Whether the roots to which hubs of this cloud chain are trusted here. */
import { X509Certificate } from 'node:crypto'
import { cloudOf, clouds } from '../../../transports/clouds.js'
import { knownRoots } from '../../../transports/known-roots.js'
import { type Check, ok, warning } from '../check.js'

export const roots: Check = {
  id: 'roots',
  family: 'hub',
  question: 'Does this process trust the roots to which hubs of its cloud chain?',
  why: 'A hub moves from one root to another with little notice; a device that trusts only one of them is lost then.',
  remedies: [
    'Run `apt install ca-certificates && update-ca-certificates`, or update Node, which brings its own roots.',
    'Look for what replaces the list: NODE_OPTIONS=--use-openssl-ca, SSL_CERT_FILE.',
  ],
  needs: ['identity'],
  async ask({ secret, identity, clock }) {
    const [{ trust }, { hubHost }] = await Promise.all([secret(), identity()])
    const cloud = cloudOf(hubHost) ?? clouds[0]!
    const wanted = knownRoots.filter(({ clouds: of }) => of.includes(cloud.id))
    const trusted = new Set(trust.ca.map(pem => new X509Certificate(pem).fingerprint256))
    const missing = wanted.filter(({ fingerprint256 }) => !trusted.has(fingerprint256)).map(({ name }) => name)
    const ended = wanted.filter(({ endsAt }) => Date.parse(endsAt) <= clock.now().wallMs).map(({ name }) => name)
    const info = { cloud: cloud.id, roots: wanted.map(({ name }) => name), missing, ended }
    if (missing.length > 0)
      return warning(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not trusted here`, info)
    return ok(`${wanted.map(({ name }) => name).join(', ')} (${cloud.name} cloud)`, info)
  },
}
