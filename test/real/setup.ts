/** Setting up a device, by answers and by options: what is written, what is shown, and that nothing is before the last yes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startHub } from '../hub/hub.js'

const hub = await startHub()
t.teardown(() => hub.close())
const door = await hub.addDevice('pump')
const connectionString = hub.connectionString('pump', undefined, { port: false })
const key = /SharedAccessKey=(.*)$/.exec(connectionString)?.[1] ?? ''
const main = 'dist/agent/cli/main.js'

/** A directory that stands for /etc/hubrec, with what makes a local hub reachable in its configuration. */
function place(t: Test) {
  const dir = mkdtempSync(join(tmpdir(), 'setup-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'config.json')
  const secret = join(dir, 'connection-string')
  const ports = { mqtt: door.port, amqp: door.port, https: door.port }
  const before = {
    // Relative to the file, as it is allowed.
    connection: { ports, caFile: 'ca.pem', knownRootsFile: 'ca.pem' },
    stateDir: join(dir, 'state'),
    probes: { portalUrl: null, controlName: null },
    logLevel: 'debug',
  }
  writeFileSync(file, JSON.stringify(before))
  writeFileSync(join(dir, 'ca.pem'), hub.ca)
  return { dir, file, secret, before }
}

const env = { ...process.env, NODE_OPTIONS: '', HUBREC_CONNECTION_STRING: '' }

async function run(args: readonly string[], input = '') {
  const child = spawn(process.execPath, [main, 'setup', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', text => {
    out += text
  })
  child.stderr.on('data', text => {
    err += text
  })
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, out, err }
}

/** Types each answer when its question stands on the terminal. */
async function type(args: readonly string[], answers: readonly (readonly [question: RegExp, answer: string])[]) {
  const command = [process.execPath, main, 'setup', ...args].join(' ')
  const person = spawn('script', ['-qec', command, '/dev/null'], { env })
  let shown = ''
  const left = [...answers]
  person.stdout.on('data', text => {
    shown += text
    const [next] = left
    if (next?.[0].test(shown)) {
      left.shift()
      person.stdin.write(`${next[1]}\n`)
    }
  })
  const [code] = await once(person, 'exit')
  return { code, shown }
}

t.test('by options: written as it should be, with the keys that were there', async t => {
  const { file, secret, before } = place(t)
  const args = ['--config', file, '--connection-string-file', '-', '--no-service', '--yes', '--force']
  const { code, out, err } = await run(args, `${connectionString}\n`)
  t.equal(code, 0, err)
  t.match(out, /\d+ ok, .* 0 failed/)
  t.match(out, /written: .*config\.json/)
  t.notOk((out + err).includes(key))
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), {
    ...before,
    connection: { ...before.connection, protocol: 'mqtt', connectionStringFile: secret },
  })
  t.equal(readFileSync(secret, 'utf8'), `${connectionString}\n`)
  t.equal(statSync(secret).mode & 0o777, 0o600)
  t.equal(statSync(file).mode & 0o777, 0o644)
})

t.test('what is doubtful wants to be forced, and changes nothing before', async t => {
  const { file, secret, before } = place(t)
  const args = ['--config', file, '--connection-string-file', '-', '--no-service', '--yes']
  const there = await run(args, connectionString)
  t.equal(there.code, 1)
  t.match(there.err, /is there already, and is changed: --force goes on all the same/)
  await hub.disableDevice('pump')
  const refused = await run(args, connectionString)
  await hub.enableDevice('pump')
  t.equal(refused.code, 1)
  t.match(refused.out, /^FAILED {3}sign-in/m)
  t.match(refused.err, /1 check has failed/)
  const cut = await run(args, connectionString.replace(/SharedAccessKey=.*/, 'SharedAccessKey=short'))
  t.equal(cut.code, 1)
  t.match(cut.out, /^FAILED {3}credential/m)
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), before)
  t.notOk(existsSync(secret))
})

t.test('what cannot be asked for, or is no choice, is said', async t => {
  const { file } = place(t)
  const nobody = await run(['--config', file])
  t.equal(nobody.code, 2)
  t.match(nobody.err, /no connection string: there is no terminal to ask at/)
  const pigeon = await run(['--config', file, '--protocol', 'pigeon'])
  t.equal(pigeon.code, 2)
  t.match(pigeon.err, /--protocol: expected one of mqtt, mqtt-ws, amqp, amqp-ws, auto/)
})

t.test('by answers: the secret is not shown, no is no, and yes is yes', async t => {
  const { file, secret, before } = place(t)
  const args = ['--config', file, '--protocol', 'amqp', '--no-service']
  const no = await type(args, [
    [/Connection string/, connectionString],
    [/\[y\/N\]/, 'n'],
  ])
  t.equal(no.code, 1)
  t.match(no.shown, /nothing was changed/)
  t.notOk(no.shown.includes(key))
  t.notOk(existsSync(secret))
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), before)
  const yes = await type(args, [
    [/Connection string/, connectionString],
    [/\[y\/N\]/, 'yes'],
  ])
  t.equal(yes.code, 0, yes.shown)
  t.equal(readFileSync(secret, 'utf8'), `${connectionString}\n`)
  t.match(JSON.parse(readFileSync(file, 'utf8')), { connection: { protocol: 'amqp' }, logLevel: 'debug' })
})

t.test('a file that cannot be read is named with the option that named it', async t => {
  const { file, dir } = place(t)
  const gone = join(dir, 'gone')
  const ca = await run(['--config', file, '--ca-file', gone, '--yes'])
  t.strictSame([ca.code, ca.err], [2, `hubrec setup: --ca-file: ${gone} cannot be read: ENOENT\n`])
  const string = await run(['--config', file, '--connection-string-file', gone, '--yes'])
  t.strictSame(
    [string.code, string.err],
    [2, `hubrec: USAGE: --connection-string-file: ${gone} cannot be read: ENOENT\n`],
  )
})
