/** The daemon as systemd starts it, with a real socket in systemd's place. */
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { LogRecord } from '../../agent/evidence/record.js'
import { startHub } from '../hub/hub.js'
import { Datagrams, hasPerl, type Message } from '../support/datagrams.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

const skip = hasPerl ? false : 'perl is not here'
let devices = 0

async function scene(t: Test) {
  const deviceId = `service-${++devices}`
  const door = await hub.addDevice(deviceId)
  const within = ['perl', 'deploy/package/beside/notify-exec.pl']
  const gateway = await Gateway.make(hub, hub.connectionString(deviceId), {}, within)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const socket = join(gateway.dir, 'notify')
  const systemd = await Datagrams.at(socket)
  t.teardown(() => systemd[Symbol.dispose]())
  const start = (env: Record<string, string> = {}) =>
    gateway.start({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000', JOURNAL_STREAM: '8:1', ...env })
  return { deviceId, door, gateway, systemd, start }
}

const isReady = (message: Message): boolean => message.READY === '1'
const isOnline = ({ STATUS = '' }: Message): boolean => STATUS.startsWith('online over mqtt')

t.test(
  'it is ready before there is a hub, keeps systemd told, reads its configuration again, and stops',
  { skip },
  async t => {
    const { door, gateway, systemd, start } = await scene(t)
    await door.set({ kind: 'refuse' })
    const daemon = start()
    t.match(await systemd.next(isReady), { STATUS: /^offline since / }, 'it does not wait for the network')
    t.match(await systemd.next(each => each.WATCHDOG === '1'), { STATUS: String })
    await door.heal()
    await systemd.next(isOnline)

    const fds = readdirSync(`/proc/${daemon.pid}/fdinfo`)
    const sockets = fds.filter(fd => Number(fd) > 2 && isSocketOf(daemon.pid!, fd) && !isCloseOnExec(daemon.pid!, fd))
    t.strictSame(sockets, [], 'nothing of it goes to the children')

    t.match(gateway.output, /^<6>hubrec has started device=service-1/m, 'its lines have priorities')
    const settings = JSON.parse(readFileSync(gateway.configFile, 'utf8'))
    const reload = async (text: string, said: RegExp): Promise<void> => {
      writeFileSync(gateway.configFile, text)
      const from = systemd.heard.length
      daemon.kill('SIGHUP')
      t.match(await systemd.next(each => each.RELOADING === '1', from), { MONOTONIC_USEC: /^\d+$/ })
      await systemd.next(isReady, from)
      while (!said.test(gateway.output)) await once(daemon.stdout!, 'data')
    }
    const changed = { ...settings, ring: { budgetBytes: 300_000 }, upload: { privateHosts: ['store.local'] } }
    await reload(
      JSON.stringify(changed),
      /<4>these settings change with the next restart changed=\["ring.budgetBytes"\]/,
    )
    t.match(gateway.output, /<6>the configuration was reloaded changed=\["upload.privateHosts"\]/)
    await reload(
      '{"logLevel": "loud", "x": 1}',
      /<3>the configuration was not reloaded and stays as it was.*logLevel.*x: /,
    )
    await reload(JSON.stringify({ ...changed, logLevel: 'error' }), /changed=\["logLevel"\]/)
    const heard = systemd.heard.length
    daemon.kill('SIGHUP')
    await systemd.next(isReady, heard)
    const said = gateway.output

    const stoppedMs = performance.now()
    daemon.kill('SIGTERM')
    t.strictSame(await once(daemon, 'exit'), [0, null])
    t.ok(performance.now() - stoppedMs < 5_000)
    await systemd.next(each => each.STOPPING === '1')
    t.equal(gateway.output, said, 'the log level it was given holds')
    const records = await gateway.json<LogRecord>('logs', '--state-dir', gateway.stateDir)
    t.match(
      records.findLast(({ type }) => type !== 'log'),
      { type: 'stop', data: { why: 'SIGTERM' } },
    )
  },
)

t.test('a process that hangs is not fed for, and one that goes on is', { skip }, async t => {
  const { systemd, start } = await scene(t)
  const daemon = start()
  await systemd.next(isOnline)
  daemon.kill('SIGSTOP')
  while (stateOf(daemon.pid!) !== 'T') await nextTurn()
  // What it had sent comes before a word of ours; from there systemd would wait for 0.6 s, and that silence is waited for.
  systemd.say('MARK=1')
  await systemd.next(each => each.MARK === '1')
  const before = systemd.heard.length
  await sleep(900)
  t.equal(systemd.heard.length, before)
  daemon.kill('SIGCONT')
  t.match(await systemd.next(each => each.WATCHDOG === '1', before), { STATUS: String })
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
})

t.test(
  'without the way to systemd it says so and runs; and what is wrong with its configuration is an error',
  async t => {
    const { gateway } = await scene(t)
    const daemon = gateway.start({ NOTIFY_SOCKET: '/nowhere/notify', JOURNAL_STREAM: '8:1' })
    while (!gateway.output.includes('hubrec has started')) await once(daemon.stdout!, 'data')
    t.match(gateway.output, /<4>systemd waits for word of this service, and nobody has handed on its socket/)
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
    writeFileSync(gateway.configFile, '{')
    const wrong = gateway.start({ JOURNAL_STREAM: '8:1' })
    t.strictSame(await once(wrong, 'close'), [2, null])
    t.match(gateway.output, /^<3>hubrec: CONFIG_INVALID/m)
  },
)

/** `T` is stopped. */
const stateOf = (pid: number): string => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''

const isSocketOf = (pid: number, fd: string): boolean => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:')

function isCloseOnExec(pid: number, fd: string): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? ''
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}
