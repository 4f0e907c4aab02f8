/** Files by pattern, and all that somebody may put in their place. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, link, mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { files } from '../../../agent/bundle/collectors/files.js'
import { filesMax } from '../../../agent/bundle/collectors/find-files.js'
import { openFile } from '../../../agent/bundle/collectors/open-file.js'
import { makeBundle } from '../../../agent/bundle/make.js'
import { Skipped } from '../../../agent/bundle/part.js'
import type { CollectorSettings } from '../../../agent/config/config.js'
import { createRedactor } from '../../../agent/redact.js'
import { createSecrets } from '../../../transports/secrets.js'
import { entriesOf } from '../../support/zip.js'

const key = 'kR3t9aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w='

/** A root with files in it, a place beside it that nobody allowed, and what a bundle has of them. */
const prepare = async (t: Test) => {
  const dir = t.testdir({ root: { sub: {} }, outside: { 'secret.log': 'not for you\n' }, state: { ring: {} } })
  const root = join(dir, 'root')
  const collect = async (change: Partial<CollectorSettings> = {}) => {
    const secrets = createSecrets()
    secrets.add('shared-access-key', key)
    const { manifest } = await makeBundle({
      file: join(dir, 'bundle.zip'),
      window: { since: 0, until: 1 },
      requestedBy: 'a test',
      why: 'to look inside',
      ringDir: join(dir, 'state/ring'),
      device: 'gate',
      config: {},
      versions: { hubrec: '0', sdk: { device: '0', mqtt: '0', amqp: '0', mqttClient: '0' }, node: '0', os: '0' },
      causes: {},
      redactor: createRedactor(secrets),
      secrets,
      nowMs: 1,
      parts: [],
      collect: {
        journal: [],
        files: [`${root}/**`],
        fileRoots: [root],
        edgeModules: [],
        commands: [],
        timeLimitSeconds: 30,
        bytesMax: 65_536,
        ...change,
      },
    })
    const entries = await entriesOf(join(dir, 'bundle.zip'))
    const prefix = `collectors/files${root}/`
    const told = manifest.entries
      .filter(({ name }) => name !== 'collectors/files.json')
      .map(({ name, status, reason }) => [name.replace(prefix, ''), status, reason] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    const index = JSON.parse(String(entries.get('collectors/files.json') ?? 'null'))
    const textOf = (name: string): string => String(entries.get(`${prefix}${name}`))
    return { told, index, textOf, entries, manifest }
  }
  return { dir, root, collect }
}

t.test('files come redacted, the newest first, each below its own path', async t => {
  const { root, collect } = await prepare(t)
  await writeFile(join(root, 'old.log'), 'old\n')
  await utimes(join(root, 'old.log'), 1, 1)
  await writeFile(join(root, 'sub/new one.log'), `the key is ${key}\nthe end`)
  await writeFile(join(root, '.hidden.log'), '')
  await utimes(join(root, '.hidden.log'), 2, 2)
  await writeFile(join(root, 'sub/other.txt'), 'not asked for')
  const { index, textOf, manifest, told } = await collect({ files: [`${root}/**/*.log`, `${root}/none/*`] })
  t.strictSame(index, {
    patterns: [
      { pattern: `${root}/**/*.log`, files: 3, problem: null },
      { pattern: `${root}/none/*`, files: 0, problem: null },
    ],
    files: [
      { path: join(root, 'sub/new one.log'), bytes: 60 },
      { path: join(root, '.hidden.log'), bytes: 0 },
      { path: join(root, 'old.log'), bytes: 4 },
    ],
    leftOut: 0,
  })
  t.ok(told.every(([, status]) => status === 'complete'))
  t.equal(textOf('sub/new_one.log'), 'the key is [removed:shared-access-key]\nthe end')
  t.equal(textOf('old.log'), 'old\n')
  t.strictSame(
    manifest.entries.map(({ name }) => name.split('/').at(-1)),
    ['files.json', 'new_one.log', '.hidden.log', 'old.log'],
  )
})

t.test('of more than fits the newest whole lines stay', async t => {
  const { root, collect } = await prepare(t)
  const line = (n: number): string => `line ${String(n).padStart(6, '0')}\n`
  await writeFile(join(root, 'long.log'), Array.from({ length: 100_000 }, (_, n) => line(n)).join(''))
  await writeFile(join(root, 'exact.log'), 'x'.repeat(4_095).concat('\n'))
  await writeFile(join(root, 'one line.log'), 'x'.repeat(10_000))
  const { told, textOf } = await collect({ bytesMax: 4_096 })
  t.strictSame(told, [
    ['exact.log', 'complete', null],
    ['long.log', 'truncated', 'the newest 4096 of 1200000 bytes, which is all it may have'],
    ['one_line.log', 'failed', 'the newest 4096 of 10000 bytes, which is all it may have'],
  ])
  t.equal(textOf('long.log'), Array.from({ length: 341 }, (_, n) => line(99_659 + n)).join(''))
})

t.test('what is no file, or leads elsewhere, is never opened, and is told of', async t => {
  const { dir, root, collect } = await prepare(t)
  await writeFile(join(root, 'good.log'), 'good\n')
  await symlink(join(dir, 'outside/secret.log'), join(root, 'link.log'))
  await symlink(join(dir, 'outside'), join(root, 'linked'))
  await symlink(join(dir, 'outside'), join(root, 'sub/dir'))
  await symlink('/dev/zero', join(root, 'zero.log'))
  await symlink('/proc/kmsg', join(root, 'kernel.log'))
  await link(join(dir, 'outside/secret.log'), join(root, 'hard.log'))
  await writeFile(join(root, 'holes.log'), 'begins as text\n')
  await truncate(join(root, 'holes.log'), 1 << 40)
  await writeFile(join(root, 'binary.log'), Buffer.from([1, 2, 0, 3]))
  execFileSync('mkfifo', [join(root, 'fifo.log')])
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('mknod', [join(root, 'device.log'), 'c', '1', '5'])

  const { told, entries } = await collect({
    files: [`${root}/**`, ...['fifo.log', 'device.log', 'linked/secret.log'].map(name => `${root}/${name}`)],
  })
  t.strictSame(
    told,
    [
      ['binary.log', 'skipped', 'it is no text, or has holes'],
      ['good.log', 'complete', null],
      ['hard.log', 'skipped', 'it has 2 names'],
      ['holes.log', 'skipped', 'it is no text, or has holes'],
      ['linked/secret.log', 'skipped', 'it has 2 names'],
    ],
    'a pattern leads neither to links nor to pipes and devices',
  )
  for (const [name, content] of entries) t.notOk(content.includes('not for you'), name)

  const bounds = { roots: [root], refused: [join(dir, 'state')] }
  for (const [name, why] of [
    ['fifo.log', 'it is a pipe'],
    ['link.log', 'it is a symbolic link'],
    ['zero.log', 'it is a symbolic link'],
    ['sub', 'it is a directory'],
    ['linked/secret.log', 'it has 2 names'],
    ...(isRoot ? [['device.log', 'it is a device'] as const] : []),
  ] as const) {
    await t.rejects(openFile(join(root, name), bounds), new Skipped(why), name)
  }
  // The path of a socket may not be long.
  const short = await mkdtemp(join(tmpdir(), 'hubrec-'))
  t.teardown(() => rm(short, { recursive: true }))
  const server = createServer().listen(join(short, 's'))
  await once(server, 'listening')
  t.teardown(() => server.close())
  await t.rejects(openFile(join(short, 's'), { ...bounds, roots: [short] }), new Skipped('it is a socket'))
  await rm(join(root, 'hard.log'))
  await t.rejects(openFile(join(root, 'linked/secret.log'), bounds), new Skipped('it lies outside of fileRoots'))
  await writeFile(join(dir, 'state/key'), 'ours\n')
  await t.rejects(
    openFile(join(dir, 'state/key'), { ...bounds, roots: [dir] }),
    new Skipped("it is in hubrec's own state directory"),
  )
})

t.test('a directory that is swapped for a link while it is opened shows nothing of where the link leads', async t => {
  const { dir, root } = await prepare(t)
  const path = join(root, 'sub/secret.log')
  await writeFile(path, 'ours\n')
  await symlink(join(dir, 'outside'), join(dir, 'trap'))
  let isOver = false
  let round = 0
  const turns = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await turn()
  }
  const swapping = (async () => {
    while (!isOver) {
      await rename(join(root, 'sub'), join(dir, 'kept'))
      await rename(join(dir, 'trap'), join(root, 'sub'))
      await turns(++round % 7)
      await rename(join(root, 'sub'), join(dir, 'trap'))
      await rename(join(dir, 'kept'), join(root, 'sub'))
      await turns(round % 23)
    }
  })()
  const seen = new Map<string, number>()
  for (let n = 0; n < 1_500; n++) {
    const outcome = await openFile(path, { roots: [root], refused: [] }).then(
      async ({ handle }) => {
        const text = (await handle.readFile('utf8')).trim()
        await handle.close()
        return text
      },
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    )
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
  }
  isOver = true
  await swapping
  t.notOk(seen.has('not for you'), JSON.stringify([...seen]))
  t.ok(seen.has('ours') && seen.has('it lies outside of fileRoots'), JSON.stringify([...seen]))
})

t.test('a file that grows while it is read is read as far as it was', async t => {
  const { root } = await prepare(t)
  const path = join(root, 'growing.log')
  await writeFile(path, 'one\n'.repeat(100_000))
  const settings = { files: [path], fileRoots: [root], timeLimitSeconds: 30, bytesMax: 1 << 24 }
  const all = { journal: [], edgeModules: [], commands: [], ...settings }
  const context = {
    text: (text: string) => text,
    textStream: createRedactor(createSecrets()).stream,
    json: JSON.stringify,
    window: { since: 0, until: 1 },
    stateDir: '/nowhere',
    signal: new AbortController().signal,
  }
  let bytes = 0
  for await (const part of files.partsOf(all, context)) {
    if (part.name === 'collectors/files.json') continue
    for await (const piece of part.content(context as never)) {
      bytes += piece.length
      await appendFile(path, 'two\n'.repeat(20_000))
    }
  }
  t.equal(bytes, 400_000)
})

t.test('of too many files the oldest are left out, and a tree without end costs its time', async t => {
  const { root, collect } = await prepare(t)
  await mkdir(join(root, 'many'))
  for (let n = 0; n < filesMax + 5; n++) {
    await writeFile(join(root, `many/${n}.log`), '')
    await utimes(join(root, `many/${n}.log`), 1_000 + n, 1_000 + n)
  }
  const { told, index, manifest } = await collect({ files: [`${root}/many/*`] })
  t.equal(told.length, filesMax)
  t.strictSame(
    [index.leftOut, index.files[0].path, index.files.at(-1).path],
    [5, `${root}/many/104.log`, `${root}/many/5.log`],
  )
  t.match(manifest.entries[0], {
    name: 'collectors/files.json',
    status: 'truncated',
    reason: '5 older files were left out',
  })

  const hasty = await collect({ files: ['/usr/**/*.log'], fileRoots: ['/usr'], timeLimitSeconds: 0.001 })
  t.match(hasty.index, { files: [], patterns: [{ files: 0, problem: 'not done within 1 ms' }] })
})
