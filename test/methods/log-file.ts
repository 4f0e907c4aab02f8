import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { makeLogFile } from '../../agent/methods/log-file.js'
import { createPatterns } from '../../agent/methods/pattern.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { recordRing } from '../support/recorded-ring.js'

const nowMs = Date.parse('2026-11-22T10:01:02.345Z')
const filter = { window: {}, tail: null, loglevel: null, regex: null }
const lines = Array.from({ length: 10 }, (_, n) => ({ atS: n, type: 'log', data: { msg: `line ${n}` } }) as const)

const scene = async (t: Test) => {
  const dir = t.testdir({ out: {} })
  const secrets = createSecrets()
  await recordRing(join(dir, 'ring'), lines, { secrets })
  const device = { hub: 'my-hub.azure-devices.net', deviceId: 'gate', moduleId: null }
  const source = { ringDir: join(dir, 'ring'), redactor: createRedactor(secrets), device, patterns: createPatterns() }
  return { source, out: join(dir, 'out'), file: join(dir, 'out', 'task.log') }
}

t.test('a log file is named and shaped as IoT Edge’s agent does', async t => {
  const { source, file, out } = await scene(t)
  const signal = new AbortController().signal
  const asked = { filter: { ...filter, tail: 2 }, encoding: 'none', contentType: 'text' } as const
  const text = await makeLogFile(asked, source, { file, nowMs, signal })
  const written = await readFile(file, 'utf8')
  t.match(written, /^\S+ .*line 8\n\S+ .*line 9\n$/)
  t.strictSame(text, {
    bytes: Buffer.byteLength(written),
    fileName: 'hubrec-2026-11-22--10-01-02.log',
    folder: 'my-hub.azure-devices.net/gate',
    contentType: 'text/plain',
  })

  const whole = { filter, encoding: 'gzip', contentType: 'json' } as const
  const json = await makeLogFile(whole, source, { file, nowMs, signal })
  const packed = await readFile(file)
  t.strictSame(json, {
    bytes: packed.length,
    fileName: 'hubrec-2026-11-22--10-01-02.json.gz',
    folder: 'my-hub.azure-devices.net/gate',
    contentType: 'application/json',
    contentEncoding: 'gzip',
  })
  const objects: { text: string }[] = JSON.parse(gunzipSync(packed).toString())
  t.strictSame(
    objects.map(({ text }) => text).filter(text => text.startsWith('line')),
    lines.map(({ data }) => data.msg),
  )
  t.strictSame(await readdir(out), ['task.log'])
})

t.test('what is not wanted any more, or cannot be read, leaves no file', async t => {
  const { source, file, out } = await scene(t)
  const asked = { filter, encoding: 'none', contentType: 'text' } as const
  const stopped = AbortSignal.abort()
  await t.rejects(makeLogFile(asked, source, { file, nowMs, signal: stopped }), { name: 'AbortError' })
  const elsewhere = { ...source, ringDir: join(out, 'nowhere') }
  const { signal } = new AbortController()
  await t.rejects(makeLogFile(asked, elsewhere, { file, nowMs, signal }), { code: 'RING_UNREADABLE' })
  t.strictSame(await readdir(out), [])
})
