/** The Debian packages, with the real dpkg in a root of its own: installed, upgraded, downgraded, removed, purged. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { allCommands, bashCompletion, manPage } from '../../deploy/deb/command-texts.js'
import { makeHubrecDeb, makeNodeDeb } from '../../deploy/deb/make.js'

const hasDpkg = spawnSync('dpkg-deb', ['--version']).status === 0
const skip = hasDpkg && process.getuid?.() === 0 ? false : 'dpkg is not here, or this is not root'

const outDir = mkdtempSync(join(tmpdir(), 'hubrec-debs-'))
t.teardown(() => rmSync(outDir, { recursive: true, force: true }))

const bytesMax = 5_000_000
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const newer = `${version}+1`
const root = process.cwd()
const files = skip
  ? { deb: '', newer: '', node: '' }
  : {
      deb: await makeHubrecDeb({ root, outDir }),
      newer: await makeHubrecDeb({ root, outDir, compression: 'none' }, newer),
      node: await makeNodeDeb({ outDir, compression: 'none' }, privateNode()),
    }

/** A script in its place: what matters here is that it is there and is chosen. */
function privateNode() {
  const program = join(outDir, 'node')
  writeFileSync(program, `#!/bin/sh\nexport HUBREC_TEST_PRIVATE_NODE=1\nexec ${process.execPath} "$@"\n`, {
    mode: 0o755,
  })
  return { program, version: '20.20.2', architecture: 'all', license: 'MIT' }
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: it is dpkg's own syntax
const queryFormat = '-f=${db:Status-Abbrev}${Version}'

/** An empty Debian: dpkg's own files, and packages that have a name and a version and nothing else. */
function debian(t: Test, nodejs: string | null) {
  const dir = mkdtempSync(join(tmpdir(), 'hubrec-root-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  for (const each of ['var/lib/dpkg/info', 'var/lib/dpkg/updates', 'var/lib/dpkg/triggers', 'etc', 'run', 'tmp'])
    mkdirSync(join(dir, each), { recursive: true })
  for (const each of ['status', 'available']) writeFileSync(join(dir, 'var/lib/dpkg', each), '')
  for (const each of ['passwd', 'group', 'shadow', 'gshadow']) writeFileSync(join(dir, 'etc', each), '')
  const dpkg = (...args: string[]) =>
    spawnSync('dpkg', [`--root=${dir}`, '--force-script-chrootless', '--force-not-root', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    })
  const fakes = { libc6: '2.36', 'libstdc++6': '12.2', ...(nodejs ? { nodejs } : {}) }
  for (const [name, has] of Object.entries(fakes)) {
    const fake = mkdtempSync(join(outDir, 'fake-'))
    mkdirSync(join(fake, 'DEBIAN'))
    chmodSync(fake, 0o755)
    const control = `Package: ${name}\nVersion: ${has}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a\n`
    writeFileSync(join(fake, 'DEBIAN/control'), control)
    execFileSync('dpkg-deb', ['-Znone', '--build', fake, `${fake}.deb`], { stdio: 'ignore' })
    t.equal(dpkg('-i', `${fake}.deb`).status, 0)
  }
  const status = (): string =>
    spawnSync('dpkg-query', [`--admindir=${dir}/var/lib/dpkg`, '-W', queryFormat, 'hubrec'], {
      encoding: 'utf8',
    }).stdout
  return { dir, dpkg, status }
}

const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter(
      path =>
        !path.startsWith('var/lib/dpkg') && !path.startsWith('var/log') && !statSync(join(dir, path)).isDirectory(),
    )
    .sort()

t.test('it is small, has no scripts of others in it, and says what it needs', { skip }, async t => {
  t.ok(statSync(files.deb).size <= bytesMax, `${statSync(files.deb).size} bytes`)
  const control = execFileSync('dpkg-deb', ['--field', files.deb], { encoding: 'utf8' })
  t.match(control, /^Depends: nodejs \(>= 20.15\) \| hubrec-node$/m)
  t.match(control, /^Architecture: all$/m)
  const listed = execFileSync('dpkg-deb', ['--contents', files.deb], { encoding: 'utf8' })
  t.notMatch(listed, /node_modules|\.ts$|install\.sh/m)
  t.ok(listed.split('\n').every(line => line === '' || line.includes(' root/root ')))
  const again = await makeHubrecDeb({ root, outDir: join(outDir, 'again') })
  t.ok(readFileSync(again).equals(readFileSync(files.deb)), 'the same sources make the same bytes')
})

t.test('with a nodejs that is too old it is not configured, and its own Node mends that', { skip }, async t => {
  const { dir, dpkg, status } = debian(t, '18.20.4')
  const refused = dpkg('-i', files.deb)
  t.not(refused.status, 0)
  t.match(refused.stderr, /dependency problems|depends on nodejs \(>= 20.15\) \| hubrec-node/)
  const mended = dpkg('-i', files.node, files.deb)
  t.equal(mended.status, 0, mended.stderr)
  t.equal(status(), `ii ${version}`)
  t.ok(existsSync(join(dir, 'usr/lib/hubrec-node/bin/node')))
})

t.test('installed, upgraded, downgraded, removed, purged: what was recorded stays until the end', { skip }, async t => {
  const { dir, dpkg, status } = debian(t, '20.15.0')
  const before = filesIn(dir)
  const installed = dpkg('-i', files.deb)
  t.equal(installed.status, 0, installed.stderr)
  t.equal(status(), `ii ${version}`)
  const hubrec = (...args: string[]): string =>
    execFileSync(join(dir, 'usr/bin/hubrec'), args, { encoding: 'utf8', env: { PATH: process.env.PATH } })
  t.equal(hubrec('--version').trim(), version)
  const cache = join(dir, 'usr/lib/hubrec/cache')
  t.ok(readdirSync(cache).length > 10, 'its code is compiled')
  t.match(readFileSync(join(dir, 'etc/group'), 'utf8'), /^hubrec:/m)

  const ring = join(dir, 'var/lib/hubrec/ring')
  mkdirSync(ring, { recursive: true })
  writeFileSync(join(ring, '00000000000000000001.log'), 'a record\n')
  mkdirSync(join(dir, 'etc/hubrec'))
  writeFileSync(join(dir, 'etc/hubrec/config.json'), '{}')
  writeFileSync(join(dir, 'etc/default/hubrec'), 'HUBREC_LOG_LEVEL=debug\n')
  const kept = (): string[] =>
    ['var/lib/hubrec/ring/00000000000000000001.log', 'etc/hubrec/config.json', 'etc/default/hubrec'].map(path =>
      readFileSync(join(dir, path), 'utf8'),
    )
  const mine = ['a record\n', '{}', 'HUBREC_LOG_LEVEL=debug\n']

  for (const [file, wanted] of [
    [files.newer, newer],
    [files.deb, version],
  ] as const) {
    const changed = dpkg('-i', file)
    t.equal(changed.status, 0, changed.stderr)
    t.equal(status(), `ii ${wanted}`)
    t.strictSame(kept(), mine)
    const code = new Set(readdirSync(join(dir, 'usr/lib/hubrec/lib')))
    const stale = readdirSync(cache).filter(name => !code.has(name.replace(/\.\w+\.bin$/, '')))
    t.strictSame(stale, [], 'nothing compiled has outlived its code')
  }

  const removed = dpkg('--remove', 'hubrec')
  t.equal(removed.status, 0, removed.stderr)
  t.strictSame(kept(), mine)
  t.notOk(existsSync(join(dir, 'usr/lib/hubrec')), 'and nothing of the program')
  const purged = dpkg('--purge', 'hubrec')
  t.equal(purged.status, 0, purged.stderr)
  // The files of users and groups have locks and copies beside them.
  const ours = (path: string): boolean => !/^etc\/(?:\.pwd\.lock|g?shadow-?|passwd-?|group-?)$/.test(path)
  t.strictSame(filesIn(dir).filter(ours), before.filter(ours))
  t.equal(readFileSync(join(dir, 'etc/group'), 'utf8'), '')
})

t.test('the man page has every command and option, and man has nothing to say against it', async t => {
  const all = await allCommands()
  const page = manPage(all, version, '2026-11-01')
  for (const { name, options } of all) {
    t.ok(page.includes(`.SS "hubrec ${name}`), name)
    for (const option of Object.keys(options))
      if (!page.includes(`\\-\\-${option.replaceAll('-', '\\-')}`)) t.fail(option)
  }
  const groff = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], { input: page, encoding: 'utf8' })
  if (groff.error) t.comment('groff is not here, so the page was not set')
  else t.strictSame([groff.status, groff.stderr], [0, ''])
})

t.test('bash completes commands, options and files', async t => {
  const file = join(t.testdir({ 'bundle.zip': '' }), 'completion')
  writeFileSync(file, bashCompletion(await allCommands()))
  const complete = (...words: string[]): string[] => {
    const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hubrec; printf '%s\\n' "\${COMPREPLY[@]}"`
    const cwd = join(file, '..')
    const { stdout, stderr } = spawnSync('bash', ['-c', script, file, ...words], { encoding: 'utf8', cwd })
    t.equal(stderr, '')
    return stdout.split('\n').filter(word => word !== '')
  }
  t.strictSame(complete('hubrec', 'ep'), ['episodes'])
  t.strictSame(complete('hubrec', 'run', '--co'), ['--config'])
  t.strictSame(complete('hubrec', 'verify', 'bund'), ['bundle.zip'])
  t.strictSame(complete('hubrec', 'episodes', '--bundle', 'bund'), ['bundle.zip'])
  t.strictSame(complete('hubrec', 'episodes', '--since', ''), [], 'nobody knows what time is meant')
})
