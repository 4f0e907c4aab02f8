/** A daemon that runs and cannot be asked, or cannot write: nobody takes it for one that does not run, and nothing crashes. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../agent/doctor/tell.js'
import type { Status } from '../../agent/status.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'

const hub = await startHub()
t.teardown(() => hub.close())

let devices = 0

async function scene(t: Test, config: Readonly<Record<string, unknown>> = {}) {
  const deviceId = `silent-${++devices}`
  const door = await hub.addDevice(deviceId)
  const connectionString = hub.connectionString(deviceId)
  const gateway = await Gateway.make(hub, connectionString, {
    probes: { portalUrl: null, controlName: null },
    ...config,
  })
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const secret = join(gateway.dir, 'connection-string')
  writeFileSync(secret, connectionString, { mode: 0o600 })
  const settings = JSON.parse(await readFile(gateway.configFile, 'utf8'))
  const ports = { mqtt: door.port, amqp: door.port, https: door.port }
  settings.connection = { ...settings.connection, ports, knownRootsFile: hub.caFile, connectionStringFile: secret }
  writeFileSync(gateway.configFile, JSON.stringify(settings))
  const start = async () => {
    const from = hub.log.length
    const daemon = gateway.start({ HUBREC_CONNECTION_STRING: '' })
    await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === deviceId, { from })
    return daemon
  }
  const doctor = async () => {
    const { code, out } = await gateway.run('doctor', '--json', '--config', gateway.configFile)
    const { checks } = JSON.parse(out) as Report
    const said = (id: string): string => `${checks[id]?.result.result}: ${checks[id]?.result.details?.[0]}`
    const [first] = Object.entries(checks).flatMap(([id, { result }]) => (result.result === 'failed' ? [id] : []))
    return { code, said, first, remedies: (id: string) => checks[id]?.result.details?.slice(2) ?? [] }
  }
  return { deviceId, gateway, start, doctor }
}

t.test('a state directory that is a file: it records in memory, and is not told as one that does not run', async t => {
  const { deviceId, gateway, start, doctor } = await scene(t)
  writeFileSync(gateway.stateDir, 'of somebody else')
  const daemon = await start()
  const from = hub.log.length
  const { code, said, first, remedies } = await doctor()
  t.strictSame([code, first], [1, 'daemon'])
  const socket = join(gateway.stateDir, 'control.sock')
  t.equal(
    said('daemon'),
    `failed: hubrec runs (pid ${daemon.pid}) and does not answer: it could not make its control socket ${socket}: ENOTDIR`,
  )
  t.match(remedies('daemon')[1], new RegExp(`kill ${daemon.pid}\``))
  t.equal(said('disk'), `failed: ${gateway.stateDir} is no directory: ENOTDIR`)
  t.match(said('sign-in'), /^skipped: waits for .*daemon$/)
  t.strictSame(
    hub.log.slice(from).filter(event => 'deviceId' in event && event.deviceId === deviceId && event.type === 'connect'),
    [],
    'nobody throws it out',
  )
  const status = await gateway.run('status', '--config', gateway.configFile)
  t.equal(status.code, 1)
  t.match(status.err, `hubrec status: hubrec runs (pid ${daemon.pid}) and does not answer: `)
  t.match(status.err, `hubrec status: ${gateway.stateDir} is no directory: ENOTDIR`)
  t.match(status.out, /^daemon {6}runs and does not answer: this is from the disk, last record never/)
  const second = await gateway.run('run', '--config', gateway.configFile)
  t.equal(second.code, 2)
  t.match(second.err, `another hubrec (pid ${daemon.pid}) writes to ${gateway.stateDir}`)
  daemon.kill('SIGTERM')
  t.strictSame(await once(daemon, 'exit'), [0, null])
})

t.test('a control socket that is a directory, or below /proc: it runs, says why, and ends when told to', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'taken-'))
  t.teardown(() => rmdirSync(dir))
  for (const [controlSocket, refusal] of [
    [dir, 'ENOTSOCK'],
    ['/proc/nowhere/control.sock', 'ENOENT'],
  ] as const) {
    const { gateway, start } = await scene(t, { controlSocket })
    const daemon = await start()
    const { code, err } = await gateway.run('status', '--config', gateway.configFile)
    t.equal(code, 1)
    const why = `it could not make its control socket ${controlSocket}: ${refusal}`
    t.match(err, `(pid ${daemon.pid}) and does not answer: ${why}`)
    daemon.kill('SIGTERM')
    t.strictSame(await once(daemon, 'exit'), [0, null])
  }
})

t.test('one that hangs: status falls back to the disk, mark says that it cannot, and doctor who it is', async t => {
  const { deviceId, gateway, start, doctor } = await scene(t)
  const daemon = await start()
  daemon.kill('SIGSTOP')
  const args = ['--config', gateway.configFile]
  const [status, mark, { said, first, remedies }] = await Promise.all([
    gateway.run('status', '--json', ...args),
    gateway.run('mark', 'now', ...args),
    doctor(),
  ])
  const silent = `hubrec runs (pid ${daemon.pid}) and does not answer: nothing came within 5 s`
  t.equal(status.code, 1)
  t.match(JSON.parse(status.out), { daemon: 'silent', pid: daemon.pid, device: { deviceId } })
  t.match(status.err, `hubrec status: ${silent}\nhubrec status: It is stopped: \`kill -CONT ${daemon.pid}\``)
  t.equal(mark.code, 1)
  t.match(
    mark.err,
    new RegExp(`hubrec mark: ${silent.replace(/[()]/g, '\\$&')}\n[^]*no marker is written before it answers`),
  )
  t.equal(said('daemon'), `failed: ${silent}`)
  t.equal(first, 'daemon')
  t.equal(remedies('daemon')[0], `It is stopped: \`kill -CONT ${daemon.pid}\` lets it go on.`)
  daemon.kill('SIGCONT')
  t.equal((await gateway.run('status', ...args)).code, 0)
})

t.test('a disk that is full is a failure, and so is a ring that is in memory', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'full-'))
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', dir]).status !== 0) {
      t.comment('SKIPPED: a disk that is full needs the privilege to mount one')
      return
    }
    const { gateway, start, doctor } = await scene(t, { stateDir: join(dir, 'state') })
    mkdirSync(join(dir, 'state'))
    spawnSync('dd', ['if=/dev/zero', `of=${join(dir, 'ballast')}`, 'bs=4096', 'count=1000'])
    const idle = await doctor()
    t.strictSame([idle.code, idle.first], [1, 'disk'])
    t.equal(idle.said('disk'), `failed: there is no room at ${join(dir, 'state')}: ENOSPC`)
    const daemon = await start()
    const { code, first, said } = await doctor()
    t.strictSame([code, first], [1, 'disk'])
    t.match(said('disk'), new RegExp(`^failed: the recorder cannot write ${join(dir, 'state', 'ring')}: ENOSPC`))
    t.match(said('ring'), /^failed: it is in memory, because the disk refuses: ENOSPC.*; \d+ records are lost so far$/)
    spawnSync('rm', [join(dir, 'ballast')])
    const kept = async () => (await gateway.json<Status>('status', '--config', gateway.configFile))[0]?.ring
    let ring = await kept()
    while (!ring || !('mode' in ring) || ring.mode === 'memory') ring = await kept()
    t.equal(ring.mode, 'disk', 'it heals by itself')
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
    await gateway[Symbol.asyncDispose]()
  } finally {
    spawnSync('umount', [dir])
    rmdirSync(dir)
  }
})
