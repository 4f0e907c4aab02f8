import { X509Certificate } from 'node:crypto'
import { connect, createServer, type DetailedPeerCertificate, rootCertificates } from 'node:tls'
import t from 'tap'
import { knownRoots as shipped } from '../../transports/known-roots.js'
import { createLivingTrust, createTrust, describeCertificate, judgedBy, trustOf } from '../../transports/trust.js'
import { type CertificateKind, makeAuthority } from '../hub/certificates.js'

const authority = await makeAuthority('localhost')
const stranger = await makeAuthority('localhost')

/** What a server with this certificate shows to a client that trusts it. */
async function shown(kind: CertificateKind): Promise<DetailedPeerCertificate> {
  const server = createServer(await authority.issue(kind))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.ca })
  const peer = await new Promise<DetailedPeerCertificate>(resolve => {
    socket.prependOnceListener('secure', () => resolve(socket.getPeerCertificate(true)))
    socket.on('error', () => undefined)
  })
  socket.destroy()
  await new Promise(resolve => server.close(resolve))
  return peer
}

const judges = (pem: string, areAll = true) => ({ knownRoots: [new X509Certificate(pem)], areAll })

t.test('a chain that leads to a known root is told from one that does not', async t => {
  const good = await shown('good')
  t.equal(describeCertificate(good, judges(authority.ca)).knownRoot, true)
  t.equal(describeCertificate(good, judges(stranger.ca)).knownRoot, false, 'the same name, another key')
  t.equal(describeCertificate(good, judges(stranger.ca, false)).knownRoot, null, 'there may be others')
  t.equal(describeCertificate(good, judges(authority.ca, false)).knownRoot, true)
  t.equal(describeCertificate(good, null).knownRoot, null, 'it was not asked')
  t.equal(
    describeCertificate(await shown('unknownCa'), judges(authority.ca)).knownRoot,
    false,
    'its own root is sent along',
  )
  t.equal(describeCertificate(await shown('selfSigned'), judges(authority.ca)).knownRoot, false)
  t.equal(
    describeCertificate(await shown('expired'), judges(authority.ca)).knownRoot,
    true,
    'dates are another question',
  )
})

t.test('what a verdict needs of a certificate is plain data', async t => {
  const described = describeCertificate(await shown('good'), null)
  t.match(described, { subject: 'CN=localhost', issuer: /Local IoT Hub Root/, altNames: /DNS:localhost/ })
  t.ok(Date.parse(described.validFrom) < Date.now() && Date.parse(described.validTo) > Date.now())
  t.match(described.fingerprint256, /^[0-9A-F:]{95}$/)
})

t.test('the configured file adds to the roots of the system', async t => {
  const { ca } = createTrust(authority.ca, null)
  t.ok(ca.length > rootCertificates.length)
  t.ok(ca.includes(rootCertificates[0] ?? ''))
})

t.test(
  'a host may have a root of its own, unless it is a hub of a cloud or the known ones are said to be all',
  async t => {
    const areAll = (known: string | null, host: string) => judgedBy(createTrust(authority.ca, known), host).areAll
    t.equal(areAll(null, 'hub.plant.example'), false)
    t.equal(areAll(null, 'hub.azure-devices.net'), true)
    t.equal(areAll(authority.ca, 'hub.plant.example'), true)
  },
)

t.test('a living trust is what was read last, for whoever has it already', async t => {
  const { trust, renew } = createLivingTrust(authority.ca, null)
  const { context } = trust
  const shownBy = { clientCertificate: null, trustBundle: stranger.ca }
  const ofIdentity = trustOf(trust, shownBy)
  t.equal(trustOf(trust, shownBy), ofIdentity)
  renew(authority.ca, null)
  t.equal(trust.context, context, 'as long as the file is as it was')
  renew(stranger.ca, null)
  t.not(trust.context, context)
  t.ok(trust.ca.includes(stranger.ca.trim()) && !trust.ca.includes(authority.ca.trim()))
  t.not(trustOf(trust, shownBy), ofIdentity)
  t.throws(() => renew('no certificate', null))
  t.ok(trust.ca.includes(stranger.ca.trim()), 'what cannot be used changes nothing')
})

t.test('the shipped roots are in date and are roots', async t => {
  const { knownRoots } = createTrust(null, null)
  t.strictSame(
    knownRoots.map(({ subject }) => /CN=(.*)/.exec(subject)?.[1]),
    ['DigiCert Global Root G2', 'Microsoft RSA Root Certificate Authority 2017', 'DigiCert Global Root CA'],
  )
  for (const root of knownRoots) {
    t.ok(root.verify(root.publicKey), 'it signs itself')
    t.ok(Date.parse(root.validTo) > Date.now())
  }
  t.strictSame(
    shipped.map(({ name, endsAt, fingerprint256 }) => [`CN=${name}`, endsAt, fingerprint256]),
    knownRoots.map(({ subject, validTo, fingerprint256 }) => [
      /CN=.*/.exec(subject)?.[0],
      new Date(validTo).toISOString().slice(0, 10),
      fingerprint256,
    ]),
    'what is said of them is true',
  )
})

t.test('a file that holds no certificate is refused and not ignored', async t => {
  t.throws(() => createTrust('not a certificate', null), /at least one PEM certificate/)
  t.throws(() => createTrust(null, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'))
})
