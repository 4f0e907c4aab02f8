import t from 'tap'
import { createLookout } from '../../agent/evidence/lookout.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { closed } from '../support/evidence.js'

const startMs = 1_795_341_600_000
const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 } as const
const connecting: WireEvent = { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false }
const resolved = (address: string): WireEvent => ({ ...head, type: 'resolved', addresses: [address], ms: 1 })
const sample = (carrier: number, resolver = '10.0.0.1') => ({
  interfaces: { byName: { eth0: { carrier, carrierChanges: 2 - carrier, addresses: ['10.0.0.7'], operstate: 'up' } } },
  resolvers: { nameservers: [resolver] },
})

t.test('all connections share the host, and each has its own last good session', async t => {
  const lookout = createLookout(
    () => 'hubrec 1',
    () => true,
  )
  lookout.sample(sample(1), startMs)
  for (const [conn, address] of [
    ['hubrec', '20.0.0.1'],
    ['app', '20.0.0.9'],
  ] as const) {
    t.equal(lookout.wire(conn, connecting, startMs), null)
    lookout.wire(conn, resolved(address), startMs)
  }
  const lost = (lastedMs: number) => closed('session', { lastedMs })
  t.equal(lookout.wire('app', lost(59_999), startMs + 60_000), null, 'too short to be called good')
  t.match(lookout.wire('hubrec', lost(60_000), startMs + 60_000), { hubAddresses: ['20.0.0.1'] })

  t.equal(lookout.sample(sample(0, '10.0.0.2'), startMs + 61_000), true)
  t.equal(lookout.sample(sample(0, '10.0.0.2'), startMs + 71_000), false, 'nothing new')
  t.equal(lookout.clock({ change: 'step', byMs: 5_000 }, startMs + 72_000), true)
  lookout.wire('hubrec', resolved('20.0.0.2'), startMs + 72_000)
  const changes = ['carrierLost', 'resolversChanged', 'clockStepped']
  const around = lookout.around('hubrec')
  t.strictSame(
    around.changes.map(({ what }) => what),
    changes,
  )
  t.strictSame(around.lastGood, {
    endedMs: startMs + 60_000,
    differs: [
      { what: 'hub addresses', before: '20.0.0.1', now: '20.0.0.2' },
      { what: 'resolvers', before: '10.0.0.1', now: '10.0.0.2' },
    ],
  })
  t.match(lookout.around('app'), { changes: around.changes, lastGood: null })
})

t.test('what an earlier run has left is what a new one starts from', async t => {
  const before = createLookout(
    () => 'hubrec 1',
    () => true,
  )
  before.sample(sample(1), startMs)
  const left = before.wire('hubrec', closed('session', { lastedMs: 90_000 }), startMs)
  const now = createLookout(
    () => 'hubrec 2',
    () => true,
  )
  now.recall('hubrec', left!)
  now.sample(sample(1), startMs + 1_000)
  t.strictSame(now.around('hubrec').lastGood, {
    endedMs: startMs,
    differs: [{ what: 'versions', before: 'hubrec 1', now: 'hubrec 2' }],
  })
})
