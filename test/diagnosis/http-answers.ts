/** Proxies, portals and web servers in place of the hub: what they answer, and the verdict that follows. */
import t from 'tap'
import type { Evidence, FailedAttempt } from '../../agent/evidence/episode.js'
import type { Failure } from '../../transports/wire-event.js'
import {
  certificate,
  evidenceOf,
  failedAt,
  failedWith,
  httpRefused,
  hub,
  lost,
  systemError,
  timedOutAt,
  tlsError,
} from '../support/evidence.js'
import { compare, type Row } from '../support/verdicts.js'

const at = `${hub}:443`
const proxy = 'http://10.0.0.9:3128'
const ws = { protocol: 'mqtt-ws', port: 443 } as const
const attempt = (failed: FailedAttempt): Evidence => evidenceOf({ protocol: 'mqtt-ws', failed: [failed] })

const upgrade = (
  status: number,
  headers: Record<string, string>,
  verdict: string,
  runnersUp: readonly string[],
  more: Partial<FailedAttempt> = {},
): Row => ({
  story: `upgrade ${status} ${JSON.stringify(headers)}`,
  evidence: attempt(httpRefused('upgrade', status, headers, more)),
  verdict,
  runnersUp,
})

t.test('the answer to a WebSocket upgrade says who stands where the hub should', async t => {
  compare(t, [
    {
      ...upgrade(302, { location: 'http://portal.example:8080/login?mac=aa' }, 'captive-portal likely', [
        'proxy-required',
        'wrong-hub-hostname',
      ]),
      sees: [
        `${at} answered the WebSocket upgrade with HTTP status 302.`,
        'It sends a browser to portal.example:8080.',
      ],
    },
    upgrade(307, { location: '/login' }, 'captive-portal possible', ['proxy-required', 'wrong-hub-hostname']),
    upgrade(302, { location: `https://${hub}/other` }, 'captive-portal possible', [
      'proxy-required',
      'wrong-hub-hostname',
    ]),
    upgrade(302, { location: '::nonsense::' }, 'captive-portal possible', ['proxy-required', 'wrong-hub-hostname']),
    upgrade(200, { 'content-type': 'text/html; charset=utf-8' }, 'captive-portal possible', [
      'proxy-required',
      'wrong-hub-hostname',
    ]),
    upgrade(511, {}, 'captive-portal certain', []),
    upgrade(407, {}, 'proxy-required certain', []),
    upgrade(401, { 'proxy-authenticate': 'Basic realm="x"' }, 'proxy-required certain', []),
    upgrade(401, { 'www-authenticate': 'NTLM' }, 'proxy-required likely', ['captive-portal', 'ip-filter']),
    upgrade(401, {}, 'proxy-required possible', ['captive-portal', 'ip-filter']),
    upgrade(403, {}, 'ip-filter possible', ['public-access-disabled', 'proxy-required']),
    {
      ...upgrade(403, { server: 'squid/5.7', via: '1.1 cache' }, 'proxy-required likely', ['ip-filter']),
      sees: [`${at} answered the WebSocket upgrade with HTTP status 403. It names itself ("squid/5.7, 1.1 cache").`],
    },
    {
      ...upgrade(404, {}, 'wrong-hub-hostname likely', ['captive-portal', 'proxy-required']),
      sees: [
        `${at} answered the WebSocket upgrade with HTTP status 404.`,
        'A hub has that address, so what answered is no hub.',
      ],
    },
    upgrade(404, {}, 'wrong-hub-hostname possible', ['captive-portal', 'proxy-required'], { gateway: true }),
    upgrade(503, {}, 'hub-transient-5xx likely', ['throttled']),
    upgrade(502, { via: '1.1 cache' }, 'hub-transient-5xx possible', ['proxy-required', 'throttled']),
    upgrade(503, {}, 'hub-transient-5xx possible', ['proxy-required', 'throttled'], { proxy }),
    upgrade(429, {}, 'throttled possible', []),
    upgrade(200, {}, 'captive-portal possible', ['proxy-required', 'wrong-hub-hostname']),
    upgrade(200, { 'content-type': 'application/json' }, 'unknown-close unknown', ['proxy-required']),
    upgrade(400, {}, 'unknown-close unknown', ['proxy-required']),
    upgrade(426, {}, 'unknown-close unknown', ['proxy-required']),
  ])
})

t.test('over AMQP the upgrade is the same, and throttling is surer', async t => {
  const amqp = (status: number): Evidence =>
    evidenceOf({ protocol: 'amqp-ws', failed: [httpRefused('upgrade', status, {}, { protocol: 'amqp-ws' })] })
  compare(t, [
    { story: '429', evidence: amqp(429), verdict: 'throttled certain' },
    { story: '503', evidence: amqp(503), verdict: 'hub-transient-5xx likely' },
    { story: '407', evidence: amqp(407), verdict: 'proxy-required certain' },
  ])
})

t.test('an upgrade that is not answered, or hung up on', async t => {
  compare(t, [
    {
      story: 'silence',
      evidence: attempt(timedOutAt('upgrade', ws)),
      verdict: 'connack-timeout likely',
      sees: [`TLS to ${at} was ready and the WebSocket upgrade was asked for, but no answer came: silence for 10.0 s.`],
      runnersUp: ['proxy-required', 'hub-transient-5xx', 'no-network'],
    },
    {
      story: 'a FIN',
      evidence: attempt(failedAt('upgrade', {}, ws)),
      verdict: 'unknown-close possible',
      sees: [
        `${at} closed the connection (FIN) after the WebSocket upgrade was asked for and gave no answer to it; 4096 bytes had come.`,
      ],
      runnersUp: ['proxy-required', 'throttled'],
    },
  ])
})

t.test('a WebSocket has a goodbye of its own, which is none of MQTT', async t => {
  const goodbye = (error: Failure | null): Evidence =>
    evidenceOf({ protocol: 'mqtt-ws', ending: lost({ protocol: 'mqtt-ws', how: 'goodbye', error }) })
  compare(t, [
    {
      story: 'a close frame',
      evidence: goodbye({ name: 'WebSocketClose', message: 'going away', code: '1001' }),
      verdict: 'unknown-close unknown',
      sees: [
        'The other side closed the session with a WebSocket close 1001 ("going away"), with no message under way. MQTT 3.1.1 has no way to give a reason.',
      ],
    },
    {
      story: 'a close frame under AMQP is none of its words',
      evidence: evidenceOf({
        protocol: 'amqp-ws',
        ending: lost({
          protocol: 'amqp-ws',
          how: 'goodbye',
          error: { name: 'WebSocketClose', message: '', code: '1011' },
        }),
      }),
      verdict: 'unknown-close unknown',
      sees: [
        'The other side closed the session with a WebSocket close 1011, with no message under way. AMQP has ways to give a reason, and none was used.',
      ],
    },
    {
      story: 'a close frame in place of a CONNACK',
      evidence: attempt(
        failedAt('auth', { how: 'goodbye', error: { name: 'WebSocketClose', message: 'no', code: '1008' } }, ws),
      ),
      verdict: 'unknown-close possible',
      sees: [
        `${at} closed the connection with a WebSocket close 1008 ("no") after the sign-in was sent and gave no answer to it; 4096 bytes had come.`,
      ],
    },
    { story: 'a DISCONNECT', evidence: goodbye(null), verdict: 'protocol-violation certain' },
  ])
})

t.test('what a proxy answers to CONNECT', async t => {
  const connect = (status: number, verdict: string, runnersUp: readonly string[]): Row => ({
    story: `CONNECT ${status}`,
    evidence: attempt(httpRefused('proxy', status, {}, { reason: 'as it pleases' })),
    verdict,
    sees: [`The proxy answered CONNECT for ${at} with HTTP status ${status} ("as it pleases").`],
    runnersUp,
  })
  compare(t, [
    connect(407, 'proxy-required certain', []),
    connect(401, 'proxy-required certain', []),
    connect(403, 'proxy-required certain', []),
    connect(502, 'proxy-required possible', ['hub-unreachable', 'wrong-hub-hostname']),
    connect(503, 'proxy-required possible', ['hub-unreachable', 'wrong-hub-hostname']),
    connect(302, 'captive-portal possible', ['proxy-required', 'wrong-hub-hostname']),
    connect(511, 'captive-portal certain', []),
  ])
})

t.test('a proxy that cannot be reached is not a hub that cannot be reached', async t => {
  const about = (from: Failure): Failure => ({ name: 'Error', message: `proxy ${proxy}: ${from.message}`, from })
  const refused = systemError('ECONNREFUSED', 'connect', '10.0.0.9:3128')
  const unreachable = systemError('ENETUNREACH', 'connect', '10.0.0.9:3128')
  const unknown = { name: 'Error', message: 'getaddrinfo ENOTFOUND proxy.example', code: 'ENOTFOUND' }
  const ofHub = { name: 'Error', message: 'getaddrinfo ENOTFOUND proxy-hub.azure-devices.net', code: 'ENOTFOUND' }
  compare(t, [
    {
      story: 'refused',
      evidence: attempt(failedWith('tcp', about(refused), ws)),
      verdict: 'proxy-required certain',
      sees: ['The proxy could not be reached: connect ECONNREFUSED 10.0.0.9:3128.'],
      runnersUp: ['no-network'],
    },
    {
      story: 'silent',
      evidence: attempt(
        failedAt(
          'tcp',
          { by: 'us', how: 'timeout', reason: 'slow', error: about({ name: 'Error', message: 'late' }) },
          ws,
        ),
      ),
      verdict: 'proxy-required certain',
    },
    {
      story: 'hung up before it answered',
      evidence: attempt(
        failedWith(
          'tcp',
          { name: 'ProxyError', message: `the proxy ${proxy}: socket hang up`, code: 'ECONNRESET' },
          ws,
        ),
      ),
      verdict: 'proxy-required certain',
      sees: ['The proxy closed the connection (FIN) before it had answered CONNECT.'],
    },
    {
      story: 'reached, and then something else',
      evidence: attempt(failedWith('tcp', { name: 'ProxyError', message: 'the proxy said something odd' }, ws)),
      verdict: 'proxy-required likely',
    },
    {
      story: 'a name that does not exist',
      evidence: attempt(failedWith('dns', about(unknown), ws)),
      verdict: 'dns-failure certain',
      sees: ['Resolving the name of the proxy failed: getaddrinfo ENOTFOUND proxy.example.'],
      runnersUp: ['proxy-required', 'no-network'],
    },
    {
      story: 'a name that nobody answered',
      evidence: attempt(
        failedWith('dns', about({ ...unknown, message: 'getaddrinfo EAI_AGAIN proxy.example', code: 'EAI_AGAIN' }), ws),
      ),
      verdict: 'dns-failure possible',
    },
    {
      story: 'no network at all',
      evidence: attempt(failedWith('tcp', about(unreachable), ws)),
      verdict: 'no-network certain',
    },
    {
      story: 'the hub itself, without a proxy',
      evidence: attempt(failedWith('tcp', systemError('ECONNREFUSED', 'connect'), ws)),
      verdict: 'port-refused certain',
    },
    {
      story: 'a hub that has the word in its name',
      evidence: attempt(failedWith('dns', ofHub, { ...ws, host: 'proxy-hub.azure-devices.net' })),
      verdict: 'dns-failure certain',
      sees: ['Resolving proxy-hub.azure-devices.net failed: getaddrinfo ENOTFOUND proxy-hub.azure-devices.net.'],
    },
  ])
})

t.test('TLS inspection behind a proxy is named by its issuer and the proxy', async t => {
  compare(t, [
    {
      story: 'a foreign chain',
      evidence: attempt(
        failedWith('tls', tlsError('SELF_SIGNED_CERT_IN_CHAIN', 'no trust'), {
          ...ws,
          proxy,
          certificate: certificate({ knownRoot: false }),
        }),
      ),
      verdict: 'tls-interception certain',
      sees: [
        'The certificate chain was not trusted: SELF_SIGNED_CERT_IN_CHAIN: no trust.',
        'The server showed a certificate for CN=*.azure-devices.net, issued by CN=Proxy Root, O=Example Ltd, valid from 2026-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z.',
        `The connection went through the proxy ${proxy}.`,
        'The chain leads to no root that IoT Hub is documented to use; its issuer is CN=Proxy Root, O=Example Ltd.',
      ],
      runnersUp: [],
    },
  ])
})
