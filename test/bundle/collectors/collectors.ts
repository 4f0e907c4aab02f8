import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { hostCommandNames, hostCommands } from '../../../agent/bundle/collectors/host-commands.js'
import { makeBundle } from '../../../agent/bundle/make.js'
import type { CollectorSettings } from '../../../agent/config/config.js'
import { createRedactor } from '../../../agent/redact.js'
import { createSecrets } from '../../../transports/secrets.js'
import { entriesOf } from '../../support/zip.js'

const nothing: CollectorSettings = {
  journal: [],
  files: [],
  fileRoots: [],
  edgeModules: [],
  commands: [],
  timeLimitSeconds: 20,
  bytesMax: 1 << 20,
}

/** Programs of that name, as shell scripts. */
const programs = async (dir: string, scripts: Readonly<Record<string, string>>): Promise<string> => {
  await mkdir(dir)
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(dir, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(dir, name), 0o755)
  }
  return `${dir}:${process.env.PATH}`
}

t.test(
  'what the configuration names is gathered before everything that does not fade, and told of entry by entry',
  async t => {
    const dir = t.testdir()
    const secrets = createSecrets()
    secrets.add('shared-access-key', 'kR3t9aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w=')
    const searchPath = await programs(join(dir, 'bin'), {
      ip: 'echo "default via 192.0.2.1 # $*"',
      df: 'echo begun; exec sleep 1000',
      free: 'yes "the same line again and again" | head -c 20000',
      dmesg: 'seq 1 5000',
      systemctl: 'echo "hubrec.service is dead"; exit 3',
      timedatectl: 'echo "Failed to connect to bus" >&2; exit 1',
      iotedge: 'echo "$@"; echo "an error of the module" >&2',
      journalctl: 'echo "$@"; echo "the key is kR3t9aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w="',
    })
    const { manifest } = await makeBundle({
      file: join(dir, 'bundle.zip'),
      window: { since: 1_700_000_000_500, until: 1_700_000_100_500 },
      requestedBy: 'a test',
      why: 'to look inside',
      ringDir: join(dir, 'ring'),
      device: 'gate',
      config: {},
      versions: { hubrec: '0', sdk: { device: '0', mqtt: '0', amqp: '0', mqttClient: '0' }, node: '0', os: '0' },
      causes: {},
      redactor: createRedactor(secrets),
      secrets,
      nowMs: 1_700_000_100_500,
      parts: [],
      searchPath,
      collect: {
        ...nothing,
        timeLimitSeconds: 2,
        bytesMax: 4_096,
        commands: ['ip-route', 'disk-space', 'memory', 'kernel-log', 'unit-hubrec', 'time', 'modems'],
        edgeModules: ['my_module-1'],
        journal: ['telemetry.service', 'a\\x2db@1.service'],
      },
    })
    const entries = await entriesOf(join(dir, 'bundle.zip'))
    const told = manifest.entries.map(({ name, status, reason }) => [name.replace('collectors/', ''), status, reason])
    t.strictSame(told, [
      ['commands/ip-route.txt', 'complete', null],
      ['commands/disk-space.txt', 'timedOut', 'not done within 2000 ms'],
      ['commands/memory.txt', 'truncated', 'cut after 4096 bytes, which is all it may have'],
      ['commands/kernel-log.txt', 'truncated', 'only the newest 4096 bytes, which is all it may have'],
      ['commands/unit-hubrec.txt', 'complete', null],
      ['commands/time.txt', 'failed', 'timedatectl ended with 1: Failed to connect to bus'],
      ['commands/modems.txt', 'skipped', 'mmcli is not installed'],
      ['journal/telemetry.service.txt', 'complete', null],
      ['journal/a_x2db@1.service.txt', 'complete', null],
      ['edge-modules/my_module-1.txt', 'complete', null],
    ])
    const textOf = (name: string): string => String(entries.get(`collectors/${name}`))
    t.equal(textOf('commands/ip-route.txt'), 'default via 192.0.2.1 # route show table all\n')
    t.equal(textOf('commands/disk-space.txt'), 'begun\n')
    t.equal(textOf('commands/memory.txt'), 'the same line again and again\n'.repeat(136))
    t.match(textOf('commands/kernel-log.txt'), /^4182\n(\d{4}\n){817}5000\n$/)
    t.equal(
      textOf('edge-modules/my_module-1.txt'),
      'logs my_module-1 --since 1700000000 --until 1700000101\nan error of the module\n',
    )
    const [asked, said] = textOf('journal/telemetry.service.txt').split('\n')
    t.equal(
      asked,
      '--unit=telemetry.service --since=@1700000000 --until=@1700000101 --output=short-iso-precise --utc --no-hostname --no-pager --all',
    )
    t.equal(said, 'the key is [removed:shared-access-key]')
    t.match(manifest.redactions, { 'shared-access-key': 2 })
  },
)

t.test('each command of the list is one that only reads, and no two have a name that differs by case', async t => {
  t.equal(new Set(hostCommandNames.map(name => name.toLowerCase())).size, hostCommandNames.length)
  for (const name of hostCommandNames) {
    const { program, arguments: given } = hostCommands[name]
    t.match(name, /^[a-z0-9-]+$/)
    t.match(program, /^[a-z]+$/, 'found by the search path alone')
    for (const argument of given) t.match(argument, /^[A-Za-z0-9=,._-]+$/, 'nothing that a shell would read otherwise')
  }
})

t.test('docs/bundle.md tells of each command with what it runs', async t => {
  const page = await readFile('docs/bundle.md', 'utf8')
  const told = [...page.matchAll(/^\| `([a-z0-9-]+)` +\| `([^`]+)` +\|$/gm)].map(([, name, runs]) => [name, runs])
  t.strictSame(
    told,
    hostCommandNames.map(name => [name, [hostCommands[name].program, ...hostCommands[name].arguments].join(' ')]),
  )
})
