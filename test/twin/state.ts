/** What is reported: in maps that a query can look into, stable while nothing happens, and within the limits of a twin. */
import t from 'tap'
import { type Condition, conditionCodes } from '../../agent/conditions.js'
import type { Episode } from '../../agent/evidence/episode.js'
import type { RingState } from '../../agent/ring/ring.js'
import { reportedState } from '../../agent/twin/state.js'
import { accepted, counted, emptyTally, type Tally } from '../../agent/twin/tally.js'

const ring: RingState = {
  bytes: 970,
  budgetBytes: 1_000,
  segments: 3,
  firstSeq: 1,
  lastSeq: 9,
  mode: 'disk',
  lostUnsaid: 0,
  writtenDayBytes: 5,
  writesAreGrouped: false,
}
const versions = {
  hubrec: '0.1.0',
  sdk: { device: '1.18.4', mqtt: '1.16.4', amqp: '1.14.4', mqttClient: '4.3.8' },
  node: '20.20.0',
  os: 'Linux 6.6.31 arm64',
}
const facts = {
  versions,
  protocol: 'mqtt',
  tally: emptyTally('2026-11-27T09:00:00.000Z'),
  conditions: [],
  ring,
  outbox: { waiting: 0, bytes: 0 },
  task: null,
}

const episode = (id: string, cause: string, hour: number, change: Partial<Episode> = {}): Episode => ({
  id,
  conn: 'hubrec',
  state: 'closed',
  provisional: false,
  planned: false,
  protocol: 'mqtt',
  startedAt: `2026-11-27T${String(hour).padStart(2, '0')}:00:00.000Z`,
  endedAt: `2026-11-27T${String(hour).padStart(2, '0')}:00:08.400Z`,
  durationMs: 8_400,
  session: null,
  detectedAfterMs: null,
  attempts: 1,
  waitedMs: 0,
  sdkSaid: null,
  verdict: {
    cause,
    confidence: 'certain',
    title: '',
    hubCodes: [],
    evidence: [],
    nextSteps: [],
    docs: [],
    runnersUp: [],
  },
  ...change,
})

const after = (tally: Tally, ...episodes: readonly Episode[]): Tally => episodes.reduce(counted, tally)

t.test('a device that has nothing to tell', async t => {
  t.strictSame(reportedState(facts), {
    versions: { hubrec: '0.1.0', sdk: '1.18.4', node: '20.20.0', os: 'Linux 6.6.31 arm64' },
    session: { protocol: 'mqtt' },
    counts: { since: '2026-11-27T09:00:00.000Z', outages: 0, awaySeconds: 0 },
    lastVerdicts: {},
    conditions: {},
    ring: { mode: 'disk', filledPercent: 90, lostRecords: 0 },
    outbox: { waiting: 0, bytes: 0 },
  })
})

t.test('outages are counted by cause; what is planned or goes on is not', async t => {
  const began = accepted(facts.tally, '2026-11-27T09:00:01.000Z')
  t.strictSame(accepted(began, '2026-11-27T11:00:00.000Z'), began, 'a renewal is no new session')
  const tally = after(
    began,
    episode('a', 'dns-failure', 10),
    episode('b', 'sas-renewal-expected', 11, { planned: true }),
    episode('c', 'peer-reset', 12),
    episode('d', 'dns-failure', 13),
    episode('e', 'peer-reset', 14, { state: 'open', endedAt: null, durationMs: null }),
  )
  t.match(reportedState({ ...facts, tally }), {
    session: { protocol: 'mqtt', since: '2026-11-27T13:00:08.400Z' },
    counts: { outages: 3, awaySeconds: 25 },
    lastOutage: {
      id: 'd',
      cause: 'dns-failure',
      confidence: 'certain',
      startedAt: '2026-11-27T13:00:00.000Z',
      endedAt: '2026-11-27T13:00:08.400Z',
      durationSeconds: 8,
    },
    lastVerdicts: {
      'dns-failure': { confidence: 'certain', at: '2026-11-27T13:00:08.400Z', count: 2 },
      'peer-reset': { confidence: 'certain', at: '2026-11-27T12:00:08.400Z', count: 1 },
    },
  })
})

t.test('only the newest causes are told', async t => {
  const { lastVerdicts, outages } = after(
    facts.tally,
    ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((cause, hour) => episode(cause, cause, hour)),
  )
  t.strictSame([Object.keys(lastVerdicts), outages], [['g', 'f', 'e', 'd', 'c'], 7])
})

t.test('at its worst it is well within 32 KiB, and no string over 4 KiB', async t => {
  const long = '\u{1f525}'.repeat(10_000)
  const conditions: Condition[] = conditionCodes.map(code => ({
    code,
    since: '2026-11-27T09:00:00.000Z',
    severity: 'error',
    text: long,
    dependsOn: [],
  }))
  const tally = after(facts.tally, ...'abcdefg'.split('').map((cause, hour) => episode(cause, cause.repeat(64), hour)))
  const task = {
    correlationId: '0'.repeat(36),
    status: 'Failed',
    message: long,
    bytesDone: 1,
    bytesTotal: 2,
    blobName: long,
  } as const
  const state = reportedState({ ...facts, versions: { ...versions, os: long }, tally, conditions, task })
  const bytes = Buffer.byteLength(JSON.stringify(state))
  t.ok(bytes < 24_000, `${bytes} bytes`)
  const strings = JSON.stringify(state).match(/"[^"]*"/g) ?? []
  t.ok(strings.every(text => Buffer.byteLength(text) <= 4_096))
})
