import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeBundle } from '../../agent/bundle/make.js'
import type { Values } from '../../agent/cli/command.js'
import { report } from '../../agent/cli/report.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts } from '../support/bundle-parts.js'
import { recordRing, story, storyStartMs } from '../support/recorded-ring.js'
import { entriesOf, writeZip } from '../support/zip.js'

const prepare = async (t: Test): Promise<{ dir: string; bundle: string }> => {
  const dir = t.testdir()
  const secrets = createSecrets()
  const bundle = join(dir, 'bundle.zip')
  await recordRing(join(dir, 'ring'), story, { secrets })
  await makeBundle({
    file: bundle,
    window: { until: storyStartMs + 60e3 },
    requestedBy: 'a test',
    why: 'to look inside',
    ringDir: join(dir, 'ring'),
    device: 'gate',
    config: {},
    versions: { hubrec: '0.1.0', sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' }, node: '20', os: 'Linux' },
    causes: {},
    redactor: createRedactor(secrets),
    secrets,
    nowMs: storyStartMs + 60e3,
    inventory: async () => ({}),
    parts: patientParts,
  })
  return { dir, bundle }
}

const run = async (values: Values, ...positionals: string[]) => {
  const printed: string[] = []
  const io = {
    print: (line: string) => void printed.push(line),
    write: () => undefined,
    complain: () => undefined,
    room: async () => undefined,
    env: {},
    signal: new AbortController().signal,
    isTerminal: false,
  }
  return { code: await report.run(values, positionals, io), printed }
}

/** What the page holds, by section. */
const dataOf = (html: string): Map<string, unknown[]> => {
  const sections = new Map<string, unknown[]>()
  for (const [, name = '', text = ''] of html.matchAll(/data-section="(\w+)">([^<]*)</g)) {
    sections.set(name, [...(sections.get(name) ?? []), ...JSON.parse(text)])
  }
  return sections
}

t.test('a bundle becomes a page that holds what its own page does', async t => {
  const { dir, bundle } = await prepare(t)
  const file = join(dir, 'page.html')
  const { code, printed } = await run({ output: file, json: true }, bundle)
  const html = await readFile(file, 'utf8')
  t.strictSame([code, printed.map(line => JSON.parse(line))], [0, [{ file, bytes: Buffer.byteLength(html) }]])
  const own = String((await entriesOf(bundle)).get('report.html'))
  t.strictSame(dataOf(html), dataOf(own))
  t.match(dataOf(html).get('episodes'), [{ id: 'e1' }])
  t.notMatch(html, 'src=', 'and needs nothing else')
  t.strictSame((await readdir(dir)).sort(), ['bundle.zip', 'page.html', 'ring'])
})

t.test('of a bundle that is not what its manifest says no page is made, and all that is wrong is said', async t => {
  const { dir, bundle } = await prepare(t)
  const file = join(dir, 'page.html')
  const entries = [...(await entriesOf(bundle))].flatMap(([name, content]): [string, Buffer | string][] => {
    if (name === 'system.json') return []
    return [[name, name === 'episodes.json' ? String(content).replace('peer-reset', 'peer-resex') : content]]
  })
  await writeZip(bundle, entries)
  await t.rejects(run({ output: file }, bundle), {
    code: 'BUNDLE_INVALID',
    problems: [/system\.json: it is missing/, /episodes\.json: its SHA-256 is not that of the manifest/],
  })
  await writeFile(bundle, 'no archive')
  await t.rejects(run({ output: file }, bundle), { code: 'BUNDLE_INVALID', problems: [/not a whole ZIP file/] })
  t.strictSame((await readdir(dir)).sort(), ['bundle.zip', 'ring'])
})

t.test('a bundle of another release, with less in it, becomes a page all the same', async t => {
  const { dir, bundle } = await prepare(t)
  const entries = await entriesOf(bundle)
  const manifest = JSON.parse(String(entries.get('manifest.json')))
  const bare = [
    {
      id: 'e9',
      conn: 'hubrec',
      state: 'closed',
      startedAt: '2026-11-22T10:00:01Z',
      endedAt: '2026-11-22T10:00:03Z',
      verdict: {},
    },
  ]
  const text = JSON.stringify(bare)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const listed = [
    { name: 'episodes.json', bytes: text.length, sha256, durationMs: 1, status: 'complete', reason: null },
  ]
  const window = { from: '2026-11-22T10:00:00Z', to: '2026-11-22T10:01:00Z' }
  await writeZip(bundle, [
    ['episodes.json', text],
    ['manifest.json', JSON.stringify({ ...manifest, window, entries: listed })],
  ])
  const file = join(dir, 'page.html')
  t.equal((await run({ output: file }, bundle)).code, 0)
  const data = dataOf(await readFile(file, 'utf8'))
  t.match(data.get('episodes'), [{ id: 'e9', durationMs: 2_000, verdict: { cause: 'unknown', nextSteps: [] } }])
  t.match(data.get('summary'), [{ incomplete: null, totals: { episodes: 1 } }])
})

t.test('what is asked for has to make sense', async t => {
  const { dir, bundle } = await prepare(t)
  await t.rejects(run({}), { code: 'USAGE', message: /name a bundle/ })
  await t.rejects(run({}, join(dir, 'nowhere.zip')), { code: 'USAGE', message: /ENOENT/ })
  await t.rejects(run({ output: bundle }, bundle), { code: 'USAGE', message: /the bundle itself/ })
  await t.rejects(run({ output: join(dir, 'no', 'where.html') }, bundle), { code: 'USAGE', message: /ENOENT/ })
})
