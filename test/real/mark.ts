/** Somebody points at a moment, and gets what was around it. */
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import type { Mark } from '../../agent/mark.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('gateway')
const gateway = await Gateway.make(hub, hub.connectionString('gateway'))
t.teardown(() => gateway[Symbol.asyncDispose]())
const config = ['--config', gateway.configFile]

t.test('without a daemon there is nobody to write it', async t => {
  const { code, out, err } = await gateway.run('mark', 'it stopped', ...config)
  t.strictSame([code, out], [1, ''])
  t.match(err, /no daemon answers at .*control\.sock/)
})

t.test('a mark and an outage are pointed at by their ids', async t => {
  const connected = (from: number) =>
    hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from })
  const daemon = gateway.start()
  await connected(0)
  const { code, out } = await gateway.run('mark', 'the pump stopped & \u001b[31m"went on"', ...config)
  t.equal(code, 0)
  const id = out.trim()
  t.match(id, /^mark-[0-9a-f]{8}$/)
  const [second] = await gateway.json<Mark>('mark', ...config)
  t.not(second?.id, id)

  const of = async (...args: string[]) => gateway.json<LogRecord>('logs', '--type', 'mark', ...args, ...config)
  t.match(await of('--around', id), [
    { type: 'mark', data: { id, note: 'the pump stopped & \u001b[31m"went on"' } },
    { data: { id: second?.id, note: '' } },
  ])
  t.match(
    (await gateway.run('logs', '--type', 'mark', ...config)).out,
    `the pump stopped & \\u001b[31m"went on" [${id}]`,
  )

  const from = hub.log.length
  door.cut('rst')
  await connected(from)
  const isOver = async () => (await gateway.json<Episode>('episodes', ...config)).at(-1)?.state === 'closed'
  while (!(await isOver()));
  const [episode] = await gateway.json<Episode>('episodes', ...config)
  t.strictSame(await gateway.json<Episode>('episodes', '--around', episode!.id, ...config), [episode])
  const file = join(gateway.dir, 'around.zip')
  t.equal((await gateway.run('bundle', '--around', episode!.id, '-o', file, ...config)).code, 0)
  t.strictSame(await gateway.json<Episode>('episodes', '--bundle', file), [episode])
  const [made] = await gateway.json<{ manifest: { window: { from: string; to: string } } }>(
    'bundle',
    '--around',
    id,
    '-o',
    file,
    ...config,
  )
  const { window } = made!.manifest
  t.equal(Date.parse(window.to) - Date.parse(window.from), 20 * 60_000)

  t.match(await hub.invokeMethod({ deviceId: 'gateway' }, upload({ around: 'nobody' })), {
    status: 400,
    payload: { message: 'around: no mark and no episode has this id' },
  })
  t.match(await hub.invokeMethod({ deviceId: 'gateway' }, upload({ around: id, since: '1h' })), {
    status: 400,
    payload: { message: 'around: expected it without since and until' },
  })
  t.match(await hub.invokeMethod({ deviceId: 'gateway' }, upload({ around: id })), {
    status: 200,
    payload: { status: 'Running' },
  })
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
})

const upload = (payload: object) => ({
  methodName: 'UploadSupportBundle',
  payload: { schemaVersion: '1.0', ...payload },
})

t.test('an id that nobody has, and a window that is given twice, are said', async t => {
  const nobody = await gateway.run('episodes', '--around', 'nobody', ...config)
  t.equal(nobody.code, 2)
  t.match(nobody.err, /no mark and no outage has the id nobody/)
  const twice = await gateway.run('logs', '--around', 'x', '--since', '1h', ...config)
  t.equal(twice.code, 2)
  t.match(twice.err, /--since: not with --around/)
})
