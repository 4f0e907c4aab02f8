/** What a process said last: from its file, from the journal, or why it cannot be had. */
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { describeStderr, type Gone, lastWords, type Stderr } from '../../agent/recall/last-words.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'

const elsewhere: Stderr = { kind: 'other', what: 'a pipe' }
const asItIs = (text: string): string => text

/** How a process sees its stderr when it is this file. */
async function stderrIn(path: string): Promise<Stderr> {
  const fd = openSync(path, 'a')
  try {
    return await describeStderr({ env: {}, link: `/proc/self/fd/${fd}` })
  } finally {
    closeSync(fd)
  }
}

const gone = (stderr: Stderr): Gone => ({ pid: 4711, bootId: '1b4e28ba-2fa1-4c2d-883f-0016d3cca427', stderr })

t.test('from a file comes what was said after the process had begun, at most 4 KiB', async t => {
  const path = join(t.testdir(), 'log')
  writeFileSync(path, 'of the run before\n')
  const stderr = await stderrIn(path)
  t.match(stderr, { kind: 'file', path, bytes: 18, ino: statSync(path).ino })
  t.strictSame(await lastWords(gone(stderr), { own: elsewhere, redact: asItIs }), { text: '' })

  appendFileSync(path, 'FATAL ERROR: Reached heap limit\n')
  t.strictSame(await lastWords(gone(stderr), { own: elsewhere, redact: asItIs }), {
    text: 'FATAL ERROR: Reached heap limit\n',
  })

  appendFileSync(path, `${'ä'.repeat(10_000)}\nthe end\n`)
  const found = (await lastWords(gone(stderr), { own: elsewhere, redact: asItIs })) as { text: string }
  t.ok(found.text.endsWith('ä\nthe end\n') && /^ä+\n/.test(found.text), 'no half character at its beginning')
  t.ok(Buffer.byteLength(found.text) > 4_090 && Buffer.byteLength(found.text) <= 4_096)
})

t.test('what this run has said to the same file is not of the other', async t => {
  const path = join(t.testdir(), 'log')
  writeFileSync(path, '')
  const stderr = await stderrIn(path)
  appendFileSync(path, 'last words\n')
  const own = await stderrIn(path)
  appendFileSync(path, 'of this run\n')
  t.strictSame(await lastWords(gone(stderr), { own, redact: asItIs }), { text: 'last words\n' })
})

t.test('a secret is taken out, also where the limit would have cut it', async t => {
  const path = join(t.testdir(), 'log')
  writeFileSync(path, '')
  const stderr = await stderrIn(path)
  const secret = randomBytes(32).toString('base64')
  const secrets = createSecrets()
  secrets.add('shared-access-key', secret)
  const { text: redact } = createRedactor(secrets)
  const pieces = (text: string) => Array.from({ length: text.length - 8 }, (_, at) => text.slice(at, at + 8))
  // Its end, its middle and its beginning at every place around the limits.
  for (let shift = 0; shift < 60; shift += 7) {
    for (const after of [4_096, 8_192]) {
      truncateSync(path)
      appendFileSync(path, `${'.'.repeat(20_000)}${secret}${'.'.repeat(after - shift)}`)
      const { text } = (await lastWords(gone(stderr), { own: elsewhere, redact })) as { text: string }
      t.notOk(
        pieces(secret).some(piece => text.includes(piece)),
        `${shift} before the limit of ${after}`,
      )
    }
  }
})

t.test('a secret that was cut stays out when what follows it shrinks under the limit', async t => {
  const path = join(t.testdir(), 'log')
  writeFileSync(path, '')
  const stderr = await stderrIn(path)
  const token = randomBytes(300).toString('hex')
  const secrets = createSecrets()
  secrets.add('shared-access-signature', token)
  appendFileSync(path, `${token}\n`.repeat(30))
  const { text: redact } = createRedactor(secrets)
  const { text } = (await lastWords(gone(stderr), { own: elsewhere, redact })) as { text: string }
  t.notMatch(text, /[0-9a-f]{8}/)
})

t.test('a file that is another one by now, is shorter or is gone, is said to be so', async t => {
  const path = join(t.testdir(), 'log')
  writeFileSync(path, 'a line\n')
  const stderr = await stderrIn(path)
  truncateSync(path)
  const ask = () => lastWords(gone(stderr), { own: elsewhere, redact: asItIs })
  t.strictSame(await ask(), { unknown: `${path} was emptied since` })
  renameSync(path, `${path}.1`)
  t.strictSame(await ask(), { unknown: `${path} cannot be read (ENOENT)` })
  writeFileSync(path, 'another one\n')
  t.strictSame(await ask(), { unknown: `${path} is another file by now` })
})

t.test('pipes, terminals and devices keep nothing', async t => {
  const read = async (link: string, env = {}) => describeStderr({ env, link })
  t.strictSame(await read('/dev/null'), { kind: 'other', what: 'unknown (EINVAL)' })
  const fd = openSync('/dev/null', 'w')
  t.strictSame(await read(`/proc/self/fd/${fd}`), { kind: 'other', what: '/dev/null' })
  t.strictSame(await read('/proc/self/fd/999'), { kind: 'other', what: 'unknown (ENOENT)' })
  const { dev, ino } = statSync(`/proc/self/fd/${fd}`)
  t.strictSame(await read(`/proc/self/fd/${fd}`, { JOURNAL_STREAM: `${dev}:${ino}` }), { kind: 'journal' })
  t.strictSame(await read(`/proc/self/fd/${fd}`, { JOURNAL_STREAM: `${dev}:1` }), { kind: 'other', what: '/dev/null' })
  closeSync(fd)
  t.strictSame(await lastWords(gone({ kind: 'other', what: 'a pipe' }), { own: elsewhere, redact: asItIs }), {
    unknown: 'its stderr was a pipe',
  })
})

/** A journalctl that does this. */
function journalctl(t: Test, script: string): string {
  const path = join(t.testdir(), 'journalctl')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

const journal = (command: string, timeLimitMs = 10_000) =>
  lastWords(gone({ kind: 'journal' }), { own: elsewhere, redact: asItIs, journalctl: command, timeLimitMs })

t.test('the journal is asked for the process by boot and number, and not told our secrets', async t => {
  process.env.HUBREC_CONNECTION_STRING = 'HostName=secret'
  t.teardown(() => delete process.env.HUBREC_CONNECTION_STRING)
  const found = await journal(journalctl(t, 'printf "%s " "$@"; printf "%s" "$HUBREC_CONNECTION_STRING"'))
  t.strictSame(found, {
    text: '_PID=4711 _BOOT_ID=1b4e28ba2fa14c2d883f0016d3cca427 -o cat -n 50 --no-pager -q ',
  })
})

t.test('of a journal that says much the end is kept', async t => {
  const script = 'i=0; while [ $i -lt 2000 ]; do echo "line $i of the journal"; i=$((i+1)); done'
  const { text } = (await journal(journalctl(t, script))) as { text: string }
  t.ok(text.endsWith('line 1999 of the journal\n') && text.length === 4_096)
})

t.test('a journal that hangs, fails, is silent or is not there is said to be so', async t => {
  const hanging = journalctl(t, 'sleep 5 & echo half; wait')
  t.strictSame(await journal(hanging, 200), { unknown: `${hanging} did not answer within 200 ms` })
  const failing = journalctl(t, 'exit 1')
  t.strictSame(await journal(failing), { unknown: `${failing} ended with 1` })
  t.strictSame(await journal(journalctl(t, 'exit 0')), {
    unknown: 'the journal shows nothing of it; perhaps this user may not read it',
  })
  t.strictSame(await journal('/nowhere/journalctl'), { unknown: '/nowhere/journalctl cannot be started (ENOENT)' })
})
