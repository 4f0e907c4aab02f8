/** Whatever observers say of an attempt and in which order, it ends once, and what is told pairs. */
import fc from 'fast-check'
import t from 'tap'
import { type Attempt, type Ending, startAttempt } from '../../../transports/recorded/attempt.js'
import type { WireEvent } from '../../../transports/wire-event.js'
import { breaches } from '../../support/pairing.js'

const to = {
  protocol: 'mqtt',
  host: 'my-hub.azure-devices.net',
  port: 8883,
  gateway: false,
  credential: { kind: 'key', expiresAt: null },
} as const

const certificate = {
  subject: 'CN=*.azure-devices.net',
  issuer: 'CN=Example',
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: '2027-01-01T00:00:00.000Z',
  altNames: '',
  fingerprint256: '',
  knownRoot: null,
}

function begin(): { attempt: Attempt; told: WireEvent[]; endings: Ending[] } {
  const told: WireEvent[] = []
  const endings: Ending[] = []
  let monoMs = 0
  const clock = {
    now: () => {
      monoMs += 1
      return { wallMs: monoMs, monoMs, bootMs: monoMs }
    },
    bootId: 'boot-1',
  }
  const teller = { number: 1, tell: (event: WireEvent) => void told.push(event) }
  return { attempt: startAttempt(to, teller, clock, ending => void endings.push(ending)), told, endings }
}

const words: readonly ((attempt: Attempt) => void)[] = [
  attempt => attempt.resolved(['20.49.109.128']),
  attempt => attempt.tcpConnected('20.49.109.128', '10.0.0.7'),
  attempt => attempt.tlsSecured('TLSv1.3', 'TLS_AES_256_GCM_SHA384', certificate),
  attempt => attempt.upgraded(101),
  attempt => attempt.tokenSent(),
  attempt => attempt.authorized(200, 'OK'),
  attempt => attempt.accepted(false),
  attempt => attempt.refused('connack', 5, 'not authorized'),
  attempt => attempt.attached('$cbs', 'sender'),
  attempt => attempt.attached('methods', 'receiver'),
  attempt => attempt.detached('methods', 'receiver', null, null),
  attempt => attempt.rejected('events', null, null),
  attempt => attempt.subscribed({ methods: 0 }),
  attempt => attempt.pingSent(),
  attempt => attempt.pongReceived(),
  attempt => attempt.heard(),
  attempt => attempt.publishing(true),
  attempt => attempt.published(),
  attempt => attempt.closed({ by: 'hub', how: 'fin' }),
  attempt => attempt.lost(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })),
  attempt => attempt.sdkError('session', { name: 'NotConnectedError', message: '' }),
  attempt => attempt.retryScheduled(100, 1),
]

t.test('of any words in any order', async t => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: words.length - 1 }), { maxLength: 60 }), said => {
      const { attempt, told, endings } = begin()
      for (const word of said) words[word]?.(attempt)
      t.strictSame(breaches(told, false), [])
      t.equal(endings.length, attempt.over ? 1 : 0)
      attempt.lost(null)
      t.strictSame(breaches(told), [])
      t.equal(endings.length, 1)
    }),
    { numRuns: 500 },
  )
})

t.test('what a close says is counted up to it', async t => {
  const { attempt, told } = begin()
  attempt.accepted(true)
  attempt.publishing(true)
  attempt.publishing(true)
  attempt.published()
  attempt.countBytes(() => ({ read: 7, written: 11 }))
  attempt.closed({ by: 'hub', how: 'fin' })
  t.match(told.at(-1), {
    type: 'closed',
    stage: 'session',
    inFlightPublishes: 1,
    afterPublish: true,
    bytesRead: 7,
    bytesWritten: 11,
    pingUnansweredMs: null,
  })
})
