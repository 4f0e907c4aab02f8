import fc from 'fast-check'
import t from 'tap'
import { type HostWatch, nothingWatched, watchClock, watchSample } from '../../agent/evidence/host-watch.js'
import { runSampler, type Sample } from '../../agent/evidence/sampler.js'
import { readings } from '../../agent/evidence/samples/readings.js'
import { systemClock } from '../../transports/clock.js'

const seed = Number(process.env.HUBREC_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`HUBREC_TEST_SEED=${seed}`)

/** 2026-11-22T10:00:00Z, and ten seconds between two readings. */
const startMs = 1_795_341_600_000
const everyMs = 10_000

const link = (change: object = {}) => ({
  operstate: 'up',
  carrier: 1,
  carrierChanges: 2,
  addresses: ['192.168.1.20', 'fe80::1'],
  wireless: null,
  rxBytes: 1,
  ...change,
})
const sample = (change: object = {}) => ({
  interfaces: { byName: { lo: link({ addresses: ['127.0.0.1'] }), eth0: link() }, omitted: 0 },
  routes: { v4: [{ interface: 'eth0', gateway: '192.168.1.1', metric: 100 }], v6: [] },
  resolvers: { nameservers: ['127.0.0.53'], search: [], uplinks: ['192.168.1.1'] },
  pressure: { cpu: { someAvg10: 1, fullAvg10: 0 }, io: null, memory: { someAvg10: 0, fullAvg10: 0 } },
  eventLoop: { meanMs: 0.1, p99Ms: 1, maxMs: 4 },
  disk: { totalBytes: 1e9, freeBytes: 5e8, totalFiles: 1e5, freeFiles: 9e4 },
  power: null,
  clock: { wall: '2026-11-22T10:00:00.000Z', synchronised: true },
  ...change,
})
const eth0 = (change: object) => ({ interfaces: { byName: { eth0: link(change) }, omitted: 0 } })

/** Reads one sample after the other; what is told is without the time, which is that of the reading. */
const changesOf = (...samples: readonly unknown[]): object[] => {
  const watched = samples.reduce<HostWatch>(
    (before, one, at) => watchSample(before, one, startMs + at * everyMs),
    nothingWatched,
  )
  return watched.changes.map(({ seenMs: _, ...change }) => change)
}

t.test(
  'the host as it is: the links that lead out, the way, the resolvers behind a stub, the socket to the hub',
  async t => {
    const tcp = { rttMs: 42.5, retransmitted: 3, retransmitting: 0, congestionWindow: 10 }
    const first = watchSample(nothingWatched, sample({ tcp }), startMs)
    t.match(first.state, {
      seenMs: startMs,
      links: [{ name: 'eth0', carrier: true, addresses: ['192.168.1.20'], signalDbm: null, bssid: null }],
      defaultRoutes: ['eth0 via 192.168.1.1'],
      resolvers: ['192.168.1.1'],
      tcp: { rttMs: 42.5, retransmitted: 3 },
    })
    t.equal(first.state?.links.length, 1)
    t.strictSame(first.changes, [], 'the first reading has nothing to differ from')
    t.strictSame(watchSample(first, sample(), startMs + everyMs).changes, [])
    t.match(watchSample(first, sample(), startMs + everyMs).state?.tcp, { rttMs: 42.5 }, 'which is asked once a minute')
  },
)

t.test('how far readings lie apart is what is usual, whatever a loss, a sleep or a set clock makes of one', async t => {
  const apart = (...seconds: readonly number[]) =>
    seconds.reduce<HostWatch>((before, at) => watchSample(before, sample(), startMs + at * 1e3), nothingWatched).state
      ?.everyMs
  t.equal(apart(0), null)
  t.equal(apart(0, 60), 60_000)
  t.equal(apart(0, 60, 120, 121, 180), 59_000)
  t.equal(apart(0, 60, 120, 30_000, 30_060), 60_000)
  t.equal(apart(0, 10, 20, 30, 330, 630), 300_000, 'the configuration has changed')
})

t.test('a pulled cable: the carrier is lost, and with it the address and the way', async t => {
  const down = sample({
    ...eth0({ operstate: 'down', carrier: 0, carrierChanges: 3, addresses: [] }),
    routes: { v4: [], v6: [] },
  })
  t.strictSame(changesOf(sample(), down, sample()), [
    { what: 'carrierLost', interface: 'eth0' },
    { what: 'addressesChanged', interface: 'eth0', from: ['192.168.1.20'], to: [] },
    { what: 'routeChanged', from: 'eth0 via 192.168.1.1', to: null },
    { what: 'carrierBack', interface: 'eth0' },
    { what: 'addressesChanged', interface: 'eth0', from: [], to: ['192.168.1.20'] },
    { what: 'routeChanged', from: null, to: 'eth0 via 192.168.1.1' },
  ])
})

t.test('a link that was away and is back between two readings is told by the count that the kernel keeps', async t => {
  t.strictSame(changesOf(sample(), sample(eth0({ carrierChanges: 4 }))), [
    { what: 'carrierLost', interface: 'eth0' },
    { what: 'carrierBack', interface: 'eth0' },
  ])
})

t.test('a modem that is unplugged is a link that is gone, a container that ends is nothing', async t => {
  const both = sample({ interfaces: { byName: { wwan0: link(), veth12: link(), eth0: link() }, omitted: 0 } })
  t.strictSame(changesOf(both, sample()), [{ what: 'carrierLost', interface: 'wwan0' }])
})

t.test('another network: resolvers, route and access point', async t => {
  const wlan = (address: string, gateway: string, bssid: string, signalDbm = -60) =>
    sample({
      interfaces: { byName: { wlan0: link({ addresses: [address], wireless: { signalDbm } }) }, omitted: 0 },
      accessPoints: { wlan0: { bssid } },
      routes: { v4: [{ interface: 'wlan0', gateway, metric: 600 }], v6: [] },
      resolvers: { nameservers: [gateway], search: [], uplinks: null },
    })
  const [one, two] = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const
  const changes = changesOf(wlan('10.0.0.7', '10.0.0.1', one), wlan('10.1.0.7', '10.1.0.1', two, -82))
  t.strictSame(changes, [
    { what: 'addressesChanged', interface: 'wlan0', from: ['10.0.0.7'], to: ['10.1.0.7'] },
    { what: 'roamed', interface: 'wlan0', fromBssid: one, toBssid: two },
    { what: 'routeChanged', from: 'wlan0 via 10.0.0.1', to: 'wlan0 via 10.1.0.1' },
    { what: 'resolversChanged', from: ['10.0.0.1'], to: ['10.1.0.1'] },
    { what: 'signalWeak', interface: 'wlan0', signalDbm: -82 },
  ])
})

t.test('what lies above its mark is told when it begins, and a stall each time', async t => {
  const busy = sample({
    pressure: { cpu: null, io: null, memory: { someAvg10: 35.5, fullAvg10: 9 } },
    eventLoop: { meanMs: 40, p99Ms: 900, maxMs: 3_400 },
    power: { underVoltage: true, throttled: true },
    disk: { totalBytes: 1e9, freeBytes: 0 },
  })
  const begun = [
    { what: 'pressure', of: 'memory', percent: 35.5 },
    { what: 'undervoltage' },
    { what: 'throttled' },
    { what: 'diskFull', path: 'stateDir' },
  ]
  const stall = { what: 'loopStalled', stalledMs: 3_400 }
  t.strictSame(changesOf(busy, busy, sample(), busy), [...begun, stall, stall, ...begun, stall])
})

t.test('the clock that was set and the sleep are told by their own records', async t => {
  const slept = watchClock(nothingWatched, { change: 'resume', suspendedMs: 90_000 }, startMs)
  const stepped = watchClock(slept, { change: 'step', byMs: -3_600_000 }, startMs - 3_600_000)
  t.strictSame(stepped.changes, [
    { what: 'resumed', suspendedMs: 90_000, seenMs: startMs },
    { what: 'clockStepped', byMs: -3_600_000, seenMs: startMs - 3_600_000 },
  ])
})

t.test('what is an hour old is forgotten, and never more than 64 are kept', async t => {
  const flapping = Array.from({ length: 100 }, (_, n) => sample(eth0({ carrier: n % 2, carrierChanges: n })))
  t.equal(changesOf(...flapping).length, 64)
  const old = watchSample(
    watchSample(nothingWatched, sample(), startMs),
    sample(eth0({ carrier: 0, carrierChanges: 3 })),
    startMs + everyMs,
  )
  t.equal(old.changes.length, 1)
  const much = watchSample(old, sample(eth0({ carrier: 0, carrierChanges: 3 })), startMs + everyMs + 3_600_001)
  t.strictSame(much.changes, [])
})

t.test('whatever is read, reading it is no more than reading it', async () => {
  const piece = fc.constantFrom(...Object.values(sample()), null, 7, 'x', [], { byName: { eth0: 7 } })
  const any = fc.oneof(
    fc.anything(),
    fc.dictionary(fc.constantFrom(...Object.keys(sample()), 'tcp', 'accessPoints'), fc.oneof(piece, fc.anything())),
  )
  const property = fc.property(fc.array(any, { maxLength: 8 }), story => {
    let watched = nothingWatched
    for (const [at, one] of story.entries()) {
      watched = watchSample(watched, one, startMs + at * everyMs)
      watched = watchClock(watched, one, startMs + at * everyMs)
      if (watched.changes.length > 64) throw new Error(`${watched.changes.length} changes`)
    }
    JSON.stringify(watched.state)
  })
  fc.assert(property, { seed, numRuns: 500 })
})

t.test('the real readings of this host say how it is, and two of them in a row that nothing has changed', async t => {
  const stop = new AbortController()
  const taken: Sample[] = []
  await runSampler({
    intervalMs: 100,
    stateDir: t.testdir(),
    clock: systemClock(),
    signal: stop.signal,
    readings,
    record: found => {
      taken.push(found)
      if (taken.length === 2) stop.abort()
    },
  })
  const [first, second] = taken
  const watched = watchSample(nothingWatched, first, startMs)
  t.ok(watched.state !== null)
  const roads = watchSample(watched, second, startMs + 100).changes.filter(({ what }) => what === 'routeChanged')
  t.strictSame(roads, [])
})
