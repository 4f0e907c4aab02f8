/** A bundle that holds less says so, and is whole. */
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeBundle } from '../../agent/bundle/make.js'
import { scrubBundle } from '../../agent/bundle/scrub.js'
import { openBundle, verifyBundle } from '../../agent/bundle/unzip.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { type Line, recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'
import { entriesOf } from '../support/zip.js'

const nowMs = storyStartMs + 60_000

async function made(t: Test): Promise<{ source: string; file: string }> {
  const dir = t.testdir()
  const secrets = createSecrets()
  const lines: Line[] = [...story, { atS: 41, type: 'log', data: { msg: 'a line of the log' }, conn: null }]
  await recordRing(join(dir, 'ring'), lines, { secrets })
  const source = join(dir, 'bundle.zip')
  await makeBundle({
    file: source,
    window: { until: nowMs },
    requestedBy: 'a test',
    why: 'to scrub it',
    ringDir: join(dir, 'ring'),
    device: 'gate',
    config: {},
    versions: { hubrec: '0.1.0', sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' }, node: '20', os: 'Linux' },
    causes: {},
    redactor: createRedactor(secrets),
    secrets,
    nowMs,
    doctor: async () => ({ checks: {}, wifi: 'xoxp-is-no-token' }),
    inventory: async () => ({ parts: {}, missing: {} }),
  })
  return { source, file: join(dir, 'scrubbed.zip') }
}

const scrub = (source: string, file: string, excluded: readonly string[]) =>
  scrubBundle({ source, file, excluded, redactor: createRedactor(createSecrets()), nowMs })

t.test('records of a type go, with all that is made of them, and the rest is byte for byte the same', async t => {
  const { source, file } = await made(t)
  const manifest = await scrub(source, file, ['sample', 'doctor.json'])
  const [before, after] = [await entriesOf(source), await entriesOf(file)]
  t.notOk(['samples.csv', 'doctor.json', 'report.json', 'report.html'].some(name => after.has(name)))
  for (const name of ['episodes.json', 'system.json', 'config.json'])
    t.strictSame(after.get(name), before.get(name), name)
  const kept = (await collect((await openBundle(source)).records())).filter(({ type }) => type !== 'sample')
  t.strictSame(await collect((await openBundle(file)).records()), kept)
  t.notOk((await readFile(file)).includes('rxBytes'))
  t.match(manifest.scrubbed, [{ at: '2026-11-22T10:01:00.000Z', excluded: ['sample', 'doctor.json'] }])
  t.ok(manifest.scrubbed?.[0]?.entriesLeftOut.includes('samples.csv'))
  t.strictSame(JSON.parse(String(after.get('manifest.json'))), JSON.parse(JSON.stringify(manifest)))
  t.ok(
    (await collect(verifyBundle(file))).every(({ status }) => status === 'ok'),
    'it is whole',
  )

  const again = `${file}.again`
  const { scrubbed } = await scrub(file, again, ['log'])
  t.equal(scrubbed?.length, 2, 'what was done before is told too')
  t.notOk(String((await entriesOf(again)).get('records.ndjson')).includes('a line of the log'))
})

t.test('what is no part of it is named, and a damaged one is not made safer', async t => {
  const { source, file } = await made(t)
  await t.rejects(scrub(source, file, ['samples', 'wire', 'nothing.json']), {
    code: 'USAGE',
    message: /not in this bundle: samples, nothing\.json; expected a record type \(wire, sample/,
  })
  const bytes = await readFile(source)
  bytes[400] = (bytes[400] ?? 0) ^ 0xff
  await writeFile(source, bytes)
  await t.rejects(scrub(source, file, ['wire']), { code: 'BUNDLE_INVALID' })
  await t.rejects(access(file), { code: 'ENOENT' })
  await t.rejects(access(`${file}.tmp`), { code: 'ENOENT' })
})
