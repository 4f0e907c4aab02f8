import { createHash } from 'node:crypto'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BundleOptions, bundleName, makeBundle } from '../../agent/bundle/make.js'
import { type Part, Skipped } from '../../agent/bundle/part.js'
import { parts as allParts } from '../../agent/bundle/parts.js'
import { openBundle, verifyBundle } from '../../agent/bundle/unzip.js'
import { readEpisodes, readRecords } from '../../agent/evidence/read.js'
import { createRedactor, type Redactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts as parts } from '../support/bundle-parts.js'
import { draftOf, episodeOf, type Line, recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { collect } from '../support/ring-records.js'
import { entriesOf } from '../support/zip.js'

const atS = (seconds: number): number => storyStartMs + seconds * 1e3
const versions = {
  hubrec: '0.1.0',
  sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' },
  node: '20',
  os: 'Linux',
}

/** A state directory with the story in its ring, and the options of a bundle of it. */
const prepare = async (t: Test, lines: Iterable<Line> = story): Promise<BundleOptions> => {
  const dir = t.testdir()
  const secrets = createSecrets()
  await recordRing(join(dir, 'ring'), lines, { secrets })
  return {
    file: join(dir, 'bundle.zip'),
    window: { until: atS(60) },
    requestedBy: 'a test',
    why: 'to look inside',
    ringDir: join(dir, 'ring'),
    device: 'gate/recorder',
    config: { settings: { stateDir: '/var/lib/hubrec' }, hash: 'abc' },
    versions,
    causes: { 'peer-reset': 'The connection was reset' },
    redactor: createRedactor(secrets),
    secrets,
    nowMs: atS(60),
    parts,
    state: async () => ({ daemon: 'running' }),
    doctor: async () => ({ checks: {} }),
    inventory: async () => ({ parts: { os: { hostname: 'gate' } }, missing: {} }),
  }
}

/** A generator that throws when it is first asked. */
const failing = (error: Error): AsyncGenerator<string> => {
  const generator = (async function* () {
    yield await Promise.reject<string>(error)
  })()
  return generator
}

t.test('a bundle holds the window, and says of itself what is in it', async t => {
  const options = await prepare(t)
  const { bytes, fileName, manifest } = await makeBundle(options)
  t.equal(fileName, 'hubrec-gate_recorder-20261122T100000.000Z-20261122T100100.000Z.zip')
  t.equal(bytes, (await readFile(options.file)).length)

  const entries = await entriesOf(options.file)
  t.strictSame(
    [...entries.keys()],
    [
      'state.json',
      'sockets.txt',
      'routes.txt',
      'report.html',
      'report.json',
      'doctor.json',
      'system.json',
      'episodes.json',
      'records.ndjson',
      'samples.csv',
      'config.json',
      'manifest.json',
    ],
    'what fades first, then the report, the manifest last',
  )
  t.strictSame(JSON.parse(String(entries.get('manifest.json'))), manifest)
  for (const { name, bytes, sha256 } of manifest.entries) {
    const content = entries.get(name) ?? Buffer.alloc(0)
    t.strictSame([bytes, sha256], [content.length, createHash('sha256').update(content).digest('hex')], name)
  }
  const { entries: listed, legend, redactions, ...rest } = manifest
  t.strictSame(rest, {
    format: 'hubrec-bundle/1',
    device: 'gate/recorder',
    createdAt: '2026-11-22T10:01:00.000Z',
    requestedBy: 'a test',
    why: 'to look inside',
    window: { from: '2026-11-22T10:00:00.000Z', to: '2026-11-22T10:01:00.000Z' },
    covered: { from: '2026-11-22T10:00:00.000Z', to: '2026-11-22T10:00:40.000Z' },
    versions,
    gaps: [],
    gapsLeftOut: 0,
    leftOut: [],
  })
  t.ok(listed.every(({ status, reason }) => status === 'complete' && reason === null))
  t.match(legend, { fields: { seq: String }, units: { Ms: 'milliseconds' }, causes: { 'peer-reset': String } })
  t.strictSame(Object.keys(redactions), ['planted'], 'nothing was removed but what the self-test had planted')

  t.strictSame(JSON.parse(String(entries.get('episodes.json'))), await readEpisodes(options.ringDir))
  const lines = String(entries.get('records.ndjson')).trimEnd().split('\n')
  t.strictSame(
    lines.map(line => JSON.parse(line)),
    await collect(readRecords(options.ringDir)),
  )
  t.strictSame(JSON.parse(String(entries.get('config.json'))), options.config)
  t.strictSame(JSON.parse(String(entries.get('doctor.json'))), { checks: {} })
  t.strictSame(JSON.parse(String(entries.get('state.json'))), { daemon: 'running' })
  t.match(String(entries.get('sockets.txt')), /^(tcp|udp)6? [A-Z]/)
  t.match(JSON.parse(String(entries.get('system.json'))), { inventory: { parts: { os: { hostname: 'gate' } } } })
  t.strictSame((await readdir(join(options.file, '..'))).sort(), ['bundle.zip', 'ring'], 'and leaves nothing else')
})

t.test('samples are a table whose cells are data, whatever they look like', async t => {
  const options = await prepare(t)
  await makeBundle(options)
  const entries = await entriesOf(options.file)
  t.equal(
    String(entries.get('samples.csv')),
    [
      'seq,at,monoMs,bootId,interfaces.byName.eth0.operstate,interfaces.byName.eth0.rxBytes,' +
        'interfaces.byName.wlan0.rxBytes,memory.freeBytes,power,resolvers.nameservers',
      '5,2026-11-22T10:00:10.000Z,11000,boot-1,up,100,,5,,',
      "6,2026-11-22T10:00:20.000Z,21000,boot-1,'=cmd|x,200,1,,,10.0.0.1 10.0.0.2",
      '',
    ].join('\r\n'),
  )
})

t.test('the same window gives the same bytes, and another window other records', async t => {
  const options = await prepare(t)
  const window = { since: atS(10), until: atS(31) }
  await makeBundle({ ...options, window })
  const first = await entriesOf(options.file)
  const second = join(options.file, '..', 'again.zip')
  const redactor = createRedactor(options.secrets)
  const { fileName } = await makeBundle({ ...options, redactor, window, file: second, nowMs: atS(90) })
  const again = await entriesOf(second)
  for (const name of ['episodes.json', 'records.ndjson', 'samples.csv', 'system.json', 'config.json']) {
    t.strictSame(again.get(name), first.get(name), name)
  }
  t.equal(fileName, 'hubrec-gate_recorder-20261122T100010.000Z-20261122T100031.000Z.zip')
  const seqs = String(first.get('records.ndjson'))
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line).seq)
  t.strictSame(seqs, [5, 6, 7, 8])
  t.equal(JSON.parse(String(first.get('episodes.json'))).length, 1, 'an episode that overlaps the window is in it')
})

t.test('a name is made of characters that every file system takes', async t => {
  const window = { since: 0, until: 8e15 }
  t.equal(
    bundleName('../../etc/pass wd:ü', window),
    'hubrec-.._.._etc_pass_wd__-19700101T000000.000Z-99991231T235959.999Z.zip',
  )
})

t.test('what was written down later than it happened is in it, and does not change what it covers', async t => {
  const recalled: Line = { atS: 5, type: 'log', level: 10, conn: null, data: { msg: 'verbose' } }
  const options = await prepare(t, [...story, recalled])
  const { manifest } = await makeBundle(options)
  t.strictSame(manifest.covered, { from: '2026-11-22T10:00:00.000Z', to: '2026-11-22T10:00:40.000Z' })
  const text = (await entriesOf(options.file)).get('records.ndjson')?.toString() ?? ''
  t.match(text.trimEnd().split('\n').at(-1), /"msg":"verbose"/)
})

t.test('an empty ring and a missing one give a bundle that says so', async t => {
  const options = await prepare(t, [])
  const { manifest } = await makeBundle(options)
  t.match(manifest, { covered: null, window: { from: '2026-11-22T10:01:00.000Z', to: '2026-11-22T10:01:00.000Z' } })
  t.ok(manifest.entries.every(({ status }) => status === 'complete'))

  const redactor = createRedactor(options.secrets)
  const missing = await makeBundle({ ...options, redactor, ringDir: join(options.ringDir, 'nowhere') })
  const failed = missing.manifest.entries.filter(({ status }) => status !== 'complete')
  t.match(
    failed.map(({ name, status }) => [name, status]),
    [
      ['report.html', 'truncated'],
      ['report.json', 'truncated'],
      ['episodes.json', 'failed'],
      ['records.ndjson', 'failed'],
      ['samples.csv', 'failed'],
    ],
  )
  t.match(failed[2], { bytes: 0, reason: /RING_UNREADABLE/ })
  const report = (await entriesOf(options.file)).get('report.json')
  t.match(JSON.parse(String(report)), { episodes: [], summary: { incomplete: /RING_UNREADABLE/ } }, 'which is whole')
  t.strictSame(
    (await collect(verifyBundle(options.file))).filter(({ status }) => status !== 'ok'),
    [],
    'what it says it does not have is not missing',
  )
})

t.test('damage in the ring is a gap in the bundle, and the rest is there', async t => {
  const options = await prepare(t)
  const [segment = ''] = await readdir(options.ringDir)
  const path = join(options.ringDir, segment)
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"rxBytes":200', '"rxBytes":999'))
  const { manifest } = await makeBundle(options)
  t.match(manifest.gaps, [{ type: 'gap', data: { reason: 'damage', count: 1, fromSeq: 6, toSeq: 6 } }])
  const bundle = await openBundle(options.file)
  const records = await collect(bundle.records())
  t.strictSame(records, await collect(readRecords(options.ringDir)), 'records and gaps come back out as they went in')
  t.equal(records.length, 10, 'the nine of the story, after the one that opens the segment')
  t.strictSame(records[1], { seq: 2, ...draftOf(story[0] as Line) }, 'the shape is that of `logs --json`')
})

t.test('a part that fails, hangs or never ends costs its limit and a line', async t => {
  const options = await prepare(t)
  const broken: readonly Part[] = [
    {
      name: 'failing.txt',
      timeLimitMs: 1_000,
      async *content() {
        yield 'begun'
        throw new Error('the sensor is gone')
      },
    },
    {
      name: 'hanging.txt',
      timeLimitMs: 50,
      async *content() {
        await new Promise(() => undefined)
        yield 'never'
      },
    },
    {
      name: 'endless.txt',
      timeLimitMs: 100,
      async *content() {
        for (;;) yield 'more\n'
      },
    },
    {
      name: 'dead.txt',
      timeLimitMs: 1_000,
      content: () => failing(new Error('not even begun')),
    },
  ]
  const { manifest } = await makeBundle({ ...options, parts: [...broken, ...parts] })
  const complete = (all: readonly Part[]) => all.map(({ name }) => ({ name, status: 'complete' }))
  t.match(manifest.entries, [
    ...complete(parts.filter(({ fades }) => fades)),
    { name: 'failing.txt', bytes: 5, status: 'truncated', reason: 'the sensor is gone' },
    { name: 'hanging.txt', bytes: 0, status: 'timedOut', reason: 'not done within 50 ms' },
    { name: 'endless.txt', status: 'timedOut', reason: 'not done within 100 ms' },
    { name: 'dead.txt', bytes: 0, status: 'failed', reason: 'not even begun' },
    ...complete(parts.filter(({ fades }) => !fades)),
  ])
  t.ok((await collect(verifyBundle(options.file))).every(({ status }) => status === 'ok'))
})

t.test('what nobody could answer is skipped, and the moment when all that fades was taken is told once', async t => {
  const options = await prepare(t)
  const told: string[] = []
  const { manifest } = await makeBundle({
    ...options,
    state: () => Promise.reject(new Skipped('no daemon answers')),
    procRoot: join(options.ringDir, 'nowhere'),
    onFadingTaken: () => told.push('taken'),
    doctor: async () => {
      told.push('doctor')
      return {}
    },
    parts: allParts,
  })
  t.match(manifest.entries.slice(0, 3), [
    { name: 'state.json', bytes: 0, status: 'skipped', reason: 'no daemon answers' },
    { name: 'sockets.txt', bytes: 0, status: 'skipped', reason: /nowhere\/net has no sockets/ },
    { name: 'routes.txt', bytes: 0, status: 'skipped', reason: /nowhere\/net has no routes/ },
  ])
  t.strictSame(told, ['taken', 'doctor'])
  t.strictSame(
    allParts.slice(0, 3).map(({ timeLimitMs }) => timeLimitMs),
    [100, 100, 100],
  )
})

t.test('no known secret is in any entry, however it was written', async t => {
  const key = 'kR3t+9/aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w='
  const forms = [
    key,
    encodeURIComponent(key),
    Buffer.from(key).toString('base64'),
    JSON.stringify({ inner: JSON.stringify({ key }) }),
    `HostName=h;SharedAccessKey=${key}`,
    key.replaceAll('/', '\\/'),
  ]
  const lines: Line[] = [
    ...story,
    { atS: 41, type: 'sample', data: { [key]: { value: key } }, conn: null },
    ...forms.map((form, n): Line => ({ atS: 42 + n, type: 'log', data: { msg: form, list: [form] }, conn: null })),
    { atS: 50, type: 'episode', data: episodeOf('e2', 49, { sdkSaid: { name: 'Error', message: forms.join(' ') } }) },
  ]
  // A ring from a time when the key was not known as a secret: nothing was taken out on the way in.
  const options = await prepare(t, lines)
  options.secrets.add('shared-access-key', key)
  const { manifest } = await makeBundle({
    ...options,
    why: key,
    requestedBy: encodeURIComponent(key),
    config: { settings: { oops: key } },
    inventory: async () => ({ environment: { KEY: key } }),
    causes: { [key]: key },
  })
  t.ok((manifest.redactions['shared-access-key'] ?? 0) > 10, JSON.stringify(manifest.redactions))
  const needles = [key, encodeURIComponent(key), Buffer.from(key).toString('base64').slice(0, 40), key.slice(0, 20)]
  for (const [name, content] of await entriesOf(options.file)) {
    for (const needle of needles) t.notOk(content.includes(needle), `${needle.slice(0, 6)}... in ${name}`)
    t.notOk(content.includes('hubrec/self-test+'), `the planted secret in ${name}`)
  }
  t.notOk((await readFile(options.file)).includes(key))
})

t.test('a redactor that misses something is found out, and nothing is shipped', async t => {
  const options = await prepare(t)
  const working = options.redactor
  const blind: Redactor = {
    text: text => text,
    json: value => JSON.stringify(value),
    async *stream(source) {
      for await (const chunk of source) yield String(chunk)
    },
    removed: () => ({}),
  }
  const partly: readonly (readonly [name: string, change: Partial<BundleOptions>])[] = [
    ['it takes out nothing', { redactor: blind }],
    [
      'it forgets the inventory',
      {
        redactor: {
          ...working,
          json: value => (hasKey(value, 'inventory') ? JSON.stringify(value) : working.json(value)),
        },
      },
    ],
    [
      'it forgets the records',
      {
        redactor: { ...working, json: value => (hasKey(value, 'level') ? JSON.stringify(value) : working.json(value)) },
      },
    ],
    [
      'a part goes past it',
      {
        parts: [
          {
            name: 'x',
            timeLimitMs: 1_000,
            async *content({ plantedSecret }) {
              yield Buffer.from(plantedSecret).toString('base64')
            },
          },
        ],
      },
    ],
  ]
  for (const [name, change] of partly) {
    await t.rejects(makeBundle({ ...options, ...change }), { code: 'BUNDLE_INVALID' }, name)
    await t.rejects(access(options.file), { code: 'ENOENT' })
    await t.rejects(access(`${options.file}.tmp`), { code: 'ENOENT' })
  }
})

const hasKey = (value: unknown, key: string): boolean => typeof value === 'object' && value !== null && key in value

t.test('what cannot be written, and what is not wanted any more, leaves no file', async t => {
  const options = await prepare(t)
  const dir = join(options.file, '..')
  await t.rejects(makeBundle({ ...options, file: join(dir, 'no', 'where.zip') }), { code: 'ENOENT' })

  const stop = new AbortController()
  const parts: Part[] = [
    {
      name: 'x',
      timeLimitMs: 10_000,
      async *content() {
        yield 'a'
        stop.abort(new Error('stopped'))
        yield 'b'
      },
    },
  ]
  await t.rejects(makeBundle({ ...options, parts, signal: stop.signal }), { message: 'stopped' })
  t.strictSame(await readdir(dir), ['ring'])
})

t.test('a long ring takes little memory, and the loop stays free', async t => {
  const padding = 'the quick brown fox '.repeat(20)
  const lines = Array.from(
    { length: 8_000 },
    (_, n): Line => ({ atS: n / 1_000, type: 'log', data: { msg: `${n} ${padding}` }, conn: null }),
  )
  const options = await prepare(t, lines)
  let turns = 0
  let isMade = false
  const turn = (): void => {
    turns++
    if (!isMade) setImmediate(turn)
  }
  setImmediate(turn)
  const beforeBytes = process.memoryUsage().rss
  const { manifest, bytes } = await makeBundle(options)
  isMade = true
  const grownBytes = process.memoryUsage().rss - beforeBytes
  const raw = manifest.entries.find(({ name }) => name === 'records.ndjson')?.bytes ?? 0
  t.ok(raw > 4_000_000, `${raw} bytes of records in ${bytes} bytes`)
  t.ok(grownBytes < 96 << 20, `${grownBytes} bytes more`)
  t.ok(turns > raw / 65_536, `the loop had ${turns} turns meanwhile`)
  const logs = (await collect((await openBundle(options.file)).records())).filter(({ type }) => type === 'log')
  t.equal(logs.length, 8_000)
})
