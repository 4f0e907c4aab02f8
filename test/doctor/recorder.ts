/** The host and the recorder on it. Each check once as it should be, and once as it should not. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checks } from '../../agent/doctor/checks.js'
import { openRing } from '../../agent/ring/open.js'
import { startHub } from '../hub/hub.js'
import { brief, examine } from '../support/examined.js'
import { Gateway } from '../support/hubrec.js'
import { recordJson, stamp } from '../support/ring-records.js'
import { entriesOf } from '../support/zip.js'

const hub = await startHub()
t.teardown(() => hub.close())

t.test('disk: what cannot be written is tried, and named with what the system says', async t => {
  const dir = t.testdir({ file: '' })
  const by = async (stateDir: string) => brief(await examine('disk', { config: { stateDir } }))
  const file = join(dir, 'file')
  t.equal(await by(file), `failed: ${file} is no directory: ENOTDIR`)
  t.equal(await by(join(file, 'state')), `failed: ${file} (for ${join(file, 'state')}) is no directory: ENOTDIR`)
  t.equal(await by('/proc/hubrec'), 'failed: /proc (for /proc/hubrec) cannot be written: ENOENT')
  const before = readdirSync(dir)
  t.match(await by(dir), /^ok: \d+ MiB are free at /)
  t.strictSame(readdirSync(dir), before, 'nothing of it stays')
  if (process.getuid?.() !== 0) {
    t.comment('SKIPPED: what is of another user needs the privilege to be one')
    return
  }
  const other = mkdtempSync(join(tmpdir(), 'other-'))
  t.teardown(() => rmSync(other, { recursive: true }))
  mkdirSync(join(other, 'ring'))
  writeFileSync(join(other, 'ring', '1.log'), '', { mode: 0o644 })
  const asNobody = async () => {
    process.seteuid?.(65_534)
    try {
      return await examine('disk', { config: { stateDir: other } })
    } finally {
      process.seteuid?.(0)
    }
  }
  chmodSync(other, 0o755)
  const refused = await asNobody()
  t.equal(brief(refused), `failed: ${other} may not be written: EACCES; it belongs to uid 0, and this is uid 65534`)
  t.match(refused.remedies?.[1], `chown -R 65534 ${other}`)
  chmodSync(other, 0o777)
  chmodSync(join(other, 'ring'), 0o777)
  t.match(
    brief(await asNobody()),
    `failed: ${other}/ring/1.log (for ${other}) may not be written: EACCES; it belongs to uid 0`,
    'what another user has begun',
  )
})

t.test('disk: room enough, less than the ring may take, and a file system that is read-only', async t => {
  t.match(brief(await examine('disk')), /^ok: \d+ MiB are free at /)
  t.match(
    brief(await examine('disk', { config: { ring: { budgetBytes: 2 ** 40 } } })),
    /^warning: \d+ MiB are free at .*, \d+ MiB less than the ring may still take$/,
  )
  // Not in a directory of the runner's, which could not take it away while it is mounted.
  const dir = mkdtempSync(join(tmpdir(), 'read-only-'))
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', dir]).status !== 0) {
      t.comment('SKIPPED: a file system that is read-only needs the privilege to mount one')
      return
    }
    const found = await examine('disk', { config: { stateDir: dir } })
    spawnSync('umount', [dir])
    t.equal(brief(found), `failed: the file system of ${dir} is read-only: EROFS`)
  } finally {
    rmdirSync(dir)
  }
})

t.test('power: a Pi that has enough, one that had not, one that has not, and what is no Pi', async t => {
  const by = (bits: string) =>
    examine('power', { files: { 'sys/devices/platform/soc/soc:firmware/get_throttled': bits } })
  t.equal(brief(await by('0x0')), 'ok: it is')
  t.equal(brief(await by('0x10000')), 'warning: the voltage has been too low since this host booted')
  t.equal(brief(await by('0x10001')), 'failed: the voltage is too low now')
  t.equal(brief(await examine('power', { files: { 'sys/x': '' } })), 'skipped: this host does not measure it')
})

t.test('sdk-versions: as new as can be, and one that was left behind', async t => {
  t.match(brief(await examine('sdk-versions')), /^ok: azure-iot-device 1\.\d+\.\d+, as new as of /)
  const behind = await examine('sdk-versions', {
    instead: facts => ({ sdk: () => ({ ...facts.sdk(), device: '1.17.0' }) }),
  })
  t.match(brief(behind), /^warning: azure-iot-device 1\.17\.0 is older than .*; .* are of different ages: /)
})

t.test('ring: whole, damaged, and not there yet', async t => {
  const stateDir = t.testdir({})
  const dir = join(stateDir, 'ring')
  mkdirSync(dir)
  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp })
  for (let id = 1; id <= 20; id++) await ring.append(recordJson(id), 'kernel')
  await ring.close()
  t.match(brief(await examine('ring', { config: { stateDir } })), /^ok: 2\d records in 1 segments$/)
  const [name = ''] = readdirSync(dir).filter(each => each.endsWith('.log'))
  const lines = readFileSync(join(dir, name), 'utf8').split('\n')
  lines[5] = 'x'.repeat(lines[5]?.length ?? 0)
  writeFileSync(join(dir, name), lines.join('\n'))
  t.match(brief(await examine('ring', { config: { stateDir } })), /^failed: 1 of 1 segments are damaged: .*missing: /)
  t.match(brief(await examine('ring')), /^skipped: there is none yet at /)
})

t.test('unit: active and watched, flaky, failed, and no systemd', async t => {
  const bin = t.testdir({})
  const by = async (shown: string) => {
    writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\ncat <<'END'\n${shown}\nEND\n`)
    chmodSync(join(bin, 'systemctl'), 0o755)
    const { PATH } = process.env
    process.env.PATH = `${bin}:${PATH}`
    try {
      return brief(await examine('unit', { files: { 'run/systemd/system/x': '' } }))
    } finally {
      process.env.PATH = PATH
    }
  }
  const shown = (active: string, watchdog = '1min', restarts = '0', enabled = 'enabled') =>
    `LoadState=loaded\nActiveState=${active}\nUnitFileState=${enabled}\nWatchdogUSec=${watchdog}\nNRestarts=${restarts}`
  t.equal(await by(shown('active')), 'ok: hubrec.service is active, and watched')
  t.equal(
    await by(shown('active', '0', '3', 'disabled')),
    'warning: it does not start at boot; nobody watches over it; it was restarted 3 times',
  )
  t.equal(await by(shown('failed')), 'failed: hubrec.service is failed')
  t.equal(await by('LoadState=not-found\nActiveState=inactive'), 'warning: there is no hubrec.service')
  t.equal(brief(await examine('unit', { files: { 'run/x': '' } })), 'skipped: systemd does not run here')
})

t.test('daemon and methods: a recorder that is connected, one that is not, and none', async t => {
  t.match(brief(await examine('daemon')), /^warning: nobody answers at control\.sock/)
  t.equal(brief(await examine('methods')), 'skipped: nobody is there to answer them')

  const door = await hub.addDevice('gateway')
  const gateway = await Gateway.make(hub, hub.connectionString('gateway'))
  t.teardown(() => gateway[Symbol.asyncDispose]())
  const daemon = gateway.start()
  await hub.waitFor(event => event.type === 'subscribe' && event.deviceId === 'gateway', { from: 0 })
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Record<string, unknown>
  const story = {
    connectionString: hub.connectionString('gateway'),
    config: { ...config, stateDir: gateway.stateDir, controlSocket: join(gateway.stateDir, 'control.sock') },
  }
  const socket = JSON.parse((await gateway.run('status', '--json', '--config', gateway.configFile)).out) as object
  t.ok(socket)
  t.equal(brief(await examine('daemon', story)), 'ok: connected over mqtt')
  t.match(
    brief(await examine('methods', story)),
    /^ok: answered in N ms here, and (N ms on the road|the road is not measured yet)$/,
  )
  t.equal(brief(await examine('sign-in', story)), 'ok: the recorder is signed in over mqtt')

  const { status: code, payload } = await hub.invokeMethod({ deviceId: 'gateway' }, { methodName: 'RunDoctor' })
  t.equal(code, 200)
  const { checks: asked } = payload as { checks: Record<string, { result: { result: string; details: string[] } }> }
  t.strictSame(
    Object.keys(asked),
    checks.map(({ id }) => id),
  )
  t.strictSame(asked['sign-in']?.result, { result: 'ok', details: ['the recorder is signed in over mqtt'] })
  t.strictSame(asked['other-clients']?.result, { result: 'ok', details: ['by nothing'] })
  const file = join(gateway.dir, 'bundle.zip')
  t.equal((await gateway.run('bundle', '-o', file, '--config', gateway.configFile)).code, 0)
  const { checks: kept } = JSON.parse(String((await entriesOf(file)).get('doctor.json')))
  t.equal(kept['sign-in'].result.result, 'ok')

  const from = hub.log.length
  await door.set({ kind: 'refuse' })
  door.cut('rst')
  await hub.waitFor(event => event.type === 'sessionEnded' && event.deviceId === 'gateway', { from })
  const away = async () => brief(await examine('daemon', story))
  let told = await away()
  while (!told.startsWith('failed')) told = await away()
  t.match(told, /^failed: it runs and is not connected: /)
  t.match(brief(await examine('sign-in', story)), /^skipped: /)
  daemon.kill('SIGTERM')
  await once(daemon, 'exit')
})
