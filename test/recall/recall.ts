/** The flight recorder's memory with the real pipeline and a real file; only time and the ring are the test's. */
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { Before } from '../../agent/evidence/tracker.js'
import type { Log } from '../../agent/operator-log.js'
import { createPipeline, type Pipeline } from '../../agent/pipeline.js'
import type { Place } from '../../agent/recall/place.js'
import { createRecall, type Recall, type RecallOptions } from '../../agent/recall/recall.js'
import { createRedactor } from '../../agent/redact.js'
import type { RingWriter } from '../../agent/ring/ring.js'
import type { Clock } from '../../transports/clock.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import type { ClosedEvent, OurReason, WireEvent } from '../../transports/wire-event.js'

const startMs = Date.UTC(2026, 10, 22, 10)
const at = (seconds: number): string => new Date(startMs + seconds * 1e3).toISOString()

type Scene = Readonly<{
  recall: Recall
  pipeline: Pipeline
  secrets: Secrets
  place: Place
  ring: readonly LogRecord[]
  logged: readonly string[]
  /** Seconds since the story began. */
  now(): number
  /** Lets time pass: every second a sample is noted, and what is due happens. */
  pass(seconds: number): void
  tell(event: Partial<WireEvent> & Pick<WireEvent, 'type'>): void
  connect(): void
  lose(): void
  leave(reason: OurReason): void
  /** When the ring has that many records like this one. */
  written(count: number, wanted: (record: LogRecord) => boolean): Promise<void>
  /** Ends it as a stop does, and returns when all is written. */
  stop(): Promise<void>
}>

type SceneOptions = Partial<RecallOptions> & { fromSeconds?: number; before?: Before; onWrite?: () => Promise<void> }

const firstStart = (wallMs: number, bootMs: number): Before => ({
  ending: { kind: 'start' },
  at: { wallMs, bootMs },
  session: null,
  open: null,
})

function scene(dir: string, options: SceneOptions = {}): Scene {
  const place: Place = { dir, name: 'control', own: false }
  let seconds = options.fromSeconds ?? 0
  const clock: Clock = {
    bootId: 'boot-1',
    now: () => ({ wallMs: startMs + seconds * 1e3, monoMs: 1_000 + seconds * 1e3, bootMs: 1_000 + seconds * 1e3 }),
  }
  const secrets = createSecrets()
  const redactor = createRedactor(secrets)
  const ring: LogRecord[] = []
  const bell = new EventEmitter().setMaxListeners(0)
  const append: RingWriter['append'] = async json => {
    ring.push({ seq: ring.length + 1, ...JSON.parse(json) })
    bell.emit('news')
    return ring.length
  }
  const pipeline = createPipeline({
    ring: { append } as RingWriter,
    redactor,
    clock,
    synchronised: () => true,
    onEpisode: episode => recall.episode(episode),
  })
  const logged: string[] = []
  const keep = (message: string): number => logged.push(message)
  const log = { info: keep, warn: keep, error: keep } as unknown as Log
  const timers = new Set<{ dueMs: number; act: () => void }>()
  const recall = createRecall({
    place,
    clock,
    redactor,
    log,
    env: {},
    detectionLimitMs: 90_000,
    ringBudgetBytes: 16 << 20,
    write: drafts => pipeline.recall(drafts),
    say: data => pipeline.record('log', data),
    after: (delayMs, act) => {
      const timer = { dueMs: clock.now().monoMs + delayMs, act }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    ...options,
  })
  const before = options.before ?? firstStart(clock.now().wallMs, clock.now().bootMs)
  pipeline.follow({
    conn: 'hubrec',
    protocol: 'mqtt',
    credential: 'f00dface',
    credentialWorked: true,
    history: [],
    before,
  })
  let attempt = 0
  const tell: Scene['tell'] = event =>
    pipeline.wire('hubrec', { monoMs: clock.now().monoMs, protocol: 'mqtt', attempt, ...event } as WireEvent, 1)
  const closed = (change: Partial<ClosedEvent>): void =>
    tell({
      type: 'closed',
      by: 'network',
      how: 'rst',
      stage: 'session',
      reason: null,
      error: null,
      certificate: null,
      silentMs: 0,
      lastedMs: 60_000,
      pingUnansweredMs: null,
      inFlightPublishes: 0,
      afterPublish: false,
      bytesRead: 0,
      bytesWritten: 0,
      ...change,
    } as ClosedEvent)
  return {
    recall,
    pipeline,
    secrets,
    place,
    ring,
    logged,
    now: () => seconds,
    pass(count) {
      for (let passed = 0; passed < count; passed++) {
        seconds += 1
        recall.note('sample', { second: { n: seconds } })
        for (const timer of timers) {
          if (timer.dueMs > clock.now().monoMs) continue
          timers.delete(timer)
          timer.act()
        }
      }
    },
    tell,
    connect() {
      attempt += 1
      tell({ type: 'connecting', host: 'hub', port: 8883, gateway: false })
      tell({ type: 'accepted', sessionPresent: false, ms: 1 })
    },
    lose: () => closed({}),
    leave: reason => closed({ by: 'us', how: 'goodbye', reason }),
    async written(count, wanted) {
      while (ring.filter(wanted).length < count) await once(bell, 'news')
    },
    async stop() {
      await recall.run(AbortSignal.abort())
    },
  }
}

const isHead = ({ data }: LogRecord): boolean => data.stretch !== undefined
const isRecalled = ({ level }: LogRecord): boolean => level === 10
const secondsOf = (records: readonly LogRecord[]): number[] =>
  records.filter(isRecalled).map(({ data }) => (data.second as { n: number }).n)
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const idOf = ({ ring }: Scene): unknown => ring.findLast(({ type }) => type === 'episode')?.data.id

/** The ring from the first head on, without what the pipeline wrote besides. */
const writtenDown = ({ ring }: Scene): LogRecord[] => ring.filter(record => isHead(record) || isRecalled(record))

t.test(
  'what came before a loss is in the ring at once, as it was stamped, behind a record that explains it',
  async t => {
    const on = scene(t.testdir())
    await on.recall.begin({ crashed: false, pid: null })
    on.connect()
    on.pass(300)
    on.recall.note('wire', { type: 'packetSent', packet: 'pingreq' }, 'hubrec', 1)
    on.lose()
    await on.written(181 + 1, isRecalled)
    const [head, first, ...rest] = writtenDown(on)
    t.strictSame(head && { ...head, seq: 0 }, {
      seq: 0,
      at: at(300),
      bootId: 'boot-1',
      monoMs: 301_000,
      level: 30,
      type: 'log',
      conn: null,
      inc: null,
      data: {
        msg: '182 verbose records from before the loss are written down after this one',
        episode: idOf(on),
        stretch: 'before',
        count: 182,
        leftOut: 0,
        from: at(120),
        to: at(300),
        bootId: 'boot-1',
        fromMonoMs: 121_000,
        toMonoMs: 301_000,
      },
    })
    t.strictSame(first && { ...first, seq: 0 }, {
      seq: 0,
      at: at(120),
      bootId: 'boot-1',
      monoMs: 121_000,
      level: 10,
      type: 'sample',
      conn: null,
      inc: null,
      data: { second: { n: 120 } },
    })
    t.match(rest.at(-1), { type: 'wire', conn: 'hubrec', inc: 1, data: { packet: 'pingreq' } })

    on.pass(5)
    on.connect()
    on.pass(20)
    await on.written(2, isHead)
    await on.stop()
    const back = writtenDown(on).findLast(isHead)
    t.match(back?.data, { episode: idOf(on), stretch: 'back', count: 15, leftOut: 0, from: at(301), to: at(315) })
    const samples = writtenDown(on).filter(({ type }) => type === 'sample')
    t.strictSame(secondsOf(samples), range(120, 315), 'until 10 s into the next session, each once')
    await on.recall.forget()
  },
)

t.test('renewals and stops write nothing down', async t => {
  const on = scene(t.testdir())
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(100)
  on.leave('renewal')
  on.pass(1)
  on.connect()
  on.pass(100)
  on.leave('shutdown')
  await on.stop()
  t.equal(on.ring.filter(({ type }) => type === 'episode').length, 3, 'the renewal, open and closed, and the goodbye')
  t.strictSame(writtenDown(on), [])
  await on.recall.forget()
  t.strictSame(readdirSync(on.place.dir), [])
})

t.test('a renewal that does not come back is an outage, and a start that fails is one too', async t => {
  for (const first of ['renewal', 'start'] as const) {
    const on = scene(t.testdir())
    await on.recall.begin({ crashed: false, pid: null })
    if (first === 'renewal') {
      on.connect()
      on.pass(10)
      on.leave('renewal')
    }
    on.pass(2)
    on.tell({ type: 'connecting', host: 'hub', port: 8883, gateway: false })
    on.tell({ type: 'refused', step: 'connack', code: 5, reason: 'not authorized' })
    await on.written(1, isHead)
    t.match(writtenDown(on)[0]?.data, { episode: idOf(on), stretch: 'before' }, first)
    await on.recall.forget()
  }
})

t.test('of a long outage its beginning and its end are kept, and what lies between is counted', async t => {
  const on = scene(t.testdir())
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(1_000)
  on.lose()
  on.pass(1_000)
  await on.written(2, isHead)
  on.connect()
  on.pass(10)
  await on.written(3, isHead)
  await on.stop()
  t.strictSame(
    writtenDown(on)
      .filter(isHead)
      .map(({ data }) => [data.stretch, data.count, data.leftOut]),
    [
      ['before', 181, 0],
      ['after', 180, 0],
      ['back', 191, 1_000 - 180 - 181],
    ],
  )
  t.strictSame(secondsOf(writtenDown(on)), [...range(820, 1_180), ...range(1_820, 2_010)])
  await on.recall.forget()
})

t.test('a stop in an outage writes what there is, and the next start goes on from there', async t => {
  const dir = t.testdir()
  const on = scene(dir)
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(10)
  on.lose()
  on.pass(20)
  await on.stop()
  t.strictSame(secondsOf(writtenDown(on)), range(1, 30))
  const open = on.ring.findLast(({ type }) => type === 'episode')?.data
  await on.recall.forget()

  const next = scene(dir, {
    fromSeconds: 40,
    before: {
      ending: { kind: 'goodbye', why: 'SIGTERM' },
      at: { wallMs: startMs + 30_000, bootMs: 31_000 },
      session: null,
      open: open as never,
    },
  })
  await next.recall.begin({ crashed: false, pid: null })
  next.pass(3)
  next.connect()
  next.pass(10)
  await next.written(1, isHead)
  await next.stop()
  t.match(writtenDown(next)[0]?.data, { episode: open?.id, stretch: 'back', count: 13, leftOut: 0 })
  t.strictSame(secondsOf(writtenDown(next)), range(41, 53))
  await next.recall.forget()
})

const crash = (seconds: number): Before => ({
  ending: { kind: 'crash', rebooted: false },
  at: { wallMs: startMs + seconds * 1e3, bootMs: 1_000 + seconds * 1e3 },
  session: { lastedMs: 60_000 },
  open: null,
})

t.test('after a crash the next start writes down the end of the run, with its last words', async t => {
  const dir = t.testdir({ run: {}, stderr: 'of another run\n' })
  const stderr = openSync(join(dir, 'stderr'), 'a')
  t.teardown(() => closeSync(stderr))
  const stderrLink = `/proc/self/fd/${stderr}`
  const on = scene(join(dir, 'run'), { stderrLink })
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(400)
  // Killed: what it had handed over is there, and nothing was closed.
  await on.recall.close()
  writeSync(stderr, 'FATAL ERROR: out of memory\n')

  const next = scene(join(dir, 'run'), { stderrLink, fromSeconds: 450, before: crash(400) })
  await next.recall.begin({ crashed: true, pid: process.pid })
  const id = idOf(next)
  t.match(writtenDown(next)[0]?.data, { episode: id, stretch: 'end', count: 181, leftOut: 0 })
  t.strictSame(secondsOf(writtenDown(next)), range(220, 400))
  t.strictSame(next.ring.find(({ data }) => /stderr/.test(String(data.msg)))?.data, {
    msg: 'the run before said last on stderr: FATAL ERROR: out of memory\n',
    episode: id,
    pid: process.pid,
  })

  next.connect()
  next.pass(10)
  await next.written(2, isHead)
  await next.stop()
  t.match(
    writtenDown(next).findLast(isHead)?.data,
    { episode: id, stretch: 'back', count: 10 },
    'until 10 s into the next',
  )
  t.strictSame(secondsOf(writtenDown(next)), [...range(220, 400), ...range(451, 460)])
  await next.recall.forget()
})

t.test('what the run that crashed had written down itself is not written again', async t => {
  const dir = t.testdir()
  const on = scene(dir)
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(100)
  on.lose()
  on.pass(30)
  await on.written(100, isRecalled)
  await on.recall.close()
  t.strictSame(secondsOf(writtenDown(on)), range(1, 100))

  const next = scene(dir, { fromSeconds: 200, before: crash(130) })
  await next.recall.begin({ crashed: true, pid: process.pid })
  t.strictSame(secondsOf(writtenDown(next)), range(101, 130))
  await next.recall.forget()
})

t.test('a file of another run than the one that crashed is not taken for its own', async t => {
  const dir = t.testdir()
  const on = scene(dir)
  await on.recall.begin({ crashed: false, pid: null })
  on.pass(10)
  await on.recall.close()
  const next = scene(dir, { fromSeconds: 200, before: crash(130) })
  await next.recall.begin({ crashed: true, pid: process.pid + 1 })
  await next.stop()
  t.strictSame(writtenDown(next), [])
  await next.recall.forget()
})

t.test('a damaged or foreign file prevents nothing', async t => {
  const dir = t.testdir()
  for (const content of [randomBytes(100_000), Buffer.from('not a line\n'), Buffer.alloc(0)]) {
    writeFileSync(join(dir, 'control.verbose.log'), content)
    const on = scene(dir, { before: crash(0), fromSeconds: 10 })
    await on.recall.begin({ crashed: true, pid: null })
    on.connect()
    on.pass(10)
    await on.written(1, isHead)
    await on.stop()
    t.match(writtenDown(on)[0]?.data, { stretch: 'back', count: 10 })
    t.strictSame(on.logged, [])
    await on.recall.forget()
  }
})

t.test('an outage takes no more of the ring than its share, and an hour no more than four of them', async t => {
  const on = scene(t.testdir(), { ringBudgetBytes: 16 * 60_000 })
  await on.recall.begin({ crashed: false, pid: null })
  let noted = 0
  for (let outage = 1; outage <= 20; outage++) {
    on.connect()
    on.pass(11)
    for (let n = 0; n < 60; n++) on.recall.note('log', { msg: 'x'.repeat(500), second: { n: ++noted } })
    on.lose()
    await on.written(2 * outage - 1, isHead)
    on.pass(1)
    on.connect()
    on.pass(10)
    await on.written(2 * outage, isHead)
  }
  await on.stop()
  const heads = writtenDown(on).filter(isHead)
  const bytes = (records: readonly LogRecord[]): number =>
    records.reduce((sum, { seq, ...draft }) => sum + JSON.stringify({ seq, ...draft }).length, 0)
  for (const [index, head] of heads.entries()) {
    const from = head.seq
    const to = heads[index + 1]?.seq ?? Number.POSITIVE_INFINITY
    const its = writtenDown(on).filter(record => isRecalled(record) && record.seq > from && record.seq < to)
    t.equal(its.length, head.data.count)
    t.ok(bytes(its) <= 20_000, `a third of a sixteenth: ${bytes(its)}`)
  }
  const all = bytes(writtenDown(on).filter(isRecalled))
  t.ok(all > 150_000 && all <= 4 * 60_000 + 60_000, `${all} bytes in less than an hour`)
  const total = heads.reduce((sum, { data }) => sum + Number(data.count) + Number(data.leftOut), 0)
  t.equal(total, noted + 20 * 22, 'each is written down or counted')
  t.match(heads.at(-2)?.data, { count: Number, leftOut: Number })
  t.ok(Number(heads.at(-2)?.data.leftOut) > 50)
  await on.recall.forget()
})

t.test('a secret in a line of the SDK is neither in the file nor in the ring, wherever the line is cut', async t => {
  const on = scene(t.testdir())
  const key = randomBytes(32).toString('base64')
  on.secrets.add('shared-access-key', key)
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  const signature = randomBytes(32).toString('base64url')
  on.recall.sdk('azure-iot-device-mqtt:Mqtt', `password: SharedAccessSignature sr=hub&sig=${signature}&se=1`)
  on.recall.sdk('mqttjs:client', `options: ${JSON.stringify({ key, url: encodeURIComponent(key) })}`)
  for (const limit of [2_000, 16_000]) {
    for (let shift = 0; shift < 50; shift += 7) {
      on.recall.sdk('mqttjs:client', `${'.'.repeat(limit - shift)}${key}${'.'.repeat(20_000)}`)
    }
  }
  // What is cut shrinks under the limit once the secrets are out.
  const token = randomBytes(300).toString('hex')
  on.secrets.add('shared-access-signature', token)
  on.recall.sdk('mqttjs:client', `${token}\n`.repeat(40))
  on.recall.note('wire', { type: 'packetSent', topic: `devices/${key}` }, 'hubrec', 1)
  on.pass(1)
  on.lose()
  await on.written(21, isRecalled)
  await on.stop()
  await on.recall.close()
  const file = readdirSync(on.place.dir).map(name => readFileSync(join(on.place.dir, name), 'utf8'))
  const all = file.join('') + JSON.stringify(on.ring)
  t.match(all, /\[removed:shared-access-key\]/)
  for (const text of [key, signature, token]) {
    const pieces = Array.from({ length: text.length - 8 }, (_, at) => text.slice(at, at + 8))
    t.strictSame(
      pieces.filter(piece => all.includes(piece)),
      [],
    )
  }
  const lines = writtenDown(on).filter(({ data }) => typeof data.sdk === 'string')
  t.ok(
    lines.every(({ data }) => String(data.msg).length < 2_050),
    'and none is long',
  )
  t.equal(
    lines.filter(({ data }) => String(data.msg).startsWith('.'.repeat(1_900))).length,
    16,
    'or shorter than need be',
  )
})

t.test('without a place in memory nothing is kept, and that is said once', async t => {
  const on = scene(t.testdir(), { place: null })
  await on.recall.begin({ crashed: true, pid: 1 })
  on.connect()
  on.pass(10)
  on.recall.sdk('mqttjs:client', 'unheard')
  on.lose()
  on.connect()
  on.pass(20)
  await on.stop()
  await on.recall.close()
  await on.recall.forget()
  t.strictSame(writtenDown(on), [])
  t.strictSame(on.logged, ['no place in memory: verbose records are not kept'])
  t.strictSame(readdirSync(on.place.dir), [])
})

t.test('a file that refuses is said once in the log, and the records that are missing in the ring', async t => {
  const dir = t.testdir()
  const on = scene(join(dir, 'not-there-yet'))
  await on.recall.begin({ crashed: false, pid: null })
  on.connect()
  on.pass(5)
  on.lose()
  await on.written(1, isHead)
  t.match(writtenDown(on)[0]?.data, { stretch: 'before', count: 0 })
  on.pass(5)
  await on.recall.close()
  t.strictSame(on.logged, ['verbose records cannot be kept for now'])
  t.notOk(existsSync(on.place.dir))
})

t.test('while verbosity is raised the ring has it at once, and nothing twice', async t => {
  let isRaised = false
  const { connect, lose, pass, recall, ring, stop, written } = scene(t.testdir({}), { isRaised: () => isRaised })
  await recall.begin({ crashed: false, pid: null })
  const isVerbose = ({ level }: LogRecord): boolean => level === 10
  connect()
  pass(3)
  t.equal(ring.filter(isVerbose).length, 0)
  isRaised = true
  pass(2)
  recall.sdk('azure-iot-device-mqtt:Mqtt', 'while it is raised')
  await written(3, isVerbose)
  isRaised = false
  pass(1)
  lose()
  const isHead = ({ data }: LogRecord): boolean => data.stretch === 'before'
  await written(1, isHead)
  await written(3 + Number(ring.find(isHead)?.data.count), isVerbose)
  const seconds = ring.filter(({ type, level }) => level === 10 && type === 'sample').map(({ monoMs }) => monoMs)
  t.equal(new Set(seconds).size, seconds.length)
  t.equal(seconds.length, 6)
  await stop()
})
