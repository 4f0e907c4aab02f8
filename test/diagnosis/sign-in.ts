/** Credentials of each kind that are refused, or end, and the verdict that follows. */
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { CredentialUsed, Ending, Evidence, FailedAttempt } from '../../agent/evidence/episode.js'
import type { CredentialKind } from '../../transports/wire-event.js'
import {
  amqpClosedAt,
  amqpError,
  cbsRefused,
  evidenceOf,
  failedAt,
  hub,
  lost,
  nowMs,
  refused,
  tlsError,
} from '../support/evidence.js'
import { compare } from '../support/verdicts.js'

const minuteMs = 60_000
const until = (kind: CredentialKind, afterMs: number): CredentialUsed => ({
  kind,
  expiresAt: new Date(nowMs + afterMs).toISOString(),
})
const endless = (kind: CredentialKind): CredentialUsed => ({ kind, expiresAt: null })

const clocks = {
  synchronised: [true, true],
  unknown: [true, null],
  free: [true, false],
  impossible: [false, null],
} as const
const withClock = (clock: keyof typeof clocks, failed: FailedAttempt): Evidence => {
  const [plausible, synchronised] = clocks[clock]
  return evidenceOf({ protocol: failed.protocol, failed: [failed], clock: { wallMs: nowMs, plausible, synchronised } })
}
const attempt = (failed: FailedAttempt): Evidence => withClock('synchronised', failed)
const ended = (end: Partial<Ending & { kind: 'closed' }>, event: Parameters<typeof lost>[0] = {}): Evidence =>
  evidenceOf({ protocol: event?.protocol ?? 'mqtt', ending: lost(event, true, end) })

const at = `${hub}:8883`

t.test('a ready-made token that nobody renewed', async t => {
  const old = until('sas', -minuteMs)
  const good = until('sas', minuteMs)
  compare(t, [
    {
      story: 'CONNACK 5 after its end',
      evidence: attempt(refused(5, { credential: old })),
      verdict: 'sas-expired certain',
      sees: [
        `${at} answered the sign-in and refused it with CONNACK 5.`,
        'The token had ended at 2026-11-22T09:59:00.000Z; this was at 2026-11-22T10:00:00.000Z, by the clock of this device.',
        'The clock of this device read 2026-11-22T10:00:00.000Z; the host says it is synchronised.',
      ],
      runnersUp: ['wrong-key'],
    },
    {
      story: 'the same on a host that does not say whether its clock is right',
      evidence: withClock('unknown', refused(5, { credential: old })),
      verdict: 'sas-expired likely',
      runnersUp: ['clock-skew', 'wrong-key'],
    },
    {
      story: 'the same by a clock that nobody sets',
      evidence: withClock('free', refused(5, { credential: old })),
      verdict: 'sas-expired possible',
      runnersUp: ['clock-skew', 'wrong-key'],
    },
    {
      story: 'the same by a clock that cannot be right',
      evidence: withClock('impossible', refused(5, { credential: old })),
      verdict: 'clock-skew likely',
    },
    {
      story: 'put-token 401 after its end',
      evidence: attempt(cbsRefused(401, 'Token expired', { credential: old })),
      verdict: 'sas-expired certain',
    },
    {
      story: 'put-token 401 that says expired, though by our clock it is not',
      evidence: attempt(cbsRefused(401, 'Token expired', { credential: good })),
      verdict: 'sas-expired likely',
      runnersUp: ['clock-skew'],
    },
    {
      story: 'CONNACK 5 before its end',
      evidence: attempt(refused(5, { credential: good })),
      verdict: 'wrong-key possible',
    },
    {
      story: 'a token whose end nobody can read',
      evidence: attempt(refused(5, { credential: { kind: 'sas', expiresAt: 'soon' } })),
      verdict: 'wrong-key possible',
    },
    {
      story: 'a FIN in place of a CONNACK after its end',
      evidence: attempt(failedAt('auth', {}, { credential: old })),
      verdict: 'sas-expired likely',
    },
    {
      story: 'a session that ends without a word just after the token',
      evidence: ended({ credential: old }),
      verdict: 'sas-expired likely',
      sees: [
        'The other side closed the session without a word (FIN).',
        'The token had ended at 2026-11-22T09:59:00.000Z; this was at 2026-11-22T10:00:00.000Z, by the clock of this device.',
      ],
      runnersUp: ['clock-skew', 'hub-upgrade-or-failover'],
    },
    {
      story: 'a session that ends without a word an hour after the token',
      evidence: ended({ credential: until('sas', -60 * minuteMs) }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'a session that ends without a word before the token',
      evidence: ended({ credential: good }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'amqp:unauthorized-access in a session after the end of the token',
      evidence: ended(
        { credential: old },
        { protocol: 'amqp', how: 'goodbye', error: amqpError('amqp:unauthorized-access', 'Token Invalid.') },
      ),
      verdict: 'sas-expired certain',
    },
    {
      story: 'a 503 after the end of the token is still the hub',
      evidence: attempt(cbsRefused(503, '', { credential: old })),
      verdict: 'hub-transient-5xx likely',
    },
  ])
})

t.test('a key makes a new token for each attempt, so it cannot be forgotten', async t => {
  compare(t, [
    {
      story: 'a refusal',
      evidence: attempt(refused(5, { credential: endless('key') })),
      verdict: 'wrong-key possible',
      runnersUp: ['device-disabled', 'device-deleted', 'clock-skew', 'ip-filter'],
    },
    {
      story: 'the token made just now has ended already, says the hub',
      evidence: withClock('free', cbsRefused(401, 'The token is expired', { credential: endless('key') })),
      verdict: 'clock-skew likely',
      runnersUp: ['wrong-key'],
    },
    {
      story: 'the same where the clock is said to be right',
      evidence: attempt(cbsRefused(401, 'The token is expired', { credential: endless('edge') })),
      verdict: 'clock-skew possible',
    },
    {
      story: 'an impossible clock',
      evidence: withClock('impossible', cbsRefused(401, '', { credential: endless('key') })),
      verdict: 'clock-skew likely',
    },
    {
      story: 'the hub took no new token in the session and ended it later',
      evidence: ended(
        { credential: endless('key'), renewalRefused: '401 invalid signature' },
        { protocol: 'amqp', how: 'goodbye', error: amqpError('amqp:unauthorized-access') },
      ),
      verdict: 'sas-expired likely',
      runnersUp: ['wrong-key', 'device-disabled'],
    },
    {
      story: 'the refusal of the new token is the end itself, and the old one was still good',
      evidence: ended(
        { credential: endless('key'), renewalRefused: '401 Unauthorized' },
        {
          protocol: 'amqp',
          by: 'hub',
          how: 'error',
          error: { name: 'CbsError', code: '401', message: 'Unauthorized' },
        },
      ),
      verdict: 'wrong-key possible',
    },
    {
      story: 'a session with such a token that we ended ourselves',
      evidence: ended(
        { credential: endless('key'), renewalRefused: '401 invalid signature' },
        { protocol: 'amqp', by: 'us', how: 'goodbye', reason: 'shutdown' },
      ),
      verdict: 'graceful-close certain',
    },
  ])
})

t.test('a certificate of the device that is refused', async t => {
  const good = until('x509', 30 * 24 * 60 * minuteMs)
  const old = until('x509', -minuteMs)
  const alert = (code: string, message: string, more: Partial<FailedAttempt>): FailedAttempt =>
    failedAt('tls', { by: 'hub', how: 'error', error: tlsError(code, message) }, more)
  const unknownCa = 'write EPROTO 00:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../rec.c:1'
  compare(t, [
    {
      story: 'CONNACK 5, though it has not ended',
      evidence: attempt(refused(5, { credential: good })),
      verdict: 'x509-rejected possible',
      runnersUp: ['device-disabled', 'device-deleted', 'ip-filter'],
    },
    {
      story: 'CONNACK 5 after its end',
      evidence: attempt(refused(5, { credential: old })),
      verdict: 'x509-rejected likely',
      sees: [
        `${at} answered the sign-in and refused it with CONNACK 5.`,
        'The certificate of this device had ended at 2026-11-22T09:59:00.000Z; this was at 2026-11-22T10:00:00.000Z, by the clock of this device.',
      ],
    },
    {
      story: 'by a clock that cannot be right nothing has ended, and no token was made by it',
      evidence: withClock('impossible', refused(5, { credential: old })),
      verdict: 'x509-rejected possible',
    },
    {
      story: 'a FIN in place of a CONNACK',
      evidence: attempt(failedAt('auth', {}, { credential: good })),
      verdict: 'x509-rejected possible',
      runnersUp: ['throttled', 'ip-filter'],
    },
    {
      story: 'a FIN in place of a CONNACK, with a key',
      evidence: attempt(failedAt('auth', {}, { credential: endless('key') })),
      verdict: 'unknown-close possible',
      runnersUp: ['throttled', 'ip-filter'],
    },
    {
      story: 'amqp:unauthorized-access when the first link is attached',
      evidence: attempt(amqpClosedAt('amqp:unauthorized-access', '{"errorCode":401002}', { credential: good })),
      verdict: 'x509-rejected possible',
    },
    {
      story: 'the same after the hub had let it begin',
      evidence: ended(
        {
          credential: old,
          links: [
            {
              what: 'detached',
              link: 'methods',
              role: 'receiver',
              condition: 'amqp:unauthorized-access',
              description: null,
              beforeEndMs: 3,
            },
          ],
        },
        { protocol: 'amqp', by: 'us', how: 'goodbye', reason: 'methods' },
      ),
      verdict: 'x509-rejected likely',
    },
    {
      story: 'an alert in the handshake',
      evidence: attempt(alert('EPROTO', unknownCa, { credential: good })),
      verdict: 'x509-rejected likely',
    },
    {
      story: 'an alert after it, as in TLS 1.3',
      evidence: attempt(
        failedAt(
          'auth',
          { by: 'hub', how: 'error', error: tlsError('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'no certificate') },
          { credential: good },
        ),
      ),
      verdict: 'x509-rejected likely',
    },
    {
      story: 'an alert over a handshake without a certificate of ours',
      evidence: attempt(alert('EPROTO', unknownCa, { credential: endless('key') })),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'what we say of the certificate of the server is no alert',
      evidence: attempt(
        failedAt(
          'tls',
          { by: 'us', how: 'error', error: tlsError('CERT_HAS_EXPIRED', 'certificate has expired') },
          { credential: good },
        ),
      ),
      verdict: 'server-certificate-invalid certain',
    },
    {
      story: 'a handshake that fails without saying why may be the certificate',
      evidence: attempt(
        alert('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'sslv3 alert handshake failure', { credential: good }),
      ),
      verdict: 'tls-version-or-cipher likely',
      runnersUp: ['x509-rejected', 'tls-interception'],
    },
  ])
})

t.test('of a token that is made from a key it is said that it fits the key', async t => {
  const told = (kind: CredentialKind): string =>
    diagnose(attempt(refused(5, { credential: endless(kind) }))).verdict.evidence.join(' ')
  t.match(told('key'), 'so it fits that key: what is asked is whether the key fits the device')
  t.notMatch(told('x509'), 'fits that key')
})
