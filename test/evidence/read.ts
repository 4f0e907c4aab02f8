import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { readEpisodes, readMemory, readRecords } from '../../agent/evidence/read.js'
import type { Draft, InferredGap, LogRecord } from '../../agent/evidence/record.js'
import { openRing } from '../../agent/ring/open.js'
import { segmentName } from '../../agent/ring/segment.js'
import { collect, contextJson, stamp } from '../support/ring-records.js'

const startMs = Date.parse('2026-11-22T10:00:00.000Z')
const at = (seconds: number): string => new Date(startMs + seconds * 1_000).toISOString()

/** A record so many seconds into the story. */
const draft = (seconds: number, different: Partial<Draft> = {}): Draft => ({
  at: at(seconds),
  bootId: 'boot-1',
  monoMs: seconds * 1_000,
  level: 30,
  type: 'log',
  conn: null,
  inc: null,
  data: {},
  ...different,
})

const gap = (seconds: number, fromSeq: number, toSeq = fromSeq): InferredGap => ({
  ...draft(seconds, { level: 40 }),
  type: 'gap',
  data: { reason: 'damage', count: toSeq - fromSeq + 1, fromSeq, toSeq },
})

async function write(dir: string, drafts: readonly object[]): Promise<void> {
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  await Promise.all(drafts.map(draft => ring.append(JSON.stringify(draft), 'kernel')))
  await ring.close()
}

/** The record that opens the segment, before all that is written. */
const opening: LogRecord = { seq: 1, ...JSON.parse(contextJson()) }

/** Changes a bit in the lines with these numbers. */
function spoil(dir: string, ...seqs: number[]): void {
  const path = join(dir, segmentName(1))
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(
    path,
    lines.map((line, index) => (seqs.includes(index + 1) ? line.replace('"seq"', '"sew"') : line)).join('\n'),
  )
}

const numbered = (drafts: readonly Draft[]): LogRecord[] => drafts.map((draft, index) => ({ seq: index + 2, ...draft }))

t.test('records come as they were written, with their numbers', async t => {
  const dir = t.testdir()
  const drafts = [draft(0, { type: 'start' }), draft(1, { conn: 'hubrec', inc: 1, data: { text: 'grüß Gott' } })]
  await write(dir, drafts)
  t.strictSame(await collect(readRecords(dir)), [opening, ...numbered(drafts)])
})

t.test('a window, types and a connection narrow them', async t => {
  const dir = t.testdir()
  const drafts = [
    draft(0),
    draft(10, { type: 'wire', conn: 'hubrec' }),
    draft(20, { type: 'wire', conn: 'application' }),
    draft(30, { type: 'gap', data: { reason: 'queue', count: 1, fromSeq: null, toSeq: null } }),
    draft(40, { type: 'sample' }),
  ]
  await write(dir, drafts)
  const seqs = async (filter: Parameters<typeof readRecords>[1]) =>
    (await collect(readRecords(dir, filter))).map(record => 'seq' in record && record.seq)
  t.strictSame(await seqs({ since: startMs + 10_000, until: startMs + 30_000 }), [3, 4, 5], 'both ends are in it')
  t.strictSame(await seqs({ types: ['wire', 'sample'] }), [3, 4, 6])
  t.strictSame(await seqs({ conn: 'hubrec' }), [3, 5], 'what is missing may have been of this one')
  t.strictSame(await seqs({ fromSeq: 5 }), [5, 6])
})

t.test('a gap that a reader infers has no number and the time of the record before it', async t => {
  const dir = t.testdir()
  await write(dir, [draft(0), draft(10), draft(20), draft(30), draft(40)])
  spoil(dir, 1, 2, 4, 5)
  t.strictSame(await collect(readRecords(dir)), [
    gap(10, 1, 2),
    { seq: 3, ...draft(10) },
    gap(10, 4, 5),
    { seq: 6, ...draft(40) },
  ])
  const asked = { types: ['gap'], since: startMs + 5_000 } as const
  t.strictSame(await collect(readRecords(dir, asked)), [gap(10, 1, 2), gap(10, 4, 5)])
})

t.test('a ring that holds nothing but damage says so, without a time', async t => {
  const dir = t.testdir()
  await write(dir, [draft(0)])
  spoil(dir, 1, 2)
  t.strictSame(await collect(readRecords(dir)), [
    { ...gap(0, 1, 2), at: '1970-01-01T00:00:00.000Z', bootId: '', monoMs: 0 },
  ])
})

t.test('a sound line that is no record is counted, not thrown', async t => {
  const dir = t.testdir()
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
  const sound = draft(0)
  const { data, ...withoutData } = sound
  const strange = [
    { ...withoutData },
    { ...sound, data: [] },
    { ...sound, type: 'poem' },
    { ...sound, at: 'yesterday' },
    { ...sound, level: '30' },
    { ...sound, conn: 1 },
    { ...sound, inc: 1.5 },
  ].map(value => JSON.stringify(value))
  for (const json of [JSON.stringify(sound), ...strange, '{not json}']) await ring.append(json, 'kernel')
  await ring.close()
  t.strictSame(await collect(readRecords(dir)), [
    opening,
    { seq: 2, ...sound },
    ...[...strange, '{not json}'].map((_, index) => gap(0, index + 3)),
  ])
  t.strictSame(data, {})
})

t.test('who follows gets what passes the filter, first what is there and then what comes', async t => {
  const dir = t.testdir()
  await write(dir, [draft(0), draft(1, { type: 'wire' })])
  const stop = new AbortController()
  const seqs: number[] = []
  for await (const record of readRecords(dir, { types: ['wire'], follow: true, signal: stop.signal })) {
    if ('seq' in record) seqs.push(record.seq)
    if (seqs.length === 1) await write(dir, [draft(2), draft(3, { type: 'wire' })])
    if (seqs.length === 2) stop.abort()
  }
  t.strictSame(seqs, [3, 5])
})

const episode = (id: string, startedAt: string, endedAt: string | null, conn = 'hubrec'): Episode => ({
  id,
  conn,
  state: endedAt === null ? 'open' : 'closed',
  provisional: endedAt === null,
  planned: false,
  protocol: 'mqtt',
  startedAt,
  endedAt,
  durationMs: endedAt === null ? null : Date.parse(endedAt) - Date.parse(startedAt),
  session: null,
  detectedAfterMs: null,
  attempts: 1,
  waitedMs: 0,
  sdkSaid: null,
  verdict: {
    cause: 'dns-failure',
    confidence: 'certain',
    title: '',
    hubCodes: [],
    evidence: [],
    nextSteps: [],
    docs: [],
    runnersUp: [],
  },
})

const told = (seconds: number, episode: Episode): Draft =>
  draft(seconds, { type: 'episode', conn: episode.conn, inc: 1, data: { ...episode } })

t.test('of each episode the newest version counts, ordered by when they started', async t => {
  const dir = t.testdir()
  const b = episode('b', at(100), at(160))
  await write(dir, [
    told(101, episode('b', at(100), null)),
    told(102, episode('a', at(50), at(60), 'application')),
    told(160, b),
    told(161, episode('c', at(150), null, 'application')),
    draft(162, { type: 'episode', data: { id: 'no episode' } }),
  ])
  const ids = async (since?: number, until?: number) =>
    (
      await readEpisodes(dir, {
        ...(since === undefined ? {} : { since: startMs + since * 1_000 }),
        ...(until === undefined ? {} : { until: startMs + until * 1_000 }),
      })
    ).map(({ id }) => id)
  t.strictSame(await ids(), ['a', 'b', 'c'])
  t.strictSame((await readEpisodes(dir))[1], b)
  t.strictSame(await ids(61), ['b', 'c'], 'a window takes what overlaps it')
  t.strictSame(await ids(160), ['b', 'c'])
  t.strictSame(await ids(161), ['c'], 'an open one has no end')
  t.strictSame(await ids(undefined, 99), ['a'])
  t.strictSame(await ids(70, 80), [])
})

t.test('an empty ring remembers nothing', async t => {
  t.strictSame(await readMemory(t.testdir()), {
    lastRecord: null,
    startedAt: null,
    lastFacts: null,
    lastStop: null,
    openEpisodes: [],
    openSessions: [],
    sessions: [],
    nextInc: 1,
  })
})

const wire = (seconds: number, type: string, attempt: number, conn = 'hubrec'): Draft =>
  draft(seconds, { type: 'wire', conn, inc: attempt, data: { type, attempt } })

t.test('a run that ended without a goodbye leaves its session and its episode open', async t => {
  const dir = t.testdir()
  const open = episode('e2', at(7), null)
  const drafts = [
    draft(0, { type: 'start' }),
    wire(1, 'accepted', 1),
    told(1, episode('e1', at(0), at(1))),
    wire(2, 'accepted', 5, 'application'),
    wire(3, 'closed', 1),
    wire(4, 'accepted', 2),
    wire(5, 'closed', 1),
    told(7, open),
    draft(8, { type: 'sample' }),
  ]
  await write(dir, drafts)
  const records = numbered(drafts)
  t.strictSame(await readMemory(dir), {
    lastRecord: records[8],
    startedAt: at(0),
    lastFacts: records[0],
    lastStop: null,
    openEpisodes: [open],
    openSessions: [records[3], records[5]],
    sessions: [],
    nextInc: 6,
  })
})

t.test('a run that said goodbye is told from the one that came after it', async t => {
  const dir = t.testdir()
  const goodbye = [
    draft(0, { type: 'start' }),
    wire(1, 'accepted', 1),
    draft(2, { type: 'stop', data: { why: 'SIGTERM' } }),
  ]
  await write(dir, goodbye)
  const { startedAt, lastStop } = await readMemory(dir)
  t.strictSame({ startedAt, lastStop }, { startedAt: at(0), lastStop: numbered(goodbye)[2] })

  await write(dir, [draft(10, { type: 'start' })])
  const after = await readMemory(dir)
  t.strictSame(
    { start: after.startedAt, stop: after.lastStop, openSessions: after.openSessions },
    { start: at(10), stop: null, openSessions: [] },
  )
})

t.test('what was written down later than it happened does not say when the run was last alive', async t => {
  const dir = t.testdir()
  await write(dir, [draft(0, { type: 'start' }), draft(200), draft(30, { level: 10 }), draft(40, { level: 10 })])
  t.strictSame((await readMemory(dir)).lastRecord?.at, at(200))
})

t.test('an episode that was closed in writing, or forgotten for a newer one, is not open', async t => {
  const dir = t.testdir()
  await write(dir, [
    told(1, episode('a', at(0), null)),
    told(2, episode('b', at(1), null)),
    told(3, episode('c', at(2), null, 'application')),
    told(4, episode('c', at(2), at(4), 'application')),
  ])
  const { openEpisodes } = await readMemory(dir)
  t.strictSame(
    openEpisodes.map(({ id }) => id),
    ['b'],
  )
})

t.test('of each connection the newest 16 sessions are remembered', async t => {
  const dir = t.testdir()
  const session = (seconds: number, conn: string) => draft(seconds, { type: 'session', conn, inc: 1 })
  const drafts = Array.from({ length: 40 }, (_, n) => session(n, n % 2 ? 'hubrec' : 'application'))
  await write(dir, [...drafts, session(50, 'third')])
  const { sessions } = await readMemory(dir)
  t.strictSame(
    sessions.map(({ seq, conn }) => `${seq} ${conn}`),
    [...Array.from({ length: 32 }, (_, n) => `${n + 10} ${n % 2 ? 'hubrec' : 'application'}`), '42 third'],
  )
})

t.test('a full ring of the usual size is remembered in less time than a start may take', async t => {
  const dir = t.testdir()
  const { ring } = await openRing({ dir, budgetBytes: 16 << 20, stamp })
  const json = JSON.stringify(
    draft(1, { type: 'wire', conn: 'hubrec', inc: 7, data: { type: 'bytes', x: 'x'.repeat(120) } }),
  )
  for (let n = 0; n < 60_000; n += 5_000)
    await Promise.all(Array.from({ length: 5_000 }, () => ring.append(json, 'kernel')))
  await ring.close()
  const before = process.cpuUsage()
  const { nextInc } = await readMemory(dir)
  // Of the processor, because the machine has other tests to run.
  const tookMs = process.cpuUsage(before).user / 1_000
  t.comment(
    `${ring.state.bytes} bytes, ${ring.state.lastSeq - ring.state.firstSeq + 1} records in ${Math.round(tookMs)} ms`,
  )
  t.equal(nextInc, 8)
  t.ok(tookMs < 10_000, `${tookMs} ms`)
})

t.test('a context says what applications had open, and a later word about it counts more', async t => {
  const dir = t.testdir()
  const session = (conn: string) => ({ conn, attempt: 3, at: at(1), bootId: 'boot-1', monoMs: 1_000 })
  const facts = {
    session: session('hubrec'),
    episode: null,
    applications: [
      { session: session('telemetry'), episode: null },
      { session: session('camera'), episode: null },
    ],
    incarnation: 7,
    startedAt: at(0),
    credentialWorked: true,
  }
  await write(dir, [
    draft(2, { type: 'context', data: facts }),
    draft(3, { type: 'wire', conn: 'camera', inc: 9, data: { type: 'closed', attempt: 3 } }),
  ])
  const memory = await readMemory(dir)
  t.strictSame(
    memory.openSessions.map(({ conn, at, monoMs, data }) => ({ conn, at, monoMs, data })),
    ['hubrec', 'telemetry'].map(conn => ({ conn, at: at(1), monoMs: 1_000, data: { attempt: 3, monoMs: 1_000 } })),
  )
  t.equal(memory.nextInc, 10)
})
