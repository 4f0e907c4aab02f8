/** The directions of DESIGN: data flows one way, and this reads the imports to keep it so. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

/** Who may not import whom: a file whose path starts with `from` may not reach a path that starts with one of `to`. */
const forbidden: readonly { from: string; to: readonly string[]; why: string }[] = [
  { from: 'transports/', to: ['agent/', 'cloud/', 'test/', 'deploy/'], why: 'the wire knows nothing of the agent' },
  { from: 'agent/', to: ['cloud/', 'test/', 'deploy/'], why: 'the device never needs the operator' },
  { from: 'agent/ring/', to: ['transports/', 'agent/evidence/', 'agent/diagnosis/'], why: 'the ring knows bytes only' },
  { from: 'agent/upload/', to: ['agent/ring/'], why: 'upload knows the outbox and a link, not the ring' },
  { from: 'deploy/', to: ['test/'], why: 'what is installed is made without what tests it' },
  {
    from: 'test/real/matrix/',
    to: ['agent/diagnosis/'],
    why: 'who does a fault must not know what the rules make of it',
  },
  { from: 'test/hub/', to: ['agent/', 'transports/'], why: 'the injector of faults must not know what hubrec thinks' },
]

/** Each of these enters at one place only. */
const wrapped: readonly { module: string; at: readonly string[] }[] = [
  { module: 'pino', at: ['agent/operator-log.ts'] },
  { module: 'systeminformation', at: ['agent/evidence/inventory-child.ts'] },
  {
    module: 'valibot',
    at: [
      'agent/config/parse.ts',
      'agent/methods/payloads.ts',
      'agent/ingest/schema.ts',
      'agent/kept-file.ts',
      'agent/messages/store.ts',
      'agent/twin/check.ts',
      'agent/evidence/baseline.ts',
      'agent/evidence/host-watch.ts',
      'agent/evidence/probed.ts',
      'agent/upload-after-outage.ts',
      'agent/verbosity.ts',
    ],
  },
  { module: 'tinyglobby', at: ['agent/bundle/collectors/find-files.ts'] },
  { module: 'serialize-javascript', at: ['agent/report/html.ts'] },
  { module: 'uplot', at: ['agent/report/page/plots.ts'] },
  { module: 'yazl', at: ['agent/bundle/zip.ts'] },
  { module: 'yauzl', at: ['agent/bundle/unzip.ts'] },
  { module: '@azure/storage-blob', at: ['agent/upload/blob.ts'] },
  { module: 'azure-iot-device', at: ['transports/edge.ts', 'transports/identity.ts', 'transports/mqtt.ts'] },
  { module: 'azure-iot-device-mqtt', at: ['transports/mqtt.ts'] },
  { module: 'azure-iot-mqtt-base', at: ['transports/mqtt.ts', 'transports/provisioning.ts'] },
  { module: 'mqtt', at: ['transports/mqtt.ts', 'transports/provisioning.ts'] },
  { module: 'azure-iot-device-amqp', at: ['transports/amqp.ts'] },
  { module: 'azure-iot-amqp-base', at: ['transports/amqp.ts'] },
  { module: 'rhea', at: ['transports/amqp.ts', 'transports/amqp-frames.ts'] },
  { module: 'ws', at: ['transports/upgrade.ts'] },
  { module: 'https-proxy-agent', at: ['transports/proxy.ts'] },
  { module: 'proxy-from-env', at: ['transports/proxy.ts'] },
  { module: 'azure-iot-provisioning-device', at: ['transports/provisioning.ts'] },
  { module: 'azure-iot-provisioning-device-mqtt', at: ['transports/provisioning.ts'] },
  { module: 'esbuild', at: ['deploy/package/bundle.ts', 'deploy/package/replaced.ts'] },
  { module: 'debug', at: ['transports/sdk-debug.ts'] },
]

type Import = { file: string; target: string; typeOnly: boolean }

const sources = ['transports', 'agent', 'cloud', 'deploy', 'test']
  .filter(folder => existsSync(folder))
  .flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: false })
      .filter(path => path.endsWith('.ts'))
      .map(path => join(folder, path)),
  )

const imports: Import[] = sources.flatMap(file => {
  const text = readFileSync(file, 'utf8')
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)/g,
  )
  return [...found].map(match => {
    const name = match[2] ?? match[3] ?? ''
    const target = name.startsWith('.') ? normalize(join(dirname(file), name)) : name
    return { file, target, typeOnly: Boolean(match[1]) }
  })
})

t.test('imports are read at all', async t => {
  t.ok(imports.length > 20, `${imports.length} imports in ${sources.length} files`)
})

t.test('nothing compiled has outlived its source: if so, delete dist/ and build it anew', async t => {
  const left = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter(
    path => path.endsWith('.js') && !existsSync(path.replace(/js$/, 'ts')),
  )
  t.strictSame(left, [])
})

t.test('nothing flows back up', async t => {
  const wrong = forbidden.flatMap(rule =>
    imports
      .filter(({ file, target }) => file.startsWith(rule.from) && rule.to.some(to => target.startsWith(to)))
      .map(({ file, target }) => `${file} imports ${target}, but ${rule.why}`),
  )
  t.strictSame(wrong, [])
})

/** Facts as data, which know nothing of the wire. */
const facts = ['transports/clouds.js', 'transports/known-roots.js']

t.test('diagnosis is pure: it takes only types and facts from elsewhere', async t => {
  const wrong = imports
    .filter(({ file }) => file.startsWith('agent/diagnosis/'))
    .filter(({ target, typeOnly }) => !target.startsWith('agent/diagnosis/') && !typeOnly && !facts.includes(target))
    .map(({ file, target }) => `${file} imports ${target}`)
  t.strictSame(wrong, [])
})

t.test('each dependency enters at one place', async t => {
  const wrong = wrapped.flatMap(({ module, at }) =>
    imports
      .filter(({ file, target }) => !file.startsWith('test/') && (target === module || target.startsWith(`${module}/`)))
      .filter(({ file }) => !at.includes(file))
      .map(({ file }) => `${file} imports ${module}, which enters at ${at.join(', ')}`),
  )
  t.strictSame(wrong, [])
})
