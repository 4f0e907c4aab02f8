/** What the hub says over AMQP, and the verdict that follows; and what looks alike and means something else. */
import t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Ending, Evidence } from '../../agent/evidence/episode.js'
import { nothingSeen } from '../../agent/evidence/surroundings.js'
import type { ClosedEvent, Protocol } from '../../transports/wire-event.js'
import {
  amqpClosedAt,
  amqpError,
  cbsRefused,
  evidenceOf,
  failedAt,
  hub,
  lost,
  nowMs,
  past,
  systemError,
  timedOutAt,
  trouble,
} from '../support/evidence.js'
import { compare, type Row } from '../support/verdicts.js'

const at = `${hub}:5671`
const goodbye = { protocol: 'amqp', by: 'hub', how: 'goodbye' } as const

/** A session that the hub closed so, and whose first retry succeeded. */
const closedWith = (
  condition: string | null,
  message = '',
  more: Partial<Ending & { kind: 'closed' }> = {},
  protocol: Protocol = 'amqp',
): Evidence =>
  evidenceOf({
    protocol,
    ending: lost({ ...goodbye, protocol, error: amqpError(condition, message) }, true, more),
  })

/** A session of which a link was detached so, and which ended then. */
const detachedWith = (
  condition: string | null,
  end: Partial<ClosedEvent>,
  description: string | null = null,
): Evidence =>
  evidenceOf({
    protocol: 'amqp',
    ending: lost({ protocol: 'amqp', ...end }, true, { links: [trouble(condition, { description })] }),
  })
const givenUp = { by: 'us', how: 'goodbye', reason: 'methods' } as const
const fin = { by: 'hub', how: 'fin' } as const

const attempt = (failed: Evidence['failed'][number]): Evidence => evidenceOf({ protocol: 'amqp', failed: [failed] })

/** Each condition that stands for a cause, with the description that a hub gives. */
const conditions: readonly (readonly [condition: string, description: string, verdict: string])[] = [
  ['amqp:connection:forced', 'node is being renewed', 'hub-upgrade-or-failover possible'],
  ['amqp:link:stolen', '', 'duplicate-device-id likely'],
  ['amqp:internal-error', 'Another AMQP Client has opened a Receive Link', 'duplicate-device-id likely'],
  ['amqp:internal-error', 'something broke', 'hub-transient-5xx likely'],
  ['com.microsoft:timeout', '', 'hub-transient-5xx likely'],
  ['amqp:link:detach-forced', 'Server Busy', 'hub-transient-5xx likely'],
  ['amqp:link:detach-forced', '', 'hub-transient-5xx possible'],
  ['com.microsoft:device-container-throttled', '', 'throttled certain'],
  ['amqp:resource-limit-exceeded', 'Total number of messages on IotHub exceeded', 'quota-exceeded likely'],
  ['com.microsoft:quota-exceeded', '', 'quota-exceeded likely'],
  ['amqp:unauthorized-access', 'Token Invalid.', 'wrong-key possible'],
  ['amqp:unauthorized-access', 'the device is disabled', 'device-disabled possible'],
  ['amqp:not-found', '', 'device-deleted possible'],
  ['amqp:not-implemented', '', 'protocol-version certain'],
  ['amqp:not-allowed', 'not in the current tier', 'basic-tier-operation possible'],
  ['amqp:not-allowed', '', 'illegal-topic possible'],
  ['amqp:link:message-size-exceeded', '', 'message-too-large certain'],
  ['com.microsoft:iot-hub-suspended', '', 'hub-suspended certain'],
  ['com.microsoft:iot-hub-not-found-error', '', 'wrong-hub-hostname likely'],
  ['amqp:frame-size-too-small', '', 'amqp-hub-close likely'],
  ['com.microsoft:invented-later', 'tracking id 42', 'amqp-hub-close likely'],
]

const quoted = (description: string): string => (description === '' ? '' : ` ("${description}")`)

t.test('a condition has the same meaning wherever the hub says it', async t => {
  compare(
    t,
    conditions.flatMap(([condition, description, verdict]): Row[] => {
      const text = `${condition}${quoted(description)}`
      const closed = [`The hub closed the AMQP connection with ${text}.`]
      const detached = [`The hub detached the link methods with ${text}.`]
      const name = `${condition} ${description}`
      return [
        { story: `${name}: in a close`, evidence: closedWith(condition, description), verdict, sees: closed },
        {
          story: `${name}: in a close, over WebSocket`,
          evidence: closedWith(condition, description, {}, 'amqp-ws'),
          verdict,
          sees: closed,
        },
        {
          story: `${name}: before the hub had accepted`,
          evidence: attempt(amqpClosedAt(condition, description)),
          verdict,
          sees: closed,
        },
        {
          story: `${name}: in a detach of the methods link, for which we gave the connection up`,
          evidence: detachedWith(condition, givenUp, description),
          verdict,
          sees: detached,
        },
        {
          story: `${name}: in a detach just before a FIN`,
          evidence: detachedWith(condition, fin, description),
          verdict,
          sees: detached,
        },
        {
          story: `${name}: in a detach just before a reset, which only followed`,
          evidence: detachedWith(
            condition,
            { by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') },
            description,
          ),
          verdict,
          sees: detached,
        },
      ]
    }),
  )
})

t.test('what looks like a condition of a cause and is not', async t => {
  compare(t, [
    {
      story: 'a close without an error has no cause of its own, and none is invented',
      evidence: closedWith(null),
      verdict: 'amqp-hub-close likely',
      sees: ['The hub closed the AMQP connection without an error.'],
      runnersUp: ['hub-upgrade-or-failover', 'duplicate-device-id'],
    },
    {
      story: 'a methods link that is detached without an error',
      evidence: detachedWith(null, givenUp),
      verdict: 'methods-dead certain',
      sees: [
        'The hub detached the link methods without an error.',
        'The subscription to direct methods was lost during the session, so the recorder gave the connection up.',
      ],
      runnersUp: ['hub-transient-5xx'],
    },
    {
      story: 'a subscription that was never answered, with no detach at all',
      evidence: evidenceOf({ protocol: 'amqp', ending: lost({ protocol: 'amqp', ...givenUp }, false) }),
      verdict: 'methods-dead certain',
    },
    {
      story: 'another link that was detached says nothing of methods that are not answered',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', ...givenUp }, true, {
          links: [trouble('amqp:link:stolen', { link: 'events', role: 'sender' })],
        }),
      }),
      verdict: 'methods-dead certain',
    },
    {
      story: 'a link that was detached long before the end has no part in it',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', ...fin }, true, {
          links: [trouble('amqp:link:stolen', { link: 'events', beforeEndMs: 60_000 })],
        }),
      }),
      verdict: 'unknown-close unknown',
      sees: [
        'The other side closed the session without a word (FIN), with no message under way. AMQP has ways to give a reason, and none was used.',
      ],
    },
    {
      story: 'a session that we ended ourselves, although a link was detached',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', by: 'us', how: 'goodbye', reason: 'shutdown' }, true, {
          links: [trouble('amqp:link:stolen')],
        }),
      }),
      verdict: 'graceful-close certain',
    },
    {
      story: 'over MQTT nobody says such words',
      evidence: evidenceOf({ ending: lost({ ...goodbye, protocol: 'mqtt', error: amqpError('amqp:link:stolen') }) }),
      verdict: 'protocol-violation certain',
    },
    {
      story: 'a limit that is only the idle time is no quota: the hub heard nothing',
      evidence: closedWith('amqp:resource-limit-exceeded', 'max idle time exceeded'),
      verdict: 'link-lost-keepalive likely',
      sees: ['The hub closed the AMQP connection with amqp:resource-limit-exceeded ("max idle time exceeded").'],
    },
    {
      story: 'a connection closed by force for being idle was not upgraded',
      evidence: closedWith(
        'amqp:connection:forced',
        'The connection was inactive for more than the allowed 240000 milliseconds',
      ),
      verdict: 'link-lost-keepalive likely',
      sees: [
        'The hub closed the AMQP connection with amqp:connection:forced ("The connection was inactive for more than the allowed 240000 milliseconds").',
      ],
    },
    {
      story: 'a process that stood still for as long sent nothing that could be lost',
      evidence: {
        ...closedWith(
          'amqp:connection:forced',
          'The connection was inactive for more than the allowed 240000 milliseconds',
        ),
        host: {
          ...nothingSeen,
          changes: [
            { what: 'loopStalled', stalledMs: 900, seenMs: nowMs },
            { what: 'loopStalled', stalledMs: 250_000, seenMs: nowMs },
          ],
        },
      },
      verdict: 'event-loop-stall certain',
      runnersUp: ['link-lost-keepalive', 'device-sleep'],
      sees: [
        'The process stood still for 4 min 10 s in that time, and sent nothing.',
        'The hub closed the AMQP connection with amqp:connection:forced ("The connection was inactive for more than the allowed 240000 milliseconds").',
      ],
    },
    {
      story: 'a message that was rejected for the quota, and then a FIN',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', ...fin }, true, {
          links: [
            trouble('com.microsoft:quota-exceeded', {
              what: 'rejected',
              link: 'events',
              role: null,
              beforeEndMs: 2_000,
            }),
          ],
        }),
      }),
      verdict: 'quota-exceeded likely',
      sees: ['The hub rejected a message on the link events with com.microsoft:quota-exceeded, 2.0 s before the end.'],
    },
    {
      story: 'a message that was rejected for a reason of its own is not why the session ended',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', ...fin }, true, {
          links: [trouble('amqp:rejected', { what: 'rejected', link: 'events', role: null })],
        }),
      }),
      verdict: 'unknown-close unknown',
    },
    {
      story: 'a reset without a word before it',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', by: 'unknown', how: 'rst', error: systemError('ECONNRESET', 'read') }),
      }),
      verdict: 'peer-reset certain',
    },
    {
      story: 'bytes that are no AMQP',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({
          protocol: 'amqp',
          how: 'error',
          error: { name: 'ProtocolError', message: 'invalid protocol header' },
        }),
      }),
      verdict: 'protocol-violation certain',
      sees: ['The other side sent something that is not AMQP: invalid protocol header.'],
    },
  ])
})

t.test('a line that is silent over AMQP, where there are no pings', async t => {
  const silent = { protocol: 'amqp', by: 'us', how: 'timeout', reason: 'silence', silentMs: 75_000 } as const
  compare(t, [
    {
      story: 'no frame for one and a quarter of the idle time',
      evidence: evidenceOf({ protocol: 'amqp', ending: lost(silent), history: [past(90_000, silent)] }),
      verdict: 'link-lost-keepalive certain',
      sees: [
        'No frame came, and the hub has to send one before its time is over; nothing had come from it for 1 min 15 s.',
        'No FIN and no RST came. 0 messages waited for an answer; 2048 bytes had been sent and 4096 bytes received.',
        'The hub will notice when it has heard nothing for its own idle time (240 s) and log 404104.',
      ],
      runnersUp: ['nat-idle-timeout', 'no-network', 'device-sleep'],
    },
  ])
})

t.test('an answer to the put-token, or none', async t => {
  const refusal = (status: number, reason: string, verdict: string, runnersUp?: readonly string[]): Row => ({
    story: `put-token ${status} ${reason}`,
    evidence: attempt(cbsRefused(status, reason)),
    verdict,
    sees: [`${at} answered the put-token with status ${status}${quoted(reason)}.`],
    ...(runnersUp ? { runnersUp } : {}),
  })
  const slow = { by: 'us', how: 'timeout', reason: 'slow', silentMs: 10_000, protocol: 'amqp' } as const
  compare(t, [
    refusal(
      401,
      'The specified SAS token has an invalid signature. It does not match either the primary or secondary key..',
      'wrong-key likely',
      ['wrong-hub-hostname'],
    ),
    refusal(401, '', 'wrong-key possible', [
      'device-disabled',
      'device-deleted',
      'sas-expired',
      'clock-skew',
      'ip-filter',
    ]),
    refusal(401, 'The device is disabled', 'device-disabled possible', ['device-deleted', 'hub-suspended']),
    refusal(401, 'IotHub does not contain the specified device x', 'device-deleted possible'),
    refusal(404, 'Not found', 'device-deleted possible', ['device-disabled', 'wrong-hub-hostname', 'dps-reassigned']),
    refusal(403, 'Device is disabled', 'device-disabled possible'),
    refusal(403, 'Message quota exceeded', 'quota-exceeded likely', ['throttled']),
    refusal(403, 'The hub is suspended', 'hub-suspended certain', []),
    refusal(403, '', 'amqp-cbs-nonauth possible', ['device-disabled', 'quota-exceeded', 'ip-filter']),
    refusal(400, 'Bad request', 'amqp-cbs-nonauth likely', ['hub-transient-5xx']),
    refusal(0, '', 'amqp-cbs-nonauth possible'),
    refusal(429, 'Too many', 'throttled certain', []),
    refusal(500, '', 'hub-transient-5xx likely', ['throttled']),
    refusal(503, 'Server busy', 'hub-transient-5xx likely', ['throttled']),
    {
      story: 'no answer to the put-token',
      evidence: attempt(failedAt('auth', slow, { protocol: 'amqp', port: 5671, attached: ['$cbs', '$cbs'] })),
      verdict: 'cbs-timeout certain',
      sees: [
        `${at} had opened AMQP and attached $cbs, but the put-token was not answered: silence for 10.0 s.`,
        '2048 bytes had been sent and 4096 bytes received.',
      ],
      runnersUp: ['hub-transient-5xx', 'no-network'],
    },
    {
      story: 'no answer to the put-token that was to renew the token',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ protocol: 'amqp', by: 'us', how: 'timeout', reason: 'slow' }, true),
      }),
      verdict: 'cbs-timeout certain',
      sees: ['The put-token that was to renew the token in the session was not answered in time.'],
      runnersUp: ['hub-transient-5xx', 'no-network'],
    },
    {
      story: 'the link by which tokens are renewed is detached without an error',
      evidence: evidenceOf({
        protocol: 'amqp',
        ending: lost({ ...goodbye, error: null }, true, { links: [trouble(null, { link: '$cbs' })] }),
      }),
      verdict: 'amqp-hub-close likely',
      sees: ['The hub detached the link $cbs without an error.'],
    },
    {
      story: 'no answer to the open, so that no token was handed over',
      evidence: attempt(failedAt('auth', slow, { protocol: 'amqp', port: 5671 })),
      verdict: 'connack-timeout certain',
      sees: [`TLS to ${at} was ready and AMQP was begun, but its open was not answered: silence for 10.0 s.`],
    },
    {
      story: 'no answer to a CONNECT is no put-token without one',
      evidence: evidenceOf({ failed: [timedOutAt('auth', { attached: ['$cbs'] })] }),
      verdict: 'connack-timeout certain',
    },
  ])
})

t.test('a put-token that is refused in the session, when the token was to be renewed', async t => {
  const refusal = (status: number, said: string, verdict: string): Row => ({
    story: `status ${status} ${said}`,
    evidence: evidenceOf({
      protocol: 'amqp',
      ending: lost({
        protocol: 'amqp',
        how: 'error',
        error: { name: 'CbsError', code: String(status), message: said },
      }),
    }),
    verdict,
    sees: [
      `The hub answered the put-token that was to renew the token in the session with status ${status}${quoted(said)}.`,
    ],
  })
  compare(t, [
    refusal(401, 'invalid signature', 'wrong-key likely'),
    refusal(401, '', 'wrong-key possible'),
    refusal(401, 'the device is disabled', 'device-disabled possible'),
    refusal(404, '', 'device-deleted possible'),
    refusal(429, '', 'throttled certain'),
    refusal(503, '', 'hub-transient-5xx likely'),
    refusal(403, 'quota', 'quota-exceeded likely'),
    refusal(403, 'suspended', 'hub-suspended certain'),
    refusal(400, '', 'amqp-cbs-nonauth likely'),
  ])
})

t.test("a goodbye that the SDK says because of what the hub has said on a link is the hub's", async t => {
  const bySdk = (end: Partial<ClosedEvent>): Evidence =>
    detachedWith('amqp:link:stolen', { by: 'us', how: 'goodbye', reason: null, ...end })
  compare(t, [
    { story: 'by the SDK', evidence: bySdk({}), verdict: 'duplicate-device-id likely' },
    { story: 'by us', evidence: bySdk({ reason: 'abandoned' }), verdict: 'unknown-close unknown' },
    { story: 'by the application', evidence: bySdk({ by: 'application' }), verdict: 'graceful-close certain' },
  ])
})

t.test('no verdict over AMQP is an accusation of the key when the hub has named another reason', async t => {
  const others = [cbsRefused(429), cbsRefused(503), cbsRefused(500), cbsRefused(403), cbsRefused(404), cbsRefused(400)]
  t.strictSame(
    others.filter(failed => diagnose(attempt(failed)).verdict.cause === 'wrong-key'),
    [],
  )
})
