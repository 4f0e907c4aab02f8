/** What is installed on a device, away from this repository and everything it has installed: the daemon and its commands. */
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../agent/doctor/tell.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { makePackage } from '../../deploy/package/make.js'
import { startHub } from '../hub/hub.js'
import { Gateway } from '../support/hubrec.js'
import { entriesOf } from '../support/zip.js'

const hub = await startHub()
t.teardown(() => hub.close())
const dir = mkdtempSync(join(tmpdir(), 'hubrec-package-'))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))
const program = join(dir, 'hubrec.js')
await makePackage(process.cwd(), dir)

const ask = (...args: string[]): string =>
  execFileSync(process.execPath, [program, ...args], { encoding: 'utf8', env: { PATH: process.env.PATH } })

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(path => !statSync(join(folder, path)).isDirectory())

t.test('install.sh puts it in its place, again over itself, and takes it away', async t => {
  const root = t.testdir({})
  const install = (...args: string[]) =>
    spawnSync('sh', [join(dir, 'install.sh'), ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, DESTDIR: root },
    })
  const first = install()
  t.strictSame([first.status, first.stdout], [0, 'next: hubrec setup\n'], first.stderr)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const installed = join(root, 'usr/bin/hubrec')
  t.equal(execFileSync(installed, ['--version'], { encoding: 'utf8' }).trim(), version)
  t.ok(readdirSync(join(root, 'usr/lib/hubrec/cache')).length > 0)
  t.ok(readdirSync(join(root, 'etc/systemd/system')).includes('hubrec.service'))

  writeFileSync(join(root, 'etc/hubrec/config.json'), '{}')
  const second = install()
  t.strictSame([second.status, second.stdout], [0, ''], second.stderr)
  t.equal(readFileSync(join(root, 'etc/hubrec/config.json'), 'utf8'), '{}')
  t.equal(install('remove').status, 0)
  t.strictSame([...filesIn(join(root, 'usr')), ...filesIn(join(root, 'etc'))], ['hubrec/config.json'])
  t.equal(install('purge').status, 0)
  t.strictSame(filesIn(join(root, 'etc')), [])
  const wrong = install('upgrade')
  t.strictSame(
    [wrong.status, wrong.stderr],
    [1, 'install.sh: unknown argument upgrade; expected none, remove or purge\n'],
  )
})

let devices = 0

async function scene(t: Test, protocol: string) {
  const deviceId = `packaged-${++devices}`
  const door = await hub.addDevice(deviceId)
  const ports = { mqtt: door.port, amqp: door.port, https: door.port }
  const connectionString = hub.connectionString(deviceId, undefined, { port: false })
  const gateway = await Gateway.make(hub, connectionString, { connection: { protocol, ports } }, [], program)
  t.teardown(() => gateway[Symbol.asyncDispose]())
  return { deviceId, door, gateway }
}

/** A method is answered, as soon as the hub knows somebody who would. */
async function answered(deviceId: string): Promise<object> {
  for (const giveUpMs = performance.now() + 20_000; ; ) {
    try {
      return await hub.invokeMethod({ deviceId }, { methodName: 'ping' })
    } catch (error) {
      if (performance.now() > giveUpMs) throw error
      await hub.waitFor(() => true).catch(() => undefined)
    }
  }
}

const fine = { status: 200, payload: null }

t.test('it says its own version and those of what it brought along', async t => {
  const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(ask('--version').trim(), version)
  const { components } = JSON.parse(readFileSync(join(dir, 'sbom.cdx.json'), 'utf8'))
  const listed = new Set(components.map((each: { purl: string }) => each.purl))
  t.ok(listed.has(`pkg:npm/azure-iot-device@${dependencies['azure-iot-device']}`), 'the bill of materials has the SDK')
  t.ok(
    ['uplot', 'lit-html'].every(name => components.some((each: { name: string }) => each.name === name)),
    'and what the page of a report holds',
  )
  t.notOk(
    components.some((each: { name: string }) => each.name === 'typescript'),
    'and nothing that only built it',
  )
  const texts = readFileSync(join(dir, 'THIRD-PARTY-NOTICES.txt'), 'utf8')
  for (const { purl } of components as { purl: string }[]) {
    const name = decodeURIComponent(purl.replace('pkg:npm/', ''))
    if (!texts.includes(`${name} (`)) t.fail(`no licence is passed on for ${name}`)
  }
  t.match(ask('explain', '404104'), /DeviceConnectionClosedRemotely/)
})

t.test('the compiled code is kept once and used from then on', async t => {
  const made = spawnSync(process.execPath, [join(dir, 'compile.js')], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  })
  t.strictSame([made.status, made.stdout, made.stderr], [0, '', ''])
  const cached = readdirSync(join(dir, 'cache'))
  t.strictSame(
    cached.filter(name => !name.endsWith(`.${process.arch}.bin`)),
    [],
  )
  t.ok(
    cached.some(name => name.startsWith('daemon-')) && cached.some(name => name.startsWith('amqp-')),
    'also of what is seldom loaded',
  )
  const before = cached.map(name => statSync(join(dir, 'cache', name)).mtimeMs)
  t.equal(ask('--version').trim(), JSON.parse(readFileSync('package.json', 'utf8')).version)
  t.strictSame(
    cached.map(name => statSync(join(dir, 'cache', name)).mtimeMs),
    before,
    'and no run of a user writes there',
  )
})

t.test(
  'it connects, tells an outage, answers a regular expression, makes a bundle, asks doctor, and stops',
  async t => {
    const { deviceId, door, gateway } = await scene(t, 'mqtt')
    const daemon = gateway.start()
    t.strictSame(await answered(deviceId), fine)
    door.cut('rst')
    const back = async (): Promise<Episode | undefined> =>
      (await gateway.json<Episode>('episodes', '--state-dir', gateway.stateDir)).find(each => each.state === 'closed')
    let episode = await back()
    while (!episode) episode = await back()
    t.strictSame(await answered(deviceId), fine)
    t.match(episode, { protocol: 'mqtt', verdict: { cause: 'peer-reset', confidence: 'certain' } })

    const items = { id: 'hubrec', filter: { regex: 'has st(a|o)rted$' } }
    const logs = { schemaVersion: '1.0', items, encoding: 'none', contentType: 'text' }
    const { status, payload } = await hub.invokeMethod({ deviceId }, { methodName: 'GetModuleLogs', payload: logs })
    t.equal(status, 200)
    t.match(payload, [{ id: 'hubrec', payload: String }])

    const file = join(gateway.dir, 'bundle.zip')
    const { code, err } = await gateway.run('bundle', '--config', gateway.configFile, '-o', file)
    t.equal(code, 0, err)
    t.equal((await gateway.run('verify', file)).code, 0)
    const system = JSON.parse((await entriesOf(file)).get('system.json')?.toString() ?? '')
    const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'))
    t.match(system.inventory.parts.versions, { hubrec: version, sdk: { mqtt: dependencies.mqtt } })

    const [report] = await gateway.json<Report>('doctor', '--config', gateway.configFile)
    t.match(report?.checks, { daemon: { result: { result: 'ok' } }, 'sdk-versions': { result: { result: 'ok' } } })
    daemon.kill('SIGTERM')
    t.strictSame(await once(daemon, 'exit'), [0, null])
  },
)

for (const protocol of ['mqtt-ws', 'amqp', 'amqp-ws']) {
  t.test(`it speaks ${protocol}, which is loaded when it is wanted`, async t => {
    const { deviceId, gateway } = await scene(t, protocol)
    const daemon = gateway.start()
    t.strictSame(await answered(deviceId), fine)
    daemon.kill('SIGTERM')
    t.strictSame(await once(daemon, 'exit'), [0, null])
  })
}
