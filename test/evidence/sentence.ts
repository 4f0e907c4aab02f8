import fc from 'fast-check'
import t from 'tap'
import { type LogRecord, type RecordType, recordTypes } from '../../agent/evidence/record.js'
import { sentence, words } from '../../agent/evidence/sentence.js'
import { draftOf, episodeOf } from '../support/recorded-ring.js'
import { seedFrom } from '../support/ring-records.js'

const record = (type: RecordType, data: object, level = 30): LogRecord => ({
  seq: 1,
  ...draftOf({ atS: 0, type, data, level }),
})

t.test('each record is a line that a person understands', async t => {
  const lines: readonly (readonly [RecordType, object, string])[] = [
    [
      'wire',
      { type: 'connecting', attempt: 2, host: 'h.example', port: 8883, gateway: true },
      'wire: connecting to the gateway h.example:8883 (attempt 2)',
    ],
    [
      'wire',
      { type: 'resolved', attempt: 1, addresses: ['20.1.1.1', '20.1.1.2'], ms: 3 },
      'wire: resolved to 20.1.1.1, 20.1.1.2 in 3 ms (attempt 1)',
    ],
    [
      'wire',
      { type: 'refused', attempt: 1, code: 5, reason: 'not authorized' },
      'wire: refused by the hub, 5: not authorized (attempt 1)',
    ],
    [
      'wire',
      {
        type: 'connecting',
        attempt: 3,
        host: 'h.example',
        port: 5671,
        gateway: false,
        credential: { kind: 'x509', expiresAt: '2027-01-01T00:00:00.000Z' },
      },
      'wire: connecting to h.example:5671 with a certificate until 2027-01-01T00:00:00.000Z (attempt 3)',
    ],
    [
      'wire',
      {
        type: 'connecting',
        attempt: 3,
        host: 'h',
        port: 443,
        gateway: false,
        credential: { kind: 'key', expiresAt: null },
      },
      'wire: connecting to h:443 with a key (attempt 3)',
    ],
    [
      'wire',
      { type: 'refused', step: 'cbs', attempt: 1, code: 401, reason: 'invalid signature' },
      'wire: refused by the hub at the put-token, 401: invalid signature (attempt 1)',
    ],
    [
      'wire',
      { type: 'refused', step: 'proxy', attempt: 1, code: 407, reason: '' },
      'wire: refused by the proxy, 407 (attempt 1)',
    ],
    [
      'wire',
      {
        type: 'refused',
        step: 'upgrade',
        attempt: 1,
        code: 302,
        reason: 'Found',
        headers: { server: 'portal', location: 'http://login/' },
      },
      'wire: refused at the WebSocket upgrade, 302: Found, server portal, location http://login/ (attempt 1)',
    ],
    [
      'wire',
      { type: 'attached', attempt: 1, link: '$cbs', role: 'sender' },
      'wire: link $cbs attached for sending (attempt 1)',
    ],
    [
      'wire',
      { type: 'detached', attempt: 1, link: 'methods', role: 'receiver', condition: null, description: null },
      'wire: link methods for receiving detached, without an error (attempt 1)',
    ],
    [
      'wire',
      {
        type: 'detached',
        attempt: 1,
        link: 'methods',
        role: 'sender',
        condition: 'amqp:link:stolen',
        description: 'by another',
      },
      'wire: link methods for sending detached, amqp:link:stolen: by another (attempt 1)',
    ],
    [
      'wire',
      { type: 'rejected', attempt: 1, link: 'events', condition: 'amqp:link:message-size-exceeded', description: null },
      'wire: a message on the link events was rejected by the hub, amqp:link:message-size-exceeded (attempt 1)',
    ],
    [
      'wire',
      { type: 'protocolChosen', attempt: 4, protocol: 'amqp-ws', from: 'mqtt', why: 'port 8883 is not answered' },
      'wire: from now on over amqp-ws in place of mqtt: port 8883 is not answered (attempt 4)',
    ],
    [
      'wire',
      { type: 'provisioningStarted', attempt: 4, id: 'p', scopeId: '0ne', registrationId: 'dev' },
      'wire: asking the provisioning service for the hub of dev in the scope 0ne (attempt 4)',
    ],
    [
      'wire',
      { type: 'provisioningDone', attempt: 4, id: 'p', ok: true, hub: 'other.example', reassigned: true, error: null },
      'wire: the provisioning service named another hub than before: other.example (attempt 4)',
    ],
    [
      'wire',
      {
        type: 'provisioningDone',
        attempt: 4,
        id: 'p',
        ok: true,
        hub: 'a.example',
        reassigned: false,
        error: null,
        unreached: { name: 'ProvisioningError', message: 'nobody answered in time', code: 'ETIMEDOUT' },
      },
      'wire: the provisioning service named the hub: a.example; asked in the other way, because of ProvisioningError: nobody answered in time (ETIMEDOUT) (attempt 4)',
    ],
    [
      'wire',
      {
        type: 'provisioningDone',
        attempt: 4,
        id: 'p',
        ok: false,
        hub: null,
        reassigned: false,
        error: { name: 'UnauthorizedError', message: 'no' },
      },
      'wire: the provisioning service named no hub: UnauthorizedError: no (attempt 4)',
    ],
    [
      'wire',
      {
        type: 'closed',
        attempt: 1,
        by: 'unknown',
        how: 'rst',
        stage: 'session',
        reason: null,
        silentMs: 90_000,
        error: { name: 'Error', message: 'read ECONNRESET', code: 'ECONNRESET' },
      },
      'wire: closed by unknown (rst) at stage session, 1 min 30 s after the last byte: Error: read ECONNRESET (attempt 1)',
    ],
    [
      'wire',
      {
        type: 'sdkError',
        attempt: 1,
        during: 'open',
        error: {
          name: 'AggregateError',
          message: '',
          errors: [{ name: 'Error', message: 'refused', code: 'ECONNREFUSED' }],
        },
      },
      'wire: the SDK said during open: Error: refused (ECONNREFUSED) (attempt 1)',
    ],
    [
      'wire',
      { type: 'subscribed', attempt: 1, granted: { '$iothub/methods/POST/#': 0 }, ok: true },
      'wire: subscribed: $iothub/methods/POST/# (attempt 1)',
    ],
    [
      'wire',
      {
        type: 'packetReceived',
        monoMs: 1,
        protocol: 'mqtt',
        attempt: 1,
        packet: 'publish',
        qos: 0,
        topic: '$iothub/methods/POST/ping/?$rid=1',
        payloadBytes: 2,
      },
      'wire: received publish, qos 0, topic $iothub/methods/POST/ping/?$rid=1, payloadBytes 2 (attempt 1)',
    ],
    [
      'wire',
      { type: 'packetSent', monoMs: 1, protocol: 'mqtt', attempt: 1, packet: 'pingreq' },
      'wire: sent pingreq (attempt 1)',
    ],
    ['wire', { type: 'somethingNew', attempt: 1 }, 'wire: {"type":"somethingNew","attempt":1} (attempt 1)'],
    ['log', { msg: 'the outbox cannot be read', code: 7 }, 'the outbox cannot be read'],
    ['episode', episodeOf('e1', 0), 'episode: peer-reset (likely), over after 5.0 s: The connection was reset [e1]'],
    [
      'episode',
      episodeOf('e2', 0, { state: 'open', planned: true }),
      'episode: peer-reset (likely), goes on, planned: The connection was reset [e2]',
    ],
    [
      'gap',
      { reason: 'overflow', count: 3, fromSeq: 1, toSeq: 3 },
      'gap: 3 records are missing here (overflow, 1 to 3)',
    ],
    ['gap', { reason: 'library', count: 3, fromSeq: null, toSeq: null }, 'gap: 3 records are missing here (library)'],
    ['sample', { memory: { freeBytes: 1 }, power: null, load: {} }, 'sample: memory, load'],
    [
      'sample',
      {
        probes: [
          { probe: 'resolve', resolver: '10.0.0.1', error: { code: 'ESERVFAIL' } },
          { probe: 'tls', port: 8883, error: null },
          { probe: 'portal', isPortal: true, error: null },
          { probe: 'gateway', error: {} },
        ],
      },
      'sample: the way to the hub was asked: resolve 10.0.0.1 ESERVFAIL, tls 8883 well, portal found, gateway failed',
    ],
    ['mark', { id: 'm1', note: 'unplugged' }, 'mark: unplugged [m1]'],
    ['task', { correlationId: 'c', step: 'made', status: 'Running', message: '' }, 'task: c: made, Running'],
    ['stop', { why: 'SIGTERM' }, 'stop: hubrec stopped, {"why":"SIGTERM"}'],
    ['clock', { change: 'step', byMs: 3_000 }, 'clock: {"change":"step","byMs":3000}'],
  ]
  for (const [type, data, expected] of lines) t.equal(words(record(type, data)), expected)
  t.equal(
    sentence(record('log', { msg: 'all is well' }, 40)),
    '2026-11-22T10:00:00.000Z warn  log     hubrec all is well',
    'with its time, level, type and connection on the terminal',
  )
})

t.test('no text can play tricks on a terminal, or break its line', async t => {
  const text = words(record('log', { msg: 'a\u001b[31mred\nnext\r\u2028\u202eturned\u0000\ufeff' }))
  t.equal(text, 'a\\u001b[31mred\\u000anext\\u000d\\u2028\\u202eturned\\u0000\\ufeff')
  t.equal(words(record('log', { msg: 'x'.repeat(1_000_000) })).length, 2_003)
})

const runs = 3_000
t.test('whatever stands in a record, it becomes one line', async t => {
  const seed = seedFrom('SENTENCE_SEED')
  t.comment(`SENTENCE_SEED=${seed}`)
  const wireTypes = [
    'connecting',
    'resolved',
    'tlsSecured',
    'closed',
    'sdkError',
    'subscribed',
    'detached',
    '__proto__',
  ]
  const names = [
    'type',
    'error',
    'errors',
    'certificate',
    'granted',
    'verdict',
    'closed',
    'addresses',
    'ms',
    'msg',
    'toString',
  ]
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(...wireTypes), fc.string({ unit: 'binary' }))
  const data = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value)
  fc.assert(
    fc.property(fc.constantFrom(...recordTypes), data, fc.double(), (type, data, level) => {
      const line = sentence(record(type, JSON.parse(JSON.stringify(data)), level))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is what is tested
      return line.startsWith('2026-11-22T10:00:00.000Z') && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/.test(line)
    }),
    { seed, numRuns: runs },
  )
})
