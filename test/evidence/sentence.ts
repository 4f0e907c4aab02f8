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
