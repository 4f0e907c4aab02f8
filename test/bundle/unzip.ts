import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeBundle } from '../../agent/bundle/make.js'
import { openBundle, verifyBundle } from '../../agent/bundle/unzip.js'
import { readEpisodes, readRecords } from '../../agent/evidence/read.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts } from '../support/bundle-parts.js'
import { recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'
import { entriesOf, placesOf, writeZip } from '../support/zip.js'

const atS = (seconds: number): number => storyStartMs + seconds * 1e3

/** Without the tables of this machine, which may be long. */
const lastingParts = patientParts.filter(({ fades }) => !fades)

const makeStory = async (t: Test): Promise<{ file: string; ringDir: string }> => {
  const dir = t.testdir()
  const secrets = createSecrets()
  const file = join(dir, 'bundle.zip')
  const ringDir = join(dir, 'ring')
  await recordRing(ringDir, story, { secrets })
  await makeBundle({
    file,
    window: {},
    requestedBy: 'a test',
    why: 'to be read again',
    ringDir,
    device: 'gate',
    config: {},
    versions: { hubrec: '0', sdk: { device: '0', mqtt: '0', amqp: '0', mqttClient: '0' }, node: '0', os: '0' },
    causes: {},
    redactor: createRedactor(secrets),
    secrets,
    nowMs: atS(60),
    inventory: async () => ({}),
    state: async () => ({}),
    parts: lastingParts,
  })
  return { file, ringDir }
}

type Entries = readonly (readonly [name: string, content: Buffer | string])[]

/** One line for each finding, with the entry's name. */
const findings = async (file: string): Promise<string[]> =>
  (await collect(verifyBundle(file))).map(({ path, status, reason }) =>
    [path.slice(file.length + 1), status, reason].filter(Boolean).join(' '),
  )

const findingsFrom = async (name: string, file: string): Promise<string[]> => {
  const all = await findings(file)
  return all.slice(all.findIndex(finding => finding.startsWith(`${name} `)))
}

t.test('records and episodes come back out of a bundle as they went in, narrowed as from a ring', async t => {
  const { file, ringDir } = await makeStory(t)
  const { records, episodes, manifest } = await openBundle(file)
  t.equal(manifest.device, 'gate')
  for (const filter of [{}, { since: atS(10), until: atS(20) }, { types: ['log'] as const }, { conn: 'hubrec' }]) {
    t.strictSame(await collect(records(filter)), await collect(readRecords(ringDir, filter)), JSON.stringify(filter))
  }
  t.strictSame(await episodes(), await readEpisodes(ringDir))
  t.strictSame(await episodes({ until: atS(29) }), [])
  t.strictSame(await episodes({ since: atS(36) }), [])
  const stop = new AbortController()
  stop.abort(new Error('enough'))
  await t.rejects(collect(records({ signal: stop.signal })), { message: 'enough' })
})

t.test('a whole bundle is said to be whole, entry by entry', async t => {
  const { file } = await makeStory(t)
  t.strictSame(
    await collect(verifyBundle(file)),
    [...lastingParts.map(({ name }) => name), 'manifest.json'].map(name => ({
      path: join(file, name),
      status: 'ok',
      records: name === 'records.ndjson' ? 10 : 0,
      lost: 0,
      reason: null,
    })),
  )
})

t.test('each entry that is not what the manifest says is damaged, and says why', async t => {
  const { file } = await makeStory(t)
  const entries = [...(await entriesOf(file))]
  const forged = entries.flatMap(([name, content]): Entries => {
    if (name === 'system.json') return []
    if (name === 'samples.csv') return [[name, String(content).replace('100', '101')]]
    if (name === 'config.json') return [[name, `${content} `]]
    if (name === 'episodes.json') return [[name, content.subarray(1)]]
    return [[name, content]]
  })
  await writeZip(file, [...forged, ['evil.sh', 'rm -rf /'], ['records.ndjson', 'twice']])
  const lengthOf = (from: Entries, wanted: string) => from.find(([name]) => name === wanted)?.[1].length
  const otherLength = (name: string) =>
    `${name} damaged it has ${lengthOf(forged, name)} bytes, the manifest says ${lengthOf(entries, name)}`
  t.strictSame(await findingsFrom('doctor.json', file), [
    'doctor.json ok',
    'system.json damaged it is missing',
    otherLength('episodes.json'),
    'records.ndjson ok',
    'samples.csv damaged its SHA-256 is not that of the manifest',
    otherLength('config.json'),
    'manifest.json ok',
    'evil.sh damaged the manifest does not list it',
    'records.ndjson damaged the manifest does not list it',
  ])
})

t.test('bytes that were turned over on the way are found', async t => {
  const { file } = await makeStory(t)
  const whole = await readFile(file)
  for (const [name, from, to] of await placesOf(file)) {
    // Of the manifest itself nothing says what it has to be.
    if (name === 'manifest.json') continue
    for (let at = from; at < to; at += Math.ceil((to - from) / 12)) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0xff
      await writeFile(file, bytes)
      const damaged = (await findings(file)).filter(finding => finding.includes('damaged'))
      t.match(damaged, [`${name} damaged`], `${name}, at ${at}`)
    }
  }
})

t.test('what is cut off, empty or something else is one damaged line and no crash', async t => {
  const { file } = await makeStory(t)
  const whole = await readFile(file)
  const manifest = (await entriesOf(file)).get('manifest.json') ?? ''
  const bad: readonly (readonly [why: string, write: () => Promise<unknown>])[] = [
    ['empty', () => writeFile(file, '')],
    ['text', () => writeFile(file, 'no archive')],
    ['cut off', () => writeFile(file, whole.subarray(0, whole.length - 30))],
    ['half', () => writeFile(file, whole.subarray(0, whole.length / 2))],
    ['gzip', () => writeFile(file, Buffer.from('1f8b0800000000000003', 'hex'))],
    ['another archive', () => writeZip(file, [['readme.txt', 'hello']])],
    ['a manifest that is none', () => writeZip(file, [['manifest.json', 'null']])],
    ['another format', () => writeZip(file, [['manifest.json', '{"format":"hubrec-bundle/2","entries":[]}']])],
    ['entries that are none', () => writeZip(file, [['manifest.json', '{"format":"hubrec-bundle/1","entries":[7]}']])],
    [
      'too many entries',
      () =>
        writeZip(file, [
          ['manifest.json', manifest],
          ...Array.from({ length: 1_001 }, (_, n) => [`${n}`, ''] as const),
        ]),
    ],
  ]
  for (const [why, write] of bad) {
    await write()
    const lines = await collect(verifyBundle(file))
    t.match(lines, [{ path: file, status: 'damaged', records: 0, lost: 0, reason: String }], why)
    t.equal(lines.length, 1)
    await t.rejects(openBundle(file), { code: 'BUNDLE_INVALID' })
  }
  await t.rejects(openBundle(join(file, '..', 'nowhere.zip')), { code: 'ENOENT' })
})

t.test('a bomb is not unpacked', async t => {
  const { file } = await makeStory(t)
  const entries = [...(await entriesOf(file))]
  const bomb = Buffer.alloc(64 << 20)
  await writeZip(
    file,
    entries.map(([name, content]) => [name, name === 'records.ndjson' ? bomb : content]),
  )
  const beforeBytes = process.memoryUsage().rss
  t.match(await findingsFrom('system.json', file), [
    'system.json ok',
    'episodes.json ok',
    /^records.ndjson damaged it has 67108864 bytes/,
  ])
  await t.rejects(collect((await openBundle(file)).records()), {
    code: 'BUNDLE_INVALID',
    message: /longer than any record/,
  })
  t.ok(process.memoryUsage().rss - beforeBytes < 48 << 20)
  await writeZip(file, [['manifest.json', Buffer.alloc(17 << 20, ' ')]])
  t.match(await findings(file), ['damaged manifest.json is too long'])
})

t.test('lines that are no records are gaps, and what is no list of episodes is said', async t => {
  const { file } = await makeStory(t)
  const entries = [...(await entriesOf(file))]
  const [first = '', second = ''] = String(entries.find(([name]) => name === 'records.ndjson')?.[1]).split('\n')
  const gap = { ...JSON.parse(first), type: 'gap', data: { reason: 'damage', count: 2, fromSeq: 3, toSeq: 4 } }
  const { seq: _, ...inferred } = gap
  const text = [first, 'nonsense', '{"seq":1}', JSON.stringify(inferred), '[]', second].join('\n')
  await writeZip(
    file,
    entries.map(([name, content]) => [
      name,
      name === 'records.ndjson' ? text : name === 'episodes.json' ? '[7]' : content,
    ]),
  )
  const bundle = await openBundle(file)
  const lost = { reason: 'damage', count: 1, fromSeq: null, toSeq: null }
  t.match(await collect(bundle.records()), [
    JSON.parse(first),
    { type: 'gap', data: lost },
    { type: 'gap', data: lost },
    inferred,
    { type: 'gap', data: lost },
    JSON.parse(second),
  ])
  await t.rejects(bundle.episodes(), { code: 'BUNDLE_INVALID' })
})
