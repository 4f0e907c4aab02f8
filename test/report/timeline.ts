import t from 'tap'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { TimelineItem } from '../../agent/report/report.js'
import { isOfUse, Timeline } from '../../agent/report/timeline.js'
import { draftOf, episodeOf, type Line, storyStartMs } from '../support/recorded-ring.js'

const at = (seconds: number): string => new Date(storyStartMs + seconds * 1e3).toISOString()

const wire = (atS: number, type: string, data: object = {}, conn = 'hubrec'): Line => ({
  atS,
  type: 'wire',
  conn,
  data: { type, protocol: 'mqtt', attempt: 1, ...data },
})

const tell = (lines: readonly Line[], episodeAt: (conn: string | null, atMs: number) => string | null = () => null) => {
  const timeline = new Timeline(episodeAt)
  const records = lines.map((line, n): LogRecord => ({ seq: n + 1, ...draftOf(line) }))
  const items = records.filter(isOfUse).flatMap(record => [...timeline.add(record)])
  return [...items, ...timeline.end(storyStartMs + 100e3)]
}

const attempt = (change: object) => ({
  kind: 'attempt',
  episode: null,
  conn: 'hubrec',
  endedAt: null,
  protocol: 'mqtt',
  host: 'my-hub.azure-devices.net',
  port: 8883,
  outcome: 'unfinished',
  steps: [],
  stage: null,
  how: null,
  reason: null,
  error: null,
  ...change,
})

const dial = { host: 'my-hub.azure-devices.net', port: 8883 }
const lost = { by: 'network', how: 'rst', stage: 'session', reason: null, error: null, lastedMs: 20_000 }
const open = episodeOf('e1', 30, { state: 'open', endedAt: null, durationMs: null })

t.test('an outage is told by its attempts, its waits and what was said meanwhile', async t => {
  const failure = { name: 'Error', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' }
  const items = tell([
    { atS: 0, type: 'start', conn: null, data: {} },
    wire(1, 'connecting', dial),
    wire(2, 'accepted', { ms: 400 }),
    wire(29, 'pingSent'),
    wire(30, 'closed', lost),
    { atS: 30, type: 'session', data: { startedAt: at(2), endedAt: at(30), lastedMs: 28_000, closed: lost } },
    { atS: 30, type: 'episode', level: 40, data: open },
    wire(30, 'retryScheduled', { delayMs: 900, failures: 0, policy: 'network' }),
    wire(31, 'connecting', dial),
    wire(32, 'closed', { by: 'network', how: 'error', stage: 'dns', reason: null, error: failure, lastedMs: null }),
    { atS: 32, type: 'log', level: 40, conn: null, data: { msg: 'no address' } },
    { atS: 32, type: 'log', level: 30, conn: null, data: { msg: 'nothing to worry about' } },
    wire(33, 'connecting', dial),
    wire(33, 'resolved', { addresses: ['192.0.2.1'], ms: 12 }),
    wire(33, 'tcpConnected', { address: '192.0.2.1', ms: 30 }),
    wire(33, 'tlsSecured', { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', ms: 50 }),
    wire(34, 'refused', { step: 'connack', code: 5, reason: 'not authorized' }),
    wire(35, 'connecting', dial),
    wire(35, 'accepted', { ms: 200 }),
    { atS: 35, type: 'episode', level: 40, data: episodeOf('e1', 30) },
    { atS: 40, type: 'log', level: 40, conn: 'hubrec', data: { msg: 'of no outage' } },
    { atS: 50, type: 'mark', conn: null, data: { id: 'mark-1', note: 'here' } },
  ])
  t.strictSame(items, [
    { kind: 'start', at: at(0) },
    attempt({
      startedAt: at(1),
      endedAt: at(2),
      outcome: 'accepted',
      steps: [{ step: 'accepted', ms: 400, result: null }],
    }),
    { kind: 'session', conn: 'hubrec', startedAt: at(2), endedAt: at(30), lastedMs: 28_000, how: 'network rst' },
    { kind: 'wait', episode: 'e1', conn: 'hubrec', at: at(30), delayMs: 900, policy: 'network' },
    attempt({
      episode: 'e1',
      startedAt: at(31),
      endedAt: at(32),
      outcome: 'closed',
      stage: 'dns',
      how: 'network error',
      error: failure,
    }),
    { kind: 'event', episode: 'e1', conn: null, at: at(32), level: 40, type: 'log', text: 'no address' },
    attempt({
      episode: 'e1',
      startedAt: at(33),
      endedAt: at(34),
      outcome: 'refused',
      steps: [
        { step: 'dns', ms: 12, result: '192.0.2.1' },
        { step: 'tcp', ms: 30, result: '192.0.2.1' },
        { step: 'tls', ms: 50, result: 'TLSv1.3 TLS_AES_256_GCM_SHA384' },
      ],
      stage: 'auth',
      how: 'connack 5',
      reason: 'not authorized',
    }),
    attempt({
      episode: 'e1',
      startedAt: at(35),
      endedAt: at(35),
      outcome: 'accepted',
      steps: [{ step: 'accepted', ms: 200, result: null }],
    }),
    { kind: 'mark', at: at(50), id: 'mark-1', note: 'here' },
    { kind: 'session', conn: 'hubrec', startedAt: at(35), endedAt: null, lastedMs: 65_000, how: null },
  ])
})

t.test('of a long outage the first and the last is told, and how much is not', async t => {
  const dialled = (n: number): Line[] => [
    wire(31 + n, 'connecting', dial),
    wire(31 + n, 'closed', { by: 'network', how: 'timeout', stage: 'tcp', lastedMs: null }),
  ]
  const items = tell([
    { atS: 30, type: 'episode', data: open },
    ...Array.from({ length: 500 }, (_, n) => dialled(n)).flat(),
    { atS: 600, type: 'episode', data: episodeOf('e1', 30) },
  ])
  const starts = items.map(item =>
    'startedAt' in item ? (Date.parse(item.startedAt) - storyStartMs) / 1e3 - 31 : item,
  )
  t.strictSame(starts, [
    ...Array.from({ length: 60 }, (_, n) => n),
    { kind: 'leftOut', episode: 'e1', conn: 'hubrec', at: at(530), count: 420 },
    ...Array.from({ length: 20 }, (_, n) => 480 + n),
  ])
})

t.test('an attempt whose outage was begun before the records finds it by its time', async t => {
  const asked: unknown[] = []
  const items = tell(
    [wire(5, 'connecting', dial), wire(6, 'closed', { by: 'hub', how: 'fin', stage: 'tls', lastedMs: null })],
    (conn, atMs) => {
      asked.push([conn, (atMs - storyStartMs) / 1e3])
      return 'older'
    },
  )
  t.match(items, [{ kind: 'attempt', episode: 'older', how: 'hub fin' }])
  t.strictSame(asked[0], ['hubrec', 5])
})

t.test('a run that ends by a crash leaves its attempt unfinished, and no session goes on', async t => {
  const items = tell([
    wire(1, 'connecting', dial, 'app'),
    wire(2, 'accepted', { ms: 1 }, 'app'),
    wire(3, 'connecting', dial),
    { atS: 10, type: 'start', conn: null, data: {} },
  ])
  t.match(items, [
    { kind: 'attempt', conn: 'app', outcome: 'accepted' },
    { kind: 'attempt', conn: 'hubrec', outcome: 'unfinished', endedAt: null },
    { kind: 'start' },
  ])
  t.equal(items.length, 3)
})

t.test('what other versions wrote, or a stranger, is told as far as it can be', async t => {
  const shapes: TimelineItem[] = tell([
    wire(1, 'closed', { lastedMs: null, error: 7, by: null, stage: 12 }),
    wire(1, 'refused', {}),
    wire(1, 'something-new', {}),
    { atS: 2, type: 'session', data: {} },
    { atS: 3, type: 'gap', conn: null, data: { count: 'many' } },
    { atS: 4, type: 'episode', data: { id: 4 } },
    { atS: 5, type: 'mark', conn: null, data: {} },
    { atS: 6, type: 'sample', conn: null, data: { probes: 'none' } },
  ])
  t.match(shapes, [
    { kind: 'attempt', outcome: 'closed', stage: null, how: null, error: null },
    { kind: 'attempt', outcome: 'refused', how: null, stage: 'auth' },
    { kind: 'session', startedAt: at(2), endedAt: at(2), lastedMs: 0, how: null },
    { kind: 'gap', reason: 'unknown', count: 0, fromSeq: null, toSeq: null },
    { kind: 'mark', id: '', note: '' },
  ])
})
