import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { type Memory, noMemory } from '../../agent/evidence/read.js'
import type { LogRecord, RecordType } from '../../agent/evidence/record.js'
import { type Present, remember } from '../../agent/evidence/remember.js'

const wallMs = Date.parse('2026-11-22T10:00:00.000Z')
const present: Present = {
  conn: 'hubrec',
  protocol: 'mqtt',
  credential: 'new-key',
  now: { wallMs, monoMs: 900_000, bootMs: 905_000 },
  bootId: 'this-boot',
}

const record = (type: RecordType, agoMs: number, data: object = {}, bootId = 'this-boot'): LogRecord => ({
  seq: 1,
  at: new Date(wallMs - agoMs).toISOString(),
  bootId,
  monoMs: 900_000 - agoMs,
  level: 30,
  type,
  conn: 'hubrec',
  inc: 1,
  data: { ...data },
})

const memory = (found: Partial<Memory>): Memory => ({ ...noMemory, ...found })

t.test('an empty ring is the very first start', async t => {
  t.strictSame(remember(memory({}), present), {
    conn: 'hubrec',
    protocol: 'mqtt',
    credential: 'new-key',
    credentialWorked: false,
    history: [],
    baseline: null,
    before: { ending: { kind: 'start' }, at: { wallMs, bootMs: 905_000 }, session: null, open: null },
  })
})

t.test('a run without a goodbye was a crash, timed by the clock that counts suspended time', async t => {
  const found = memory({
    lastRecord: record('sample', 10_000),
    openSessions: [record('wire', 50_000, { type: 'accepted' })],
  })
  t.strictSame(remember(found, present).before, {
    ending: { kind: 'crash', rebooted: false },
    at: { wallMs: wallMs - 10_000, bootMs: 895_000 },
    session: { lastedMs: 40_000 },
    open: null,
  })
})

t.test('over a reboot only the wall clock is left', async t => {
  const found = memory({
    lastRecord: record('sample', 10_000, {}, 'last-boot'),
  })
  t.strictSame(remember(found, present).before, {
    ending: { kind: 'crash', rebooted: true },
    at: { wallMs: wallMs - 10_000, bootMs: null },
    session: null,
    open: null,
  })
})

t.test('a goodbye is told with its reason, and an open episode goes on', async t => {
  const open = { id: 'e1', conn: 'hubrec', state: 'open' } as Episode
  const found = memory({
    lastStop: record('stop', 5_000, { why: 'SIGTERM' }),
    lastRecord: record('stop', 5_000),
    openEpisodes: [{ ...open, conn: 'telemetry', id: 'other' }, open],
  })
  t.strictSame(remember(found, present).before, {
    ending: { kind: 'goodbye', why: 'SIGTERM' },
    at: { wallMs: wallMs - 5_000, bootMs: 900_000 },
    session: null,
    open,
  })
})

t.test('sessions are remembered, and whether this very credential was accepted', async t => {
  const closed = { type: 'closed', how: 'fin' }
  const [startedAt, endedAt] = ['2026-11-22T09:00:00.000Z', '2026-11-22T09:00:00.007Z']
  const session = (credential: string, conn = 'hubrec'): LogRecord => ({
    ...record('session', 1_000, { startedAt, endedAt, lastedMs: 7, subscribed: true, credential, closed }),
    conn,
  })
  const found = memory({
    lastRecord: session('old-key'),
    sessions: [session('old-key'), session('new-key', 'telemetry')],
  })
  const { history, credentialWorked } = remember(found, present)
  const startedMs = Date.parse(startedAt)
  t.strictSame(history, [{ startedMs, endedMs: startedMs + 7, lastedMs: 7, subscribed: true, closed }])
  t.equal(credentialWorked, false, 'another key, and another connection, say nothing of this one')
  t.equal(remember(found, { ...present, credential: 'old-key' }).credentialWorked, true)
})

t.test('a run so long that the ring has dropped its start is no first start', async t => {
  const found = memory({ lastRecord: record('sample', 10_000) })
  t.match(remember(found, present).before, { ending: { kind: 'crash', rebooted: false } })
})

t.test('a context says again whether this credential was accepted', async t => {
  const lastFacts = record('context', 20_000, { credential: 'new-key', credentialWorked: true })
  const found = memory({ lastFacts, lastRecord: record('sample', 10_000) })
  t.equal(remember(found, present).credentialWorked, true)
  t.equal(remember(found, { ...present, credential: 'other' }).credentialWorked, false)
})

t.test('the newest session that lasted says what was well', async t => {
  const baseline = {
    endedMs: 7,
    hubAddresses: ['20.0.0.1'],
    issuer: null,
    rttMs: 41,
    ownAddresses: [],
    resolvers: null,
    defaultRoute: null,
    bssid: null,
    synchronised: null,
    versions: 'hubrec 1',
  }
  const session = (data: object): LogRecord => record('session', 1_000, { lastedMs: 90_000, closed: {}, ...data })
  const sessions = [session({ baseline: { ...baseline, rttMs: 9 } }), session({ baseline }), session({ lastedMs: 3 })]
  t.strictSame(remember(memory({ lastRecord: session({}), sessions }), present).baseline, baseline)
})
