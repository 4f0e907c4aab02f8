/** What was decided live is decided again from the records alone, and a file that somebody sent is read for what it holds. */
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

const dir = t.testdir({ 'none.ndjson': '\n{"a":1}\n', 'packed.gz': gzipSync('half of it').subarray(0, 12) })
/** Commands that need no daemon. */
const door = await hub.addDevice('gateway')
const gateway = await Gateway.make(hub, hub.connectionString('gateway'))
t.teardown(() => gateway[Symbol.asyncDispose]())
const config = ['--config', gateway.configFile]

const withoutTimes = (sentence: string): string => sentence.replace(/\d[\d.]*( min| h| m?s)\b/g, 'some time')

const decided = ({ conn, state, planned, provisional, protocol, attempts, session, verdict }: Episode): object => ({
  conn,
  state,
  planned,
  provisional,
  protocol,
  attempts,
  hadSession: session !== null,
  cause: verdict.cause,
  confidence: verdict.confidence,
  runnersUp: verdict.runnersUp.map(({ cause }) => cause),
  // What the host tells while it goes on is written down only where it changes the verdict.
  evidence: state === 'open' ? [] : verdict.evidence.map(withoutTimes),
})

t.test('a run of two lives is judged again as it was judged live', async t => {
  const connected = (from: number) =>
    hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from })
  const struck = async (strike: () => unknown): Promise<void> => {
    const from = hub.log.length
    await strike()
    await connected(from)
    // Killed before it is written, its last attempt would be known to the replay alone.
    const isOver = async () => (await gateway.json<Episode>('episodes', ...config)).at(-1)?.state === 'closed'
    while (!(await isOver()));
  }
  const first = gateway.start()
  await connected(0)
  await struck(() => door.cut('fin'))
  await struck(() => door.cut('rst'))
  await struck(async () => {
    await door.set({ kind: 'connack', code: 3, times: 2 })
    door.cut('rst')
  })
  first.kill('SIGKILL')
  await once(first, 'exit')
  let second = gateway.start()
  await struck(() => undefined)
  second.kill('SIGTERM')
  await once(second, 'exit')
  second = gateway.start()
  await struck(() => undefined)
  second.kill('SIGTERM')
  await once(second, 'exit')

  const live = await gateway.json<Episode>('episodes', ...config)
  t.ok(live.length >= 5, `${live.length} episodes`)
  const file = join(dir, 'records.ndjson')
  const { out } = await gateway.run('logs', '--json', ...config)
  await writeFile(file, out)
  const replayed = await gateway.json<Episode>('diagnose', file)
  t.strictSame(replayed.map(decided), live.map(decided))
  t.strictSame(
    replayed.map(({ startedAt }) => startedAt),
    live.map(({ startedAt }) => startedAt),
  )

  const packed = join(dir, 'ring.ndjson.gz')
  await writeFile(packed, gzipSync(out))
  t.strictSame((await gateway.json<Episode>('diagnose', packed)).map(decided), live.map(decided))
  t.equal(gunzipSync(await readFile(packed)).toString(), out)
  const { out: shown, code } = await gateway.run('diagnose', file)
  t.equal(code, 0)
  t.match(shown, /peer-reset \(certain\)\n.*\n.*\n {2}seen: /)
})

t.test('lines that are no records are named, and the rest is judged', async t => {
  const file = join(dir, 'damaged.ndjson')
  const record = (seq: number, type: string, conn: string | null, data: object): string =>
    JSON.stringify({
      seq,
      at: new Date(Date.UTC(2026, 10, 22, 10, 0, seq)).toISOString(),
      bootId: 'boot',
      monoMs: seq * 1_000,
      level: 30,
      type,
      conn,
      inc: 1,
      data,
    })
  const head = { protocol: 'mqtt', attempt: 1, monoMs: 0 }
  const lines = [
    record(1, 'wire', 'hubrec', { ...head, type: 'connecting', host: 'hub', port: 8883, gateway: false }),
    'no json',
    // As it stands in the active segment.
    `fa01d7f2 ${record(2, 'wire', 'hubrec', { ...head, type: 'refused', step: 'connack', code: 5, reason: 'no', headers: {} })}`,
    record(3, 'wire', 'hubrec', { ...head, type: 'closed' }),
    record(4, 'wire', 'hubrec', { ...head, type: 'of the future' }),
    '{"seq":5}',
  ]
  await writeFile(file, lines.join('\n'))
  const { code, out, err } = await gateway.run('diagnose', file, '--json')
  t.equal(code, 0)
  t.match(JSON.parse(out), { state: 'open', attempts: 1, verdict: { cause: 'wrong-key', confidence: 'possible' } })
  t.match(err, /damaged\.ndjson: line 2: no record\n/)
  t.match(err, /damaged\.ndjson: line 3: |damaged\.ndjson: line 4: a wire record that cannot be read: /)
  t.match(err, /damaged\.ndjson: line 6: no record\n/)
})

t.test('what cannot be read at all is said, with exit 2', async t => {
  const said = async (...args: string[]) => {
    const { code, out, err } = await gateway.run('diagnose', ...args)
    t.equal(out, '')
    return [code, err.trim()]
  }
  const of = (name: string): string => join(dir, name)
  t.match(await said(), [2, /expected a file of records/])
  t.match(await said(of('nowhere')), [2, /nowhere cannot be read: ENOENT/])
  t.match(await said(dir), [2, /cannot be read: EISDIR/])
  t.match(await said(of('packed.gz')), [2, /packed\.gz cannot be read: Z_BUF_ERROR/])
  t.match(await said(of('none.ndjson')), [2, /none\.ndjson holds no records/])
})
