/** What goes in where not everything fits: the newest, to the last record, and the manifest says what was left out. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BundleOptions, makeBundle } from '../../agent/bundle/make.js'
import { planBundle } from '../../agent/bundle/plan.js'
import { openBundle, verifyBundle } from '../../agent/bundle/unzip.js'
import { readEpisodes, readRecords } from '../../agent/evidence/read.js'
import { createRedactor } from '../../agent/redact.js'
import { extentOf } from '../../agent/ring/extent.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts } from '../support/bundle-parts.js'
import { episodeOf, type Line, recordRing, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'
import { entriesOf } from '../support/zip.js'

const atS = (seconds: number): number => storyStartMs + seconds * 1e3

/** Hardly to be compressed, so that a small ring is more than a small bundle may be. */
function* linesOf(count: number): Generator<Line> {
  for (let n = 0; n < count; n++) {
    const noise = randomBytes(300).toString('base64')
    if (n % 100 === 50) yield { atS: n, type: 'episode', data: episodeOf(`e${n}`, n - 5) }
    else if (n % 4 === 0) yield { atS: n, type: 'sample', conn: null, data: { noise: { value: noise, n } } }
    else yield { atS: n, type: 'log', conn: null, data: { msg: noise } }
  }
}

const count = 6_000

const ring = join(t.testdir(), 'ring')
t.before(() => recordRing(ring, linesOf(count), { budgetBytes: 64 << 20 }))

const prepare = async (t: Test): Promise<BundleOptions> => {
  const dir = t.testdir()
  const secrets = createSecrets()
  return {
    file: join(dir, 'bundle.zip'),
    window: { since: atS(0), until: atS(count) },
    requestedBy: 'a test',
    why: 'to look inside',
    ringDir: ring,
    device: 'gate',
    config: {},
    versions: { hubrec: '0', sdk: { device: '0', mqtt: '0', amqp: '0', mqttClient: '0' }, node: '0', os: '0' },
    causes: {},
    redactor: createRedactor(secrets),
    secrets,
    nowMs: atS(count),
    parts: patientParts,
    state: async () => ({}),
    inventory: async () => ({}),
  }
}

t.test('of more than fits the newest goes in, and what was left out is told', async t => {
  const options = await prepare(t)
  const all = await collect(readRecords(options.ringDir))
  for (const bytesMax of [1 << 20, 5 << 18]) {
    const redactor = createRedactor(options.secrets)
    const { manifest, bytes } = await makeBundle({ ...options, redactor, bytesMax })
    t.ok(bytes <= bytesMax, `${bytes} of ${bytesMax} bytes`)
    t.ok(bytes > bytesMax / 4, 'and not for nothing')
    t.equal((await stat(options.file)).size, bytes)
    const bundle = await openBundle(options.file)
    const records = await collect(bundle.records())
    t.strictSame(records, all.slice(-records.length), 'the newest, to the last')
    t.match(manifest.leftOut, [
      {
        name: 'records.ndjson',
        records: all.length - records.length,
        window: { from: all[0]?.at, to: all.at(-1 - records.length)?.at },
        reason: 'the bundle would have been larger than it may be: the newest were taken',
      },
    ])
    t.strictSame(manifest.covered, { from: records[0]?.at, to: records.at(-1)?.at })
    const episodes = await readEpisodes(options.ringDir)
    const told = await bundle.episodes()
    t.strictSame(told, episodes.slice(-told.length), 'and the outages of that time')
    const rows = String((await entriesOf(options.file)).get('samples.csv')).split('\r\n').length - 2
    t.equal(rows, records.filter(({ type }) => type === 'sample').length)
    t.strictSame(
      manifest.entries.filter(({ status }) => status !== 'complete'),
      [],
    )
  }
  const redactor = createRedactor(options.secrets)
  const { manifest } = await makeBundle({ ...options, redactor })
  t.strictSame(manifest.leftOut, [], 'where everything fits nothing is left out')
  t.equal((await collect((await openBundle(options.file)).records())).length, all.length)
})

t.test('what others hold does not take the room of what only we have', async t => {
  const options = await prepare(t)
  const root = join(options.file, '../logs')
  await mkdir(root)
  for (let n = 0; n < 8; n++)
    await writeFile(
      join(root, `${n}.log`),
      `${randomBytes(250_000)
        .toString('base64')
        .replaceAll(/.{100}/g, '$&\n')}\n`,
    )
  const { manifest, bytes } = await makeBundle({
    ...options,
    bytesMax: 2 << 20,
    collect: {
      journal: [],
      files: [`${root}/*`],
      fileRoots: [root],
      edgeModules: [],
      commands: [],
      timeLimitSeconds: 60,
      bytesMax: 1 << 20,
    },
  })
  t.ok(bytes <= 2 << 20, `${bytes} bytes`)
  const statuses = manifest.entries.filter(({ name }) => name.startsWith('collectors/files/')).map(e => e.status)
  t.equal(statuses.length, 8)
  t.ok(statuses.includes('complete') && statuses.at(-1) === 'skipped', statuses.join(' '))
  const records = await collect((await openBundle(options.file)).records())
  t.equal(records.at(-1)?.at, new Date(atS(count - 1)).toISOString())
  t.ok(records.length > 500, `${records.length} records`)
})

t.test('only what was asked for is in it, and the rest is named', async t => {
  const options = await prepare(t)
  const { manifest } = await makeBundle({ ...options, types: ['sample', 'system'] })
  t.strictSame(
    manifest.entries.map(({ name, status }) => [name, status]),
    ['system.json', 'records.ndjson', 'samples.csv'].map(name => [name, 'complete']),
  )
  t.strictSame(
    manifest.leftOut.map(({ name, reason }) => [name, reason]),
    [
      ...patientParts
        .filter(({ name }) => !['system.json', 'records.ndjson', 'samples.csv'].includes(name))
        .map(({ name }) => [name, 'not asked for']),
      ['records.ndjson', 'only sample were asked for'],
    ],
  )
  const bundle = await openBundle(options.file)
  const records = await collect(bundle.records())
  t.strictSame(records, await collect(readRecords(options.ringDir, { types: ['sample'] })))
  t.strictSame(await bundle.episodes(), [])
  t.ok((await collect(verifyBundle(options.file))).every(({ status }) => status === 'ok'))

  const redactor = createRedactor(options.secrets)
  await makeBundle({ ...options, redactor, types: ['config'] })
  const bare = await openBundle(options.file)
  t.strictSame([...(await entriesOf(options.file)).keys()], ['config.json', 'manifest.json'])
  t.strictSame(await collect(bare.records()), [])
})

t.test('what would go in is told with sizes that are about right, and nothing is written', async t => {
  const options = await prepare(t)
  const dir = join(options.file, '..')
  const { entries, recordsPackedBytes } = await planBundle({
    ...options,
    stateDir: dir,
    signal: new AbortController().signal,
  })
  t.strictSame(await readdir(dir), [])
  const { manifest } = await makeBundle(options)
  t.strictSame(
    entries.map(({ name }) => name),
    manifest.entries.map(({ name }) => name),
  )
  const made = (name: string): number => manifest.entries.find(entry => entry.name === name)?.bytes ?? 0
  const records = entries.find(({ name }) => name === 'records.ndjson')
  t.equal(records?.bytes, made('records.ndjson'), 'of a whole ring it is known exactly')
  t.ok(recordsPackedBytes < made('records.ndjson'))

  const half = await planBundle({
    ...options,
    window: { since: atS(count / 2), until: atS(count) },
    types: ['log'],
    stateDir: dir,
    signal: new AbortController().signal,
  })
  const [{ bytes: planned = 0 } = {}] = half.entries
  const logs = await collect(readRecords(options.ringDir, { since: atS(count / 2), types: ['log'] }))
  const bytes = logs.reduce((sum, record) => sum + JSON.stringify(record).length + 1, 0)
  t.ok(Math.abs((planned ?? 0) - bytes) < bytes / 10, `${planned} planned, ${bytes} found`)
})

t.test('the extent of a ring is what reading it counts', async t => {
  const { ringDir } = await prepare(t)
  const counted: Record<string, { records: number; textBytes: number }> = {}
  for await (const record of readRecords(ringDir)) {
    counted[record.type] ??= { records: 0, textBytes: 0 }
    const held = counted[record.type]!
    held.records += 1
    held.textBytes += JSON.stringify(record).length + 1
  }
  const { types, bytes } = await extentOf(ringDir)
  t.strictSame(types, counted)
  const sizes = await Promise.all((await readdir(ringDir)).map(async name => (await stat(join(ringDir, name))).size))
  const onDisk = sizes.reduce((sum, size) => sum + size, 0)
  t.ok(bytes <= onDisk && bytes > 0.9 * onDisk, `${bytes} of ${onDisk}`)
})
