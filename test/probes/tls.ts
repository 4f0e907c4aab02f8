/** TLS with the local hub and with what is none. */
import { createServer } from 'node:tls'
import t from 'tap'
import { nothingHeard } from '../../agent/probes/heard.js'
import { tls } from '../../agent/probes/tls.js'
import { createTrust, type Trust } from '../../transports/trust.js'
import { makeAuthority } from '../hub/certificates.js'
import { startHub } from '../hub/hub.js'
import { listen } from '../support/ports.js'
import { asked, noTrust, silentFor } from '../support/probing.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('gateway')
const trust = createTrust(hub.ca, hub.ca)
const { hostName: host } = hub
const names = { [host]: ['127.0.0.1'] }
const target = { host, trust, port: door.port, httpsPort: door.port }
const answer = { probe: 'tls', host, address: '127.0.0.1', port: door.port, isLastGood: false } as const
const quiet = (): number => hub.log.filter(({ type }) => type === 'connect').length

t.test('a hub shows its certificate, and hears not a word of MQTT', async t => {
  const before = quiet()
  const [told, ...others] = await asked(tls, { target, names })
  t.match(told, { ...answer, error: null, version: 'TLSv1.2', certificate: { knownRoot: null } })
  t.match(told, { certificate: { altNames: new RegExp(`DNS:${host}`) } })
  t.strictSame(others, [])
  t.equal(quiet(), before)
})

t.test('a certificate that is not believed is shown too, with whether its root is known', async t => {
  const shownTo = async (trust: Trust) => (await asked(tls, { target: { ...target, trust }, names }))[0]
  const stranger = { ...answer, error: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } }
  t.match(await shownTo({ ...noTrust, isKnownToBeAll: true }), { ...stranger, certificate: { knownRoot: false } })
  t.match(await shownTo(noTrust), { ...stranger, certificate: { knownRoot: null } }, "the root may be its owner's own")
  const known = { ...noTrust, knownRoots: trust.knownRoots }
  t.match(await shownTo(known), { ...answer, certificate: { knownRoot: true } })
})

t.test('the last address that worked is shown the name of the hub', async t => {
  const heard = { ...nothingHeard, isNameLost: true }
  const [told] = await asked(tls, { target, heard, lastGood: ['127.0.0.1'] })
  t.match(told, { ...answer, error: null, isLastGood: true, version: 'TLSv1.2' })
  const [other] = await asked(tls, { target: { ...target, host: 'other.example' }, heard, lastGood: ['127.0.0.1'] })
  t.match(other, { host: 'other.example', error: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } })
})

t.test('who says nothing, and who says something else, are told apart', async t => {
  await using silent = await listen()
  await using speaker = await listen(socket => socket.end('220 mail.example\r\n'))
  const limitMs = 500
  const at = (port: number) => asked(tls, { target: { ...target, port, httpsPort: port }, names, limitMs })
  const [none] = await at(silent.port)
  const bare = { ...answer, version: null, certificate: null }
  t.strictSame(none, { ...bare, error: silentFor(limitMs), port: silent.port })
  t.match(await at(speaker.port), [{ ...bare, port: speaker.port, error: { code: /^ERR_SSL/ } }])
})

t.test('a server that wants a certificate of ours gets none', async t => {
  let shown: object | null = null
  const authority = await makeAuthority(host)
  const server = createServer(
    { ...(await authority.issue('good')), requestCert: true, rejectUnauthorized: false, maxVersion: 'TLSv1.2' },
    socket => {
      shown = socket.getPeerCertificate()
      socket.on('error', () => undefined)
    },
  )
  const port = await new Promise<number>(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
  const secured = new Promise(resolve => server.once('secureConnection', resolve))
  const there = { ...target, trust: createTrust(authority.ca, null), port, httpsPort: port }
  const [told] = await asked(tls, { target: there, names })
  t.match(told, { error: null })
  await secured
  server.close()
  t.strictSame(shown, {})
})

t.test(
  'where an attempt has learned it, where its port is shut, and behind a proxy, there is nothing to ask',
  async t => {
    const heard = { ...nothingHeard, addresses: ['127.0.0.1'] }
    const { port } = target
    t.strictSame(await asked(tls, { target, heard: { ...heard, tcp: [port], open: [port], tls: [port] } }), [])
    t.strictSame(await asked(tls, { target, heard: { ...heard, tcp: [port] } }), [])
    t.strictSame(await asked(tls, { target: { ...target, proxy: { host: '127.0.0.1', port: 1 } }, names }), [])
  },
)
