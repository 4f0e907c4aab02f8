/** Applications come, tell, go and come again; each has one connection, and its end is told for it where it could not. */
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { type Memory, noMemory } from '../../agent/evidence/read.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { createIntake, type Intake } from '../../agent/ingest/intake.js'
import type { Hello } from '../../agent/ingest/messages.js'
import { createPipeline, type Pipeline } from '../../agent/pipeline.js'
import { createRedactor } from '../../agent/redact.js'
import type { RingWriter } from '../../agent/ring/ring.js'
import type { Instant } from '../../transports/clock.js'
import { createSecrets } from '../../transports/secrets.js'
import type { WireEvent } from '../../transports/wire-event.js'
import { breaches } from '../support/pairing.js'
import { accepted, closed, connecting, pingSent } from '../support/wire-story.js'

type Bench = Readonly<{
  intake: Intake
  records: Pipeline
  written: LogRecord[]
  notes: string[]
  /** The clock, in ms since this boot. */
  at(monoMs: number): void
  /** Which processes are there, by pid. */
  gone: Set<number>
  wire(conn: string): WireEvent[]
  episodes(conn: string): Episode[]
}>

const wallMs = Date.UTC(2026, 10, 22, 10)

function bench(memory: Memory = noMemory, state: 'gone' | 'unknown' = 'gone'): Bench {
  let monoMs = 1_000
  const written: LogRecord[] = []
  const notes: string[] = []
  const gone = new Set<number>()
  const now = (): Instant => ({ wallMs: wallMs + monoMs, monoMs, bootMs: monoMs })
  const clock = { now, bootId: 'boot-1' }
  const ring = {
    append: async (json: string) => written.push({ seq: written.length + 1, ...JSON.parse(json) }),
  } as unknown as RingWriter
  const records = createPipeline({ ring, redactor: createRedactor(createSecrets()), clock, synchronised: () => true })
  const intake = createIntake({
    records,
    clock,
    memory,
    note: message => void notes.push(message),
    isThere: ({ pid }) => (gone.has(pid) ? state : 'alive'),
  })
  return {
    intake,
    records,
    written,
    notes,
    at: ms => {
      monoMs = ms
    },
    gone,
    wire: conn =>
      written.flatMap(({ type, conn: of, data }) =>
        type === 'wire' && of === conn ? [data as unknown as WireEvent] : [],
      ),
    episodes: conn =>
      written.flatMap(({ type, conn: of, data }) =>
        type === 'episode' && of === conn ? [data as unknown as Episode] : [],
      ),
  }
}

const hello = (pid: number, name = 'telemetry', monoMs = 1_000): Hello => ({
  type: 'hello',
  version: 1,
  name,
  pid,
  pidNamespace: 'pid:[1]',
  startTicks: pid,
  versions: { hubrec: '0.1.0', node: '20.15.0' },
  clock: { wallMs, monoMs, bootId: 'boot-1' },
})

const enter = (on: Bench, ...given: Parameters<typeof hello>) => {
  const application = on.intake.welcome(hello(...given))
  if (typeof application === 'string') throw new Error(application)
  let n = 0
  return {
    ...application,
    tell: (event: WireEvent, lane = 1, inc = 1) => {
      n += 1
      return application.take({ type: 'event', n, lane, inc, event })
    },
  }
}

const verdicts = (episodes: readonly Episode[]) =>
  episodes.map(({ state, planned, verdict }) => `${state} ${verdict.cause}${planned ? ' (planned)' : ''}`)

t.test('an application that loses its connection has an episode of its own, dated by its own events', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.tell(accepted(1, 1_100))
  // Told late: the daemon was away meanwhile.
  on.at(100_000)
  app.tell(closed(1, 61_100, 60_000))
  app.tell(connecting(2, 62_000))
  app.tell(accepted(2, 63_100))
  t.match(on.episodes('telemetry').at(-1), {
    state: 'closed',
    startedAt: new Date(wallMs + 61_100).toISOString(),
    durationMs: 2_000,
    attempts: 1,
    session: { lastedMs: 60_000 },
  })
  t.match(on.records.state('telemetry'), { state: 'online', since: new Date(wallMs + 63_100).toISOString() })
  t.strictSame(breaches(on.wire('telemetry'), false), [])
})

t.test('an application that dies under its session is a crash, and its next start ends that', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.tell(accepted(1, 1_100))
  on.at(31_100)
  app.disconnected()
  on.intake.lookAfter()
  t.strictSame(on.episodes('telemetry'), [], 'its process is still there: it may come back')
  on.gone.add(1)
  on.at(32_000)
  on.intake.lookAfter()
  t.strictSame(verdicts(on.episodes('telemetry')), ['open app-crash'])
  t.match(on.wire('telemetry').at(-1), { type: 'closed', by: 'application', how: 'error', lastedMs: 30_000 })
  t.match(on.written.find(({ type }) => type === 'session')?.data, { lastedMs: 30_000 })

  const next = enter(on, 2, 'telemetry', 32_000)
  next.tell(connecting(1, 31_500))
  next.tell(accepted(1, 31_600))
  t.strictSame(verdicts(on.episodes('telemetry')), ['open app-crash', 'closed app-crash'])
  t.equal(new Set(on.episodes('telemetry').map(({ id }) => id)).size, 1, 'a restart makes one episode')
  t.strictSame(
    on.written.filter(({ type }) => type === 'wire').map(({ inc }) => inc),
    [1, 1, 1, 2, 2],
    'an incarnation is never used again',
  )
})

t.test('an application that says goodbye has ended as planned', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.tell(accepted(1, 1_000))
  app.bye({ type: 'bye', exitCode: 0, crashed: null })
  t.strictSame(verdicts(on.episodes('telemetry')), ['open graceful-close (planned)'])
})

t.test('one that an exception has ended is a crash whatever it said before', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.bye({ type: 'bye', exitCode: 1, crashed: 'TypeError' })
  t.strictSame(verdicts(on.episodes('telemetry')), ['open app-crash'])
  t.match(on.wire('telemetry').at(-1), { type: 'closed', lastedMs: null, stage: 'auth' })
})

t.test('one that comes back with another socket goes on, and nothing is taken twice', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.tell(accepted(1, 1_000))
  app.disconnected()
  const back = on.intake.welcome(hello(1))
  if (typeof back === 'string') throw new Error(back)
  back.resume({ type: 'open', lane: 1, inc: 1, events: [connecting(1, 1_000)] })
  t.equal(back.take({ type: 'event', n: 2, lane: 1, inc: 1, event: accepted(1, 1_000) }), 2)
  t.equal(back.take({ type: 'event', n: 3, lane: 1, inc: 1, event: pingSent(1, 1_000) }), 3)
  t.strictSame(
    on.wire('telemetry').map(({ type }) => type),
    ['connecting', 'accepted', 'pingSent'],
  )
})

t.test('a daemon that begins anew goes on with a session that is in the ring, without writing it again', async t => {
  const before = bench()
  const told = enter(before, 1)
  told.tell(connecting(1, 1_000))
  told.tell(accepted(1, 1_000))
  const openSessions = before.written.filter(({ data }) => data.type === 'accepted')
  const on = bench({ ...noMemory, lastRecord: openSessions[0] ?? null, openSessions, nextInc: 5 })
  const app = enter(on, 1)
  app.resume({ type: 'open', lane: 1, inc: 1, events: [connecting(1, 1_000), accepted(1, 1_000)] })
  t.match(on.records.state('telemetry'), { state: 'online', since: new Date(wallMs + 1_000).toISOString() })
  t.strictSame(on.written, [], 'neither written again nor taken for an outage')
  app.tell(pingSent(1, 1_000))
  t.equal(on.written[0]?.inc, 5)
})

t.test('the beginning of a segment says what applications have open, so that a ring may drop the rest', async t => {
  const on = bench()
  const now = { wallMs, monoMs: 1_000, bootMs: 1_000 }
  const before = { ending: { kind: 'start' }, at: now, session: null, open: null } as const
  on.records.follow({ conn: 'hubrec', protocol: 'mqtt', credential: 'k', credentialWorked: false, history: [], before })
  t.strictSame(on.records.context('hubrec'), { session: null, episode: null, incarnation: 0, credentialWorked: false })
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  app.tell(accepted(1, 1_000))
  t.match(on.records.context('hubrec'), {
    session: null,
    incarnation: 1,
    applications: [{ session: { conn: 'telemetry', attempt: 1, monoMs: 1_000, bootId: 'boot-1' }, episode: null }],
  })
  app.bye({ type: 'bye', exitCode: 0, crashed: null })
  t.match(on.records.context('hubrec'), {
    applications: [{ session: null, episode: { conn: 'telemetry', state: 'open' } }],
  })
})

t.test('two live processes of one name are two connections; a lane of one is another', async t => {
  const on = bench()
  enter(on, 1).tell(connecting(1, 1_000))
  const second = enter(on, 2)
  second.tell(connecting(1, 1_000))
  second.tell(connecting(1, 1_000), 2, 2)
  t.strictSame(
    on.intake.connections().map(({ conn }) => conn),
    ['telemetry', 'telemetry.2', 'telemetry.2.2'],
  )
})

t.test('one of a namespace of its own is missed after a minute, or when its successor comes', async t => {
  const on = bench(noMemory, 'unknown')
  const app = enter(on, 1)
  app.tell(connecting(1, 1_000))
  on.gone.add(1)
  app.disconnected()
  on.at(60_000)
  on.intake.lookAfter()
  t.equal(on.intake.connections().length, 1)
  enter(on, 2, 'telemetry', 60_000)
  t.strictSame(verdicts(on.episodes('telemetry')), ['open app-crash'])
})

t.test('losses are told in their place, as a gap of the library', async t => {
  const on = bench()
  const app = on.intake.welcome(hello(1))
  if (typeof app === 'string') throw new Error(app)
  app.take({ type: 'lost', n: 1, count: 12 })
  t.match(on.written, [
    { type: 'gap', conn: 'telemetry', data: { reason: 'library', count: 12, fromSeq: null, toSeq: null } },
  ])
})

t.test('what cannot be is not taken, and said once', async t => {
  const on = bench()
  const app = enter(on, 1)
  app.tell(accepted(1, 1_000))
  app.tell(closed(1, 1_000, 1))
  app.tell(connecting(1, 500_000))
  t.strictSame(on.written, [])
  t.strictSame(on.notes, ['an application tells what cannot be'])
})

t.test('a name that is the daemon’s, another version, and too many are shown the door', async t => {
  const { intake } = bench()
  t.type(intake.welcome(hello(1, 'hubrec')), 'string')
  t.type(intake.welcome(hello(1, 'hubrec.2')), 'string')
  t.type(intake.welcome({ ...hello(1), version: 2 }), 'string')
  for (let pid = 1; pid <= 64; pid += 1) t.type(intake.welcome(hello(pid, `app-${pid}`)), 'object')
  t.type(intake.welcome(hello(65, 'app-65')), 'string')
})
