/** What attempts answer by themselves. */
import t from 'tap'
import { type Heard, hear, nothingHeard } from '../../agent/probes/heard.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { closed } from '../support/evidence.js'

const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 } as const
const dialled = { host: 'hub', port: 8883 }
const connecting: WireEvent = { ...head, type: 'connecting', ...dialled, gateway: false }
const resolved: WireEvent = { ...head, type: 'resolved', addresses: ['20.0.0.1'], ms: 1 }
const connected: WireEvent = { ...head, type: 'tcpConnected', address: '20.0.0.1', localAddress: '10.0.0.7', ms: 1 }
const accepted: WireEvent = { ...head, type: 'accepted', sessionPresent: false, ms: 1 }

const heard = (events: readonly WireEvent[], isProxied = false): Heard =>
  events.reduce((before, event) => hear(before, event, isProxied), nothingHeard)

t.test('an attempt answers as far as it has come', async t => {
  const name = { ...nothingHeard, dialled, addresses: ['20.0.0.1'] }
  const port = { ...name, tcp: [8883], open: [8883] }
  t.strictSame(heard([connecting, closed('dns')]), { ...nothingHeard, dialled, isNameLost: true })
  t.strictSame(heard([connecting, resolved, closed('tcp')]), { ...name, tcp: [8883] })
  t.strictSame(heard([connecting, resolved, connected]), port)
  t.strictSame(heard([connecting, resolved, connected, closed('tls')]), { ...port, tls: [8883] })
})

t.test('of several attempts each port is kept, and of the name the newest answer', async t => {
  const other: WireEvent = { ...connecting, port: 443 }
  t.strictSame(
    heard([connecting, resolved, closed('tcp'), other, resolved, closed('tcp'), connecting, closed('dns')]),
    {
      ...nothingHeard,
      dialled,
      isNameLost: true,
      tcp: [8883, 443],
    },
  )
})

t.test('behind a proxy only the proxy and the TLS through it are heard of', async t => {
  const proxied = { ...nothingHeard, dialled, proxy: true }
  t.strictSame(heard([connecting, closed('dns')], true), proxied)
  t.strictSame(heard([connecting, resolved, closed('tcp')], true), proxied)
  t.strictSame(heard([connecting, resolved, connected, closed('tls')], true), { ...proxied, tls: [8883] })
})

t.test('of another hub nothing was heard yet', async t => {
  const elsewhere: WireEvent = { ...connecting, host: 'other' }
  t.strictSame(heard([connecting, resolved, closed('tcp'), elsewhere]), {
    ...nothingHeard,
    dialled: { host: 'other', port: 8883 },
  })
})

t.test('a session that begins makes the next outage a new question', async t => {
  t.strictSame(heard([connecting, resolved, connected, accepted]), nothingHeard)
})
