import t from 'tap'
import {
  type Baseline,
  baselineIn,
  baselineOf,
  differences,
  type Here,
  nothingShown,
  show,
} from '../../agent/evidence/baseline.js'
import type { HostState } from '../../agent/evidence/surroundings.js'
import type { WireEvent } from '../../transports/wire-event.js'

const host: HostState = {
  seenMs: 1,
  everyMs: 10_000,
  links: [{ name: 'eth0', carrier: true, addresses: ['192.168.1.20'], signalDbm: null, bssid: null }],
  defaultRoutes: ['eth0 via 192.168.1.1'],
  resolvers: ['192.168.1.1'],
  tcp: null,
}
const here: Here = { host, synchronised: true, versions: 'hubrec 1' }
const head = { monoMs: 0, protocol: 'mqtt', attempt: 1 } as const
const certificate = {
  subject: 'CN=*.azure-devices.net',
  issuer: 'CN=Microsoft Azure RSA TLS Issuing CA 04',
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: '2027-01-01T00:00:00.000Z',
  altNames: 'DNS:*.azure-devices.net',
  fingerprint256: 'AB',
  knownRoot: null,
}
const events: readonly WireEvent[] = [
  { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false },
  { ...head, type: 'resolved', addresses: ['20.49.110.130', '20.49.110.129'], ms: 3 },
  { ...head, type: 'tlsSecured', version: 'TLSv1.2', cipher: 'x', certificate, ms: 9 },
  { ...head, type: 'accepted', sessionPresent: true, ms: 20 },
  { ...head, type: 'pongReceived', rttMs: 48 },
  { ...head, type: 'pongReceived', rttMs: 41 },
  { ...head, type: 'pongReceived', rttMs: 300 },
]
const shown = events.reduce(show, nothingShown)
const good: Baseline = {
  endedMs: 7,
  hubAddresses: ['20.49.110.129', '20.49.110.130'],
  issuer: certificate.issuer,
  rttMs: 41,
  ownAddresses: ['192.168.1.20'],
  resolvers: ['192.168.1.1'],
  defaultRoute: 'eth0 via 192.168.1.1',
  bssid: null,
  synchronised: true,
  versions: 'hubrec 1',
}

t.test('a session leaves where the hub was, who vouched for it, how far it was, and how the host was then', async t => {
  t.strictSame(baselineOf(shown, here, 7), good)
  t.strictSame(differences(good, shown, here), [])
})

t.test('a new attempt has not shown anything yet, and what is not known does not differ', async t => {
  const afresh = events.slice(0, 1).reduce(show, shown)
  t.strictSame(afresh, nothingShown)
  t.strictSame(differences(good, afresh, { host: null, synchronised: null, versions: 'hubrec 1' }), [])
})

t.test(
  'another network, another certificate, a slower road, a clock that nobody vouches for, another release',
  async t => {
    const moved: HostState = {
      ...host,
      links: [{ name: 'wwan0', carrier: true, addresses: [], signalDbm: null, bssid: null }],
      defaultRoutes: [],
      resolvers: ['10.64.0.1', '10.64.0.2'],
    }
    const other = { hubAddresses: ['10.0.0.9'], issuer: 'CN=Proxy of the factory', rttMs: 900 }
    t.strictSame(differences(good, other, { host: moved, synchronised: false, versions: 'hubrec 2' }), [
      { what: 'hub addresses', before: '20.49.110.129, 20.49.110.130', now: '10.0.0.9' },
      { what: 'own addresses', before: '192.168.1.20', now: 'none' },
      { what: 'default route', before: 'eth0 via 192.168.1.1', now: 'none' },
      { what: 'resolvers', before: '192.168.1.1', now: '10.64.0.1, 10.64.0.2' },
      { what: 'certificate issuer', before: certificate.issuer, now: 'CN=Proxy of the factory' },
      { what: 'round trip', before: '41 ms', now: '900 ms' },
      { what: 'clock', before: 'synchronised', now: 'not synchronised' },
      { what: 'versions', before: 'hubrec 1', now: 'hubrec 2' },
    ])
  },
)

t.test('a hub hands out some of its addresses: one that is known is the same hub', async t => {
  t.strictSame(differences(good, { ...shown, hubAddresses: ['20.49.110.130', '20.49.110.200'] }, here), [])
})

t.test('it is read back from the record of its session, and what is none is none', async t => {
  t.strictSame(baselineIn(JSON.parse(JSON.stringify({ lastedMs: 90_000, baseline: good }))), good)
  for (const data of [null, 7, {}, { baseline: null }, { baseline: {} }, { baseline: { ...good, resolvers: 'none' } }])
    t.equal(baselineIn(data), null)
})
