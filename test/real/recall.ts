/** The flight recorder's memory in the real daemon: what surrounds a loss is in the ring afterwards, with its episode. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { readdir, readFile, watch } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { findPlace } from '../../agent/recall/place.js'
import { type Door, startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

// Each waits for most of its time, so they wait together.
t.jobs = 4

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0

type Scene = Readonly<{ deviceId: string; door: Door; gateway: Gateway }>

async function scene(t: Test): Promise<Scene> {
  const deviceId = `gateway-${++devices}`
  const door = await hub.addDevice(deviceId)
  // Samples for the ring every 10 s, so that those of each second are for the verbose file.
  const config = { samples: { intervalSeconds: 10 }, connection: { retry: { capSeconds: 1 } } }
  const gateway = await Gateway.make(hub, hub.connectionString(deviceId), config)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return { deviceId, door, gateway }
}

const subscribed = ({ deviceId }: Scene, from: number): Promise<unknown> =>
  hub.waitFor(event => event.type === 'subscribe' && event.deviceId === deviceId, { from })

const stopped = async (daemon: ChildProcess): Promise<void> => {
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
}

const recordsOf = ({ gateway }: Scene): Promise<LogRecord[]> =>
  gateway.json<LogRecord>('logs', '--state-dir', gateway.stateDir)

const episodesOf = ({ gateway }: Scene): Promise<Episode[]> =>
  gateway.json<Episode>('episodes', '--state-dir', gateway.stateDir)

/** The next record that is wanted, from the ring's beginning on, as soon as it is there. */
async function written({ gateway }: Scene, wanted: (record: LogRecord) => boolean): Promise<LogRecord> {
  const follower = gateway.follow('logs', '--follow', '--json', '--state-dir', gateway.stateDir)
  let record: LogRecord
  do record = JSON.parse(await follower.line())
  while (!wanted(record))
  follower.child.kill('SIGKILL')
  return record
}

const isHead = (record: LogRecord, stretch: string): boolean => record.data.stretch === stretch

/** The records that a head speaks of, found as its reader would find them. */
function recalled(records: readonly LogRecord[], { data }: LogRecord): LogRecord[] {
  const { bootId, fromMonoMs, toMonoMs } = data as { bootId: string; fromMonoMs: number; toMonoMs: number }
  return records.filter(
    record =>
      record.level === 10 && record.bootId === bootId && record.monoMs >= fromMonoMs && record.monoMs <= toMonoMs,
  )
}

const packets = (records: readonly LogRecord[]): string[] =>
  records.flatMap(({ data }) => (typeof data.packet === 'string' ? [`${data.type} ${data.packet}`] : []))

const placesOf = async ({ gateway }: Scene): Promise<string> => {
  const place = await findPlace({ controlSocket: join(gateway.stateDir, 'control.sock'), stateDir: gateway.stateDir })
  const dirs = [join(gateway.stateDir, 'ring'), ...(place ? [place.dir] : [])]
  const files = (await Promise.all(dirs.map(async dir => (await readdir(dir)).map(name => join(dir, name))))).flat()
  return (await Promise.all(files.filter(name => /log$/.test(name)).map(name => readFile(name, 'utf8')))).join('\n')
}

for (const [name, lose] of [
  ['a black hole', async ({ door }: Scene) => door.set({ kind: 'blackHole', direction: 'both' })],
  ['a reset', async ({ door }: Scene) => door.cut('rst')],
] as const) {
  t.test(`what surrounds ${name} is written down with its episode`, { buffered: true }, async t => {
    const on = await scene(t)
    const daemon = on.gateway.start()
    await subscribed(on, 0)
    await written(on, ({ data }) => data.type === 'pongReceived')
    const from = hub.log.length
    await lose(on)
    await written(on, ({ type, data }) => type === 'session' && data.closed !== undefined)
    await on.door.heal()
    await subscribed(on, from)
    const back = await written(on, record => isHead(record, 'back'))
    await stopped(daemon)

    const records = await recordsOf(on)
    const [episode] = await episodesOf(on)
    const before = records.find(record => isHead(record, 'before'))!
    // On a slow machine the outage may be longer than what is kept of it; the head says so then.
    const heads = records.filter(({ data }) => data.stretch !== undefined && data.stretch !== 'after')
    t.strictSame(
      heads.map(({ type, level, data }) => ({ type, level, stretch: data.stretch, episode: data.episode })),
      [
        { type: 'log', level: 30, stretch: 'before', episode: episode?.id },
        { type: 'log', level: 30, stretch: 'back', episode: episode?.id },
      ],
    )
    t.equal(before.data.leftOut, 0)
    for (const head of [before, back]) {
      const its = recalled(records, head)
      t.equal(its.length, head.data.count, 'the head says how many')
      t.strictSame([...new Set(its.map(({ type }) => type))].sort(), ['log', 'sample', 'wire'])
      t.strictSame([its[0]?.at, its.at(-1)?.at], [head.data.from, head.data.to])
    }
    const closed = records.find(({ type, data }) => type === 'wire' && data.type === 'closed')!
    const accepted = records.findLast(({ type, data }) => type === 'wire' && data.type === 'accepted')!
    const { fromMonoMs, toMonoMs } = before.data as { fromMonoMs: number; toMonoMs: number }
    t.equal(Math.round(toMonoMs - fromMonoMs), 9_000, 'twice one and a half keepalives')
    t.ok(toMonoMs >= closed.monoMs && fromMonoMs < closed.monoMs, 'until the loss')
    t.ok(Number(back.data.toMonoMs) - accepted.monoMs > 9_900, 'until 10 s into the next session')
    t.ok(packets(recalled(records, before)).includes('packetReceived pingresp'), 'each ping is there')
    const after = packets(recalled(records, back))
    t.strictSame(after.slice(after.lastIndexOf('packetSent connect')).slice(0, 4), [
      'packetSent connect',
      'packetReceived connack',
      'packetSent subscribe',
      'packetReceived suback',
    ])
    t.ok(after.filter(packet => packet === 'packetSent pingreq').length >= 2, '10 s hold three pings or two')
    t.ok(
      recalled(records, before).some(({ data }) => data.sdk === 'mqttjs:client'),
      'what the SDK said is there',
    )
    const all = await placesOf(on)
    const key = /SharedAccessKey=([^;]+)/.exec(hub.connectionString(on.deviceId))?.[1] ?? 'none'
    t.notOk(all.includes(key))
    t.notMatch(all, /sig=[A-Za-z0-9%+/]{20}/)
  })
}

t.test(
  'after kill -9 the next start writes down the end of the run and its last words',
  { buffered: true },
  async t => {
    const on = await scene(t)
    const stderr = openSync(join(on.gateway.dir, 'stderr'), 'a')
    t.teardown(() => closeSync(stderr))
    writeSync(stderr, 'of an earlier run\n')
    const key = /SharedAccessKey=([^;]+)/.exec(hub.connectionString(on.deviceId))?.[1] ?? 'none'
    const first = on.gateway.start({}, stderr)
    await subscribed(on, 0)
    await written(on, ({ data }) => data.type === 'pongReceived')
    // What Node would say of a heap that is full, and what it never should.
    writeSync(stderr, `FATAL ERROR: Reached heap limit\nwith the key ${key}\n`)
    const place = await findPlace({
      controlSocket: join(on.gateway.stateDir, 'control.sock'),
      stateDir: on.gateway.stateDir,
    })
    const file = join(place!.dir, `${place!.name}.verbose.log`)
    // It is written to every second at least.
    for await (const _ of watch(place!.dir)) if ((await readFile(file, 'utf8')).includes('pingresp')) break
    first.kill('SIGKILL')
    await once(first, 'exit')
    const second = on.gateway.start({}, stderr)
    const words = await written(on, ({ type, data }) => type === 'log' && /on stderr/.test(String(data.msg)))
    const records = await recordsOf(on)
    const [episode] = await episodesOf(on)
    t.equal(episode?.verdict.cause, 'app-crash')
    t.strictSame(words.data, {
      msg: 'the run before said last on stderr: FATAL ERROR: Reached heap limit\nwith the key [removed:shared-access-key]\n',
      episode: episode?.id,
      pid: first.pid,
    })
    const head = records.find(record => isHead(record, 'end'))!
    t.match(head.data, { episode: episode?.id, leftOut: 0 })
    const its = recalled(records, head)
    t.equal(its.length, head.data.count)
    t.ok(packets(its).includes('packetReceived pingresp'))
    await stopped(second)
    t.notOk((await placesOf(on).catch(() => '')).includes(key))
  },
)

t.test('a goodbye writes nothing down, and leaves nothing in memory', { buffered: true }, async t => {
  const on = await scene(t)
  const first = on.gateway.start()
  await subscribed(on, 0)
  await stopped(first)
  const from = hub.log.length
  const second = on.gateway.start()
  await subscribed(on, from)
  await stopped(second)
  const records = await recordsOf(on)
  t.strictSame(
    records.filter(({ level, data }) => level === 10 || data.stretch !== undefined),
    [],
  )
})
