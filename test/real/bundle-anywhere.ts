/** The way out that is always there: a file, made on the device or from what was left of it, with no hub and no daemon. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { openBundle } from '../../agent/bundle/unzip.js'
import { readRecords } from '../../agent/evidence/read.js'
import { recordRing, story } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'
import { smallDisk } from '../support/small-disk.js'

const main = resolve('dist/agent/cli/main.js')

/** As whoever has nothing but the command: no configuration, no credential, no hub. */
const env = { PATH: process.env.PATH, HOME: '/nonexistent', HUBREC_CONFIG: '' }

async function run(program: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', text => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', text => (said.err += text))
  const [code] = await once(child, 'close')
  return { code, ...said }
}

const hubrec = (...args: string[]) => run(process.execPath, main, ...args)

/** The state of a device that records no more, copied from its card, and a directory where somebody put a stick. */
async function left(t: Test): Promise<{ state: string; stick: string }> {
  const dir = t.testdir({ stick: {}, 'state of then': {} })
  await recordRing(join(dir, 'state of then', 'ring'), story)
  await cp(join(dir, 'state of then'), join(dir, 'card'), { recursive: true })
  return { state: join(dir, 'card'), stick: join(dir, 'stick') }
}

t.test('a bundle is a file on a stick, from the card of a dead device, whole and for its owner alone', async t => {
  const { state, stick } = await left(t)
  const file = join(stick, 'for support.zip')
  const made = await hubrec('bundle', '--state-dir', state, '-o', file)
  t.match(made, { code: 0, out: /records\.ndjson +complete/, err: /goes on without the credential/ })
  t.notMatch(made.err, /\[#/, 'a pipe is told of no progress')
  t.strictSame(await readdir(stick), ['for support.zip'])
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.match(await hubrec('verify', file), { code: 0, out: /whole: 1\d records/ })
  const bundle = await openBundle(file)
  t.strictSame(await collect(bundle.records()), await collect(readRecords(join(state, 'ring'))))
})

t.test('on a terminal a bar says how far it is, and goes away', async t => {
  const { state, stick } = await left(t)
  const command = `${process.execPath} ${main} bundle --state-dir '${state}' -o '${join(stick, 'b.zip')}'`
  const { code, out } = await run('script', '-qec', command, '/dev/null')
  t.equal(code, 0)
  const shown = out.split('\r\x1b[K').slice(1)
  t.match(shown[0], /^\[-{20}\] /, 'at first nothing is done')
  t.ok(shown.some(line => /^\[#+-+\] records\.ndjson, \d+\.\d MiB$/.test(line)))
  t.match(shown.at(-1), /^\S*b\.zip\r\n/, 'before the answer it is gone')
})

t.test('a stick that is full or not there is said, with what to do, and nothing is left on it', async t => {
  const { state, stick } = await left(t)
  t.match(await hubrec('bundle', '--state-dir', state, '-o', join(stick, 'no such directory', 'b.zip')), {
    code: 2,
    err: /no such directory cannot be written: ENOENT/,
  })
  const full = smallDisk(t, 'size=8k')
  if (full === null) return
  const refused = await hubrec('bundle', '--state-dir', state, '-o', join(full, 'b.zip'))
  t.match(refused, {
    code: 2,
    err: /b\.zip could not be written: ENOSPC; nothing of it is left; name another place with -o/,
  })
  t.strictSame(await readdir(full), [])
})
