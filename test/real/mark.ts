/** Somebody points at a moment, and gets what was around it. */
import { spawn } from 'node:child_process'
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

t.test('what happens now is recorded until Enter, or for as long as was asked', async t => {
  const from = hub.log.length
  const daemon = gateway.start()
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from })

  // A terminal of its own, in which somebody presses Enter once the first packets are in the ring.
  const command = [process.execPath, 'dist/agent/cli/main.js', 'mark', '"it happens now"', '--record', ...config].join(
    ' ',
  )
  const person = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, NODE_OPTIONS: '' } })
  let shown = ''
  person.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const packets = async () => gateway.json<LogRecord>('logs', '--type', 'wire', ...config)
  const isPacket = ({ level, data }: LogRecord): boolean => level === 10 && data.type === 'packetSent'
  while (!(await packets()).some(isPacket));
  person.stdin.write('\n')
  const [code] = await once(person, 'exit')
  t.equal(code, 0)
  const id = /mark-[0-9a-f]{8}/.exec(shown)?.[0]
  t.match(shown, /verbose records go into the ring until .*; press Enter to end that now/)
  const marks = await gateway.json<LogRecord>('logs', '--type', 'mark', '--around', String(id), ...config)
  t.match(marks.slice(-3), [
    { data: { id, note: 'it happens now' } },
    { data: { verbosity: 'raised', by: id } },
    { data: { verbosity: 'lowered', by: id, note: /who asked for them has what they need/ } },
  ])

  const [made] = await gateway.json<Mark>('mark', '--record', '--for', '2s', ...config)
  t.equal(made?.raised?.by, made?.id)
  const isOver = async () =>
    (await gateway.json<LogRecord>('logs', '--type', 'mark', ...config)).some(
      ({ data }) => data.verbosity === 'lowered' && data.by === made?.id,
    )
  while (!(await isOver()));

  const [long] = await gateway.json<Mark>('mark', '--record', '--for', '24h', ...config)
  daemon.kill('SIGKILL')
  await once(daemon, 'exit')
  const again = hub.log.length
  const next = gateway.start()
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from: again })
  const goesOn = async () =>
    (await gateway.json<LogRecord>('logs', '--type', 'mark', ...config)).some(
      ({ data }) => data.by === long?.id && /^verbose records go on into the ring until/.test(String(data.note)),
    )
  while (!(await goesOn()));
  next.kill('SIGTERM')
  await once(next, 'exit')

  for (const [args, said] of [
    [['--record', '--for', '25h'], /--for: expected a time such as 10m or 2h, from 1 s to 24 h/],
    [['--record', '--for', 'soon'], /--for: expected a time/],
    [['--for', '10m'], /--for: only with --record/],
  ] as const) {
    const { code, err } = await gateway.run('mark', ...args, ...config)
    t.equal(code, 2)
    t.match(err, said)
  }
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
