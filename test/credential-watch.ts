/** What status says of a credential, as time goes by. */
import t from 'tap'
import { credentialConditions, watchCredential } from '../agent/credential-watch.js'
import type { Identity } from '../transports/identity.js'
import type { WireEvent } from '../transports/wire-event.js'

const day = 86_400_000
const start = Date.parse('2026-11-01T00:00:00.000Z')

/** A watch with a clock that is set by hand, and how often it told of a change. */
function scene() {
  const changes = { count: 0 }
  const time = { wallMs: start }
  const clock = { bootId: 'boot', now: () => ({ ...time, monoMs: 0, bootMs: 0 }) }
  const watch = watchCredential(clock, () => void changes.count++)
  const found = (kind: Identity['kind'], expiresAt: string | null, warnings: readonly string[] = []): void =>
    watch.found({ kind, expiresAt, warnings } as Identity)
  return { watch, changes, time, found }
}

const conditions = ({ watch, time }: ReturnType<typeof scene>) => credentialConditions(watch.state(), time.wallMs)

t.test('a certificate is told of 30 days ahead, and again when it has ended', async t => {
  const on = scene()
  on.found('x509', '2026-12-10T00:00:00.000Z')
  t.strictSame(conditions(on), [])
  on.time.wallMs = start + 9 * day
  t.strictSame(conditions(on), [
    {
      code: 'credential-expiring',
      since: '2026-11-10T00:00:00.000Z',
      severity: 'warning',
      text: 'the client certificate ends in 30 days, at 2026-12-10T00:00:00.000Z',
      dependsOn: ['clock-impossible'],
    },
  ])
  on.time.wallMs = start + 38.5 * day
  t.match(conditions(on), [{ text: /ends in 0 days/ }])
  on.time.wallMs = start + 39 * day
  t.strictSame(conditions(on), [
    {
      code: 'credential-expired',
      since: '2026-12-10T00:00:00.000Z',
      severity: 'error',
      text: 'the client certificate ended at 2026-12-10T00:00:00.000Z: the hub will refuse it, unless our clock is wrong',
      dependsOn: ['clock-impossible'],
    },
  ])
  on.found('x509', '2027-12-10T00:00:00.000Z')
  t.strictSame(conditions(on), [])
  t.equal(on.changes.count, 2)
})

t.test('a token lives for an hour, so only its end is worth a word; a key has none', async t => {
  const on = scene()
  on.found('sas', '2026-11-01T01:00:00.000Z')
  t.strictSame(conditions(on), [])
  on.time.wallMs = start + 3_600_000
  t.match(conditions(on), [{ code: 'credential-expired', text: /^the SAS token ended at/ }])
  on.found('key', null)
  t.strictSame(conditions(on), [])
})

t.test('that nobody can say who we are lasts until somebody can', async t => {
  const on = scene()
  const unknown = (message: string): WireEvent => ({
    type: 'sdkError',
    monoMs: 0,
    protocol: 'mqtt',
    attempt: 0,
    during: 'identify',
    error: { name: 'IdentityError', message },
  })
  on.watch.heard(unknown('no answer'))
  on.time.wallMs += 60_000
  on.watch.heard(unknown('still no answer'))
  t.strictSame(conditions(on), [
    {
      code: 'credential-unavailable',
      since: '2026-11-01T00:00:00.000Z',
      severity: 'error',
      text: 'who we are is not known: still no answer',
      dependsOn: [],
    },
  ])
  on.found('edge', null)
  t.strictSame(conditions(on), [])
  t.equal(on.changes.count, 3)
})

t.test('an older one that goes on because the newest cannot be read is doubtful', async t => {
  const on = scene()
  on.found('x509', '2027-11-01T00:00:00.000Z', ['cert.pem: cannot be read: ENOENT'])
  t.match(conditions(on), [{ code: 'credential-doubtful', severity: 'warning', text: /ENOENT/ }])
})
