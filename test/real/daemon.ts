/** The daemon as a process: it starts, is killed, is stopped, is started again, and says what happened. */
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { RingHealth } from '../../agent/ring/ring.js'
import type { Status } from '../../agent/status.js'
import { type Door, startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'
import { recordRing } from '../support/recorded-ring.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0

type Scene = Readonly<{ deviceId: string; door: Door; gateway: Gateway }>

/** A device of its own, a gateway of its own, cleared away at the end. */
async function scene(t: Test, config: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  const deviceId = `gateway-${++devices}`
  const door = await hub.addDevice(deviceId)
  const gateway = await Gateway.make(hub, hub.connectionString(deviceId), config)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return { deviceId, door, gateway }
}

/** The hub can call methods of it again. */
async function connected({ deviceId }: Scene, from: number): Promise<void> {
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === deviceId, { from })
  await hub.invokeMethod({ deviceId }, { methodName: 'ping' })
}

/** What the hub has seen so far is not what is waited for next. */
const fromNow = (): number => hub.log.length

const short = ({ state, planned, attempts, verdict }: Episode): object => ({
  state,
  planned,
  attempts,
  cause: verdict.cause,
  confidence: verdict.confidence,
})

t.test('it connects, answers, tells its status, and stops within 5 s with exit 0', async t => {
  const on = await scene(t)
  const daemon = on.gateway.start()
  await connected(on, 0)
  t.strictSame(await hub.invokeMethod({ deviceId: on.deviceId }, { methodName: 'ping' }), {
    status: 200,
    payload: null,
  })

  const [status] = await on.gateway.json<Status>('status', '--config', on.gateway.configFile)
  t.match(status, {
    daemon: 'running',
    device: { deviceId: on.deviceId, moduleId: null },
    connection: { state: 'online', protocol: 'mqtt', methods: true, incarnation: 1 },
    episode: null,
    lastEpisode: null,
    ring: { mode: 'disk', budgetBytes: 16_777_216 },
  })
  t.equal((await on.gateway.run('status', '--config', on.gateway.configFile)).code, 0)

  const stoppedMs = performance.now()
  daemon.kill('SIGTERM')
  t.strictSame(await once(daemon, 'exit'), [0, null])
  t.ok(performance.now() - stoppedMs < 10_000, 'before a service manager loses its patience')

  const down = await on.gateway.run('status', '--state-dir', on.gateway.stateDir, '--json')
  t.equal(down.code, 1, 'a daemon that is down is bad news')
  t.match(JSON.parse(down.out), { daemon: 'down', device: { deviceId: on.deviceId } })
})

t.test('after kill -9 the next start says app-crash, once, and numbers go on', async t => {
  const on = await scene(t)
  const first = on.gateway.start()
  await connected(on, 0)
  // What was not acknowledged may be lost within 250 ms of its making; so wait until it is there.
  const inRing = async (): Promise<boolean> =>
    (await on.gateway.json<LogRecord>('logs', '--state-dir', on.gateway.stateDir)).some(
      ({ data }) => data.type === 'subscribed',
    )
  while (!(await inRing())) t.comment('not yet')
  const from = fromNow()
  first.kill('SIGKILL')
  await once(first, 'exit')
  const second = on.gateway.start()
  await connected(on, from)
  second.kill('SIGTERM')
  await once(second, 'exit')

  const [crash, ...rest] = await on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)
  t.strictSame(crash && short(crash), {
    state: 'closed',
    planned: false,
    attempts: 1,
    cause: 'app-crash',
    confidence: 'certain',
  })
  t.ok(crash?.session, 'the session that was cut off is told')
  t.strictSame(rest.map(short), [
    { state: 'open', planned: true, attempts: 0, cause: 'graceful-close', confidence: 'certain' },
  ])

  const records = await on.gateway.json<LogRecord>('logs', '--state-dir', on.gateway.stateDir)
  t.strictSame(
    records.map(({ seq }) => seq),
    records.map((_, index) => index + 1),
  )
  const crashed = records.filter(({ type }) => type === 'start')[1]
  const last = records[(crashed?.seq ?? 0) - 2]
  t.equal(crash?.startedAt, last?.at, 'the episode starts at the last record')
  const incarnations = records.flatMap(({ inc }) => inc ?? [])
  t.strictSame([...new Set(incarnations)], [1, 2], 'an incarnation is never used again')

  const health = await on.gateway.json<RingHealth>('verify', '--state-dir', on.gateway.stateDir)
  t.strictSame(
    health.map(({ status, lost }) => ({ status, lost })),
    [{ status: 'ok', lost: 0 }],
  )
})

t.test('a stop and a start make one planned episode', async t => {
  const on = await scene(t)
  const first = on.gateway.start()
  await connected(on, 0)
  const from = fromNow()
  first.kill('SIGTERM')
  await once(first, 'exit')
  const second = on.gateway.start()
  await connected(on, from)
  t.strictSame((await on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)).map(short), [
    { state: 'closed', planned: true, attempts: 1, cause: 'graceful-close', confidence: 'certain' },
  ])
  second.kill('SIGTERM')
  await once(second, 'exit')
})

t.test('an outage that a restart falls into stays one episode with its own verdict', async t => {
  const on = await scene(t)
  const first = on.gateway.start()
  await connected(on, 0)
  await on.door.set({ kind: 'refuse' })
  const from = fromNow()
  on.door.cut('fin')
  const outage = async (): Promise<Episode | undefined> =>
    (await on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)).at(-1)
  while ((await outage())?.verdict.cause !== 'port-refused') t.comment('not yet')
  const id = (await outage())?.id
  first.kill('SIGTERM')
  await once(first, 'exit')
  await on.door.heal()
  const second = on.gateway.start()
  await connected(on, from)
  const episodes = await on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)
  t.strictSame(
    episodes.map(episode => ({ id: episode.id, state: episode.state, cause: episode.verdict.cause })),
    [{ id, state: 'closed', cause: 'port-refused' }],
  )
  const told = await on.gateway.json<LogRecord>('logs', '--type', 'wire,stop', '--state-dir', on.gateway.stateDir)
  const steps = told.map(({ type, data }) => (type === 'stop' ? { type } : data))
  const during = steps.slice(steps.findIndex(({ type }) => type === 'closed'))
  t.equal(episodes[0]?.attempts, during.filter(({ type }) => type === 'connecting').length, 'attempts count on')
  const waits = during.flatMap((step, at) => {
    if (step.type !== 'retryScheduled') return []
    const next = during.slice(at).find(({ type }) => type === 'connecting' || type === 'stop')
    return [{ delayMs: Number(step.delayMs), isWhole: next?.type === 'connecting' }]
  })
  const sum = (some: typeof waits): number => some.reduce((total, { delayMs }) => total + delayMs, 0)
  const { waitedMs = -1 } = episodes[0] ?? {}
  const [least, most] = [sum(waits.filter(({ isWhole }) => isWhole)), sum(waits)]
  t.ok(
    least <= waitedMs && waitedMs <= most,
    `so do the waits, but the one that was cut short: ${least} ${waitedMs} ${most}`,
  )
  second.kill('SIGTERM')
  await once(second, 'exit')
})

t.test('a second daemon on the same state is refused, and the first goes on', async t => {
  const on = await scene(t)
  on.gateway.start()
  await connected(on, 0)
  const second = on.gateway.start()
  t.strictSame(await once(second, 'exit'), [2, null])
  t.match(on.gateway.output, /ALREADY_RUNNING: another hubrec \(pid \d+\) writes to/)
  await hub.invokeMethod({ deviceId: on.deviceId }, { methodName: 'ping' })
})

t.test('logs --follow shows a record as it is written, and Ctrl-C is exit 0', async t => {
  const on = await scene(t)
  const daemon = on.gateway.start()
  await connected(on, 0)
  const follower = on.gateway.follow('logs', '--follow', '--json', '--state-dir', on.gateway.stateDir)
  // Samples come every second: the first line shows that it follows.
  await follower.line()
  on.door.cut('rst')
  let record: LogRecord
  do record = JSON.parse(await follower.line())
  while (record.type !== 'session')
  t.match(record, { type: 'session', conn: 'hubrec', inc: 1, data: { closed: { how: 'rst' } } })
  follower.child.kill('SIGINT')
  t.strictSame(await once(follower.child, 'exit'), [0, null])
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
})

t.test('all that is wrong with configuration and credential is said at once, with exit 2', async t => {
  const on = await scene(t, { connection: { keepaliveSeconds: 1, colour: 'red' }, logLevel: 'loud' })
  const bad = on.gateway.start()
  t.strictSame(await once(bad, 'exit'), [2, null])
  for (const problem of [/connection\.keepaliveSeconds/, /connection\.colour/, /logLevel/])
    t.match(on.gateway.output, problem)

  const other = await scene(t, { connection: { caFile: 'missing.pem' } })
  const secret = 'c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtc2hvd24='
  const wrong = other.gateway.start({ HUBREC_CONNECTION_STRING: `HostName=;SharedAccessKey=${secret}x` })
  t.strictSame(await once(wrong, 'exit'), [2, null])
  for (const problem of [
    /connection\.caFile: .*ENOENT/,
    /HostName: found nothing; expected/,
    /DeviceId: is missing; expected/,
    /SharedAccessKey: found 41 characters that are no base64; expected base64/,
  ]) {
    t.match(other.gateway.output, problem)
  }
  t.notOk(other.gateway.output.includes(secret))
})

t.test('no secret is in the ring, the log, the answers or the arguments', async t => {
  const on = await scene(t, { logLevel: 'trace' })
  // What the SDK would print to stderr, tokens and all.
  const daemon = on.gateway.start({ DEBUG: '*' })
  await connected(on, 0)
  const from = fromNow()
  on.door.cut('rst')
  await connected(on, from)
  const key = /SharedAccessKey=([^;]+)/.exec(hub.connectionString(on.deviceId))?.[1] ?? ''
  const answers = await Promise.all(
    ['GetStatus', 'GetEpisodes', 'Nonsense'].map(methodName =>
      hub.invokeMethod({ deviceId: on.deviceId }, { methodName, payload: { key } }),
    ),
  )
  const arguments_ = await readFile(`/proc/${daemon.pid}/cmdline`, 'utf8')
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
  const ringDir = join(on.gateway.stateDir, 'ring')
  const ring = (await Promise.all((await readdir(ringDir)).map(name => readFile(join(ringDir, name), 'utf8')))).join('')
  t.ok(ring.length > 1_000 && key.length > 30, 'there is something to search')
  const places = { ring, answers: JSON.stringify(answers), arguments: arguments_, output: on.gateway.output }
  for (const [place, text] of Object.entries(places)) {
    for (const form of [key, encodeURIComponent(key), Buffer.from(key).toString('base64').slice(0, -4)]) {
      t.notOk(text.includes(form), `${place} holds no key`)
    }
    t.notMatch(text, /sig=[A-Za-z0-9%+/]{20}/, `${place} holds no signature`)
  }
})

t.test('the command line names all that is wrong with it', async t => {
  const on = await scene(t)
  const wrong = await on.gateway.run('episodes', '--sice', '1h', '--json=yes', 'extra')
  t.equal(wrong.code, 2)
  for (const problem of ['unknown option --sice', '--json takes no value', 'unexpected argument'])
    t.match(wrong.err, problem)
  t.match(await on.gateway.run('fly'), { code: 2, err: /unknown command "fly"/ })
  t.match(await on.gateway.run('episodes', '--state-dir', join(on.gateway.dir, 'nowhere')), { code: 2, err: /ENOENT/ })
  t.match(await on.gateway.run('logs', '--since', 'yesterday', '--state-dir', on.gateway.dir), { code: 2 })
  for (const name of ['run', 'status', 'episodes', 'logs', 'explain', 'bundle', 'verify']) {
    t.match(await on.gateway.run(name, '--help'), { code: 0, out: new RegExp(`^usage: hubrec ${name}`) })
  }
  t.match(await on.gateway.run('--version'), { code: 0, out: /^\d+\.\d+\.\d+\n$/ })
})

t.test('a ring that has lost its beginning still knows that the last run crashed', async t => {
  const on = await scene(t, { ring: { budgetBytes: 262_144 }, samples: { intervalSeconds: 1 } })
  const first = on.gateway.start()
  await connected(on, 0)
  const ringDir = join(on.gateway.stateDir, 'ring')
  const sealed = async (): Promise<string[]> => (await readdir(ringDir)).filter(name => name.endsWith('.gz'))
  // Filled by what a hub may do: the door is cut until the start lies in a segment that is full.
  while ((await sealed()).length === 0) {
    const from = fromNow()
    on.door.cut('rst')
    await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === on.deviceId, { from })
  }
  const episodesNow = () => on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)
  while ((await episodesNow()).at(-1)?.state !== 'closed');
  const from = fromNow()
  first.kill('SIGKILL')
  await once(first, 'exit')
  for (const name of await sealed()) await rm(join(ringDir, name))
  t.strictSame(await on.gateway.json('logs', '--type', 'start', '--state-dir', on.gateway.stateDir), [])
  const down = await on.gateway.run('status', '--json', '--state-dir', on.gateway.stateDir)
  t.match(JSON.parse(down.out), { daemon: 'down', device: { deviceId: on.deviceId }, protocol: undefined })
  const second = on.gateway.start()
  await connected(on, from)
  t.equal((await episodesNow()).at(-1)?.verdict.cause, 'app-crash')
  second.kill('SIGTERM')
  await once(second, 'exit')
  t.equal((await on.gateway.run('verify', ringDir)).code, 0, 'and says of what is gone that it is gone')
})

t.test('the daemon does not need its stdout', async t => {
  const on = await scene(t)
  const daemon = on.gateway.start()
  await connected(on, 0)
  daemon.stdout?.destroy()
  const from = fromNow()
  on.door.cut('rst')
  await connected(on, from)
  t.equal(daemon.exitCode, null)
  daemon.kill('SIGTERM')
  t.strictSame(await once(daemon, 'exit'), [0, null])
  const episodes = await on.gateway.json<Episode>('episodes', '--state-dir', on.gateway.stateDir)
  t.equal(episodes[0]?.verdict.cause, 'peer-reset', 'the outage is recorded')
})

t.test('a slow reader gets every line', async t => {
  const on = await scene(t)
  const lines = Array.from({ length: 5_000 }, (_, n) => ({
    atS: n,
    type: 'log' as const,
    data: { msg: 'x'.repeat(500) },
  }))
  await recordRing(join(on.gateway.stateDir, 'ring'), lines)
  const { child } = on.gateway.command('logs', '--json', '--state-dir', on.gateway.stateDir)
  let read = ''
  for await (const chunk of child.stdout!) {
    // While another command runs from start to end this one is not read, and its pipe is full.
    if (read === '') await on.gateway.run('--version')
    read += chunk
  }
  t.equal(read.split('\n').filter(line => line.includes('"type":"log"')).length, 5_000)
})

t.test('two configurations that share a state directory are two daemons on it all the same', async t => {
  const on = await scene(t)
  on.gateway.start()
  await connected(on, 0)
  const elsewhere = join(on.gateway.dir, 'other.json')
  const config = JSON.parse(await readFile(on.gateway.configFile, 'utf8'))
  await writeFile(elsewhere, JSON.stringify({ ...config, controlSocket: join(on.gateway.dir, 'other.sock') }))
  const { code, err } = await on.gateway.run('run', '--config', elsewhere)
  t.equal(code, 2)
  t.match(err, /ALREADY_RUNNING|CREDENTIAL_INVALID/)
})
