/**
 * What an enemy may send: every answer is valid, nothing throws, nothing is dialled that is not allowed, nothing of a `sasUrl` is
 * repeated anywhere, and the event loop has its turn. Two thousand payloads with every `npm test`, a hundred thousand with
 * HUBREC_TEST_LONG; METHODS_RUNS says how many in spite of both.
 */
import { writeFile } from 'node:fs/promises'
import { setImmediate as breathe } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { methods } from '../../agent/methods/list.js'
import type { MethodAnswer } from '../../transports/transport.js'
import { countOf, seed, seedSaid } from '../support/campaign.js'
import { allHostileUrls } from '../support/hostile-urls.js'
import { watchLoop } from '../support/loop-stalls.js'
import { methodsDevice, nowMs, sasUrl, signature } from '../support/methods-device.js'
import { watchNetwork } from '../support/watched-network.js'

/** What no answer, record or log line may hold. */
const secretParts = [
  signature,
  encodeURIComponent(signature),
  'c2VjcmV0',
  'sig=',
  'evil',
  'blob.core',
  'devstoreaccount',
]

const isRepeated = (text: string): boolean => secretParts.some(part => text.includes(part))

t.test(
  `${allHostileUrls.length} hostile URLs: each is 400, opens no socket, asks no name server and is never repeated`,
  async t => {
    let lookups = 0
    const { call, failures, told } = await methodsDevice(t, { lookup: () => lookups++ })
    const network = watchNetwork(t)
    const logs = { schemaVersion: '1.0', items: { id: 'hubrec' } }
    for (const url of allHostileUrls) {
      for (const [name, payload] of [
        ['UploadSupportBundle', {}],
        ['UploadModuleLogs', logs],
      ] as const) {
        const answer = await call(name, { ...payload, sasUrl: url })
        const { message = '' } = (answer.payload ?? {}) as { message?: string }
        const isGood = answer.status === 400 && /^sasUrl: (expected|its host)/.test(message) && !isRepeated(message)
        if (!isGood) t.fail(`${name}: ${JSON.stringify(url.slice(0, 200))}: ${JSON.stringify(answer)}`)
      }
      // In the field of another method it is an id that nobody knows.
      const { payload } = await call('GetTaskStatus', { schemaVersion: '1.0', correlationId: url })
      if (isRepeated(JSON.stringify(payload))) t.fail(`GetTaskStatus repeats ${JSON.stringify(url)}`)
    }
    t.strictSame(
      { network, lookups, failures, told },
      { network: { dialled: [], asked: [] }, lookups: 0, failures: [], told: [] },
    )
  },
)

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'hubrec',
    'all',
    '.*',
    '(?i)CLOSED',
    '1.0',
    '1.1',
    '2.0',
    '1h',
    '2026-11-22T10:00:00Z',
    'gzip',
    'text',
    'json',
    '(',
    'e1',
  ),
  fc.constantFrom('$known', sasUrl, ...allHostileUrls.filter(url => url.length < 1_000)),
  fc.webUrl(),
)
const anything = fc.oneof(
  word,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 2 }),
)
const field = fc.constantFrom(
  ...[
    'schemaVersion',
    'items',
    'id',
    'filter',
    'tail',
    'since',
    'until',
    'loglevel',
    'regex',
    'encoding',
    'contentType',
  ],
  ...['around', 'types', 'sasUrl', 'correlationId', 'count', '__proto__', 'constructor', 'toString'],
)
const filter = fc.oneof(
  anything,
  fc.dictionary(field, anything, { maxKeys: 5 }),
  fc.record({ tail: fc.nat(50), loglevel: fc.nat(7), since: fc.constant('2h') }, { requiredKeys: [] }),
)
const item = fc.oneof(anything, fc.record({ id: fc.oneof(word, anything), filter }, { requiredKeys: [] }))
const shaped = fc.record(
  {
    schemaVersion: fc.oneof({ weight: 4, arbitrary: fc.constant('1.0') }, { weight: 1, arbitrary: anything }),
    items: fc.oneof(item, fc.array(item, { maxLength: 4 }), fc.constant({ id: 'hubrec', filter: {} })),
    encoding: fc.oneof(fc.constantFrom('gzip', 'none', 1), anything),
    contentType: fc.oneof(fc.constantFrom('text', 'json', 0), anything),
    since: anything,
    until: anything,
    around: anything,
    sasUrl: fc.oneof(fc.constant(sasUrl), anything),
    correlationId: fc.oneof(fc.constant('$known'), anything),
    count: anything,
  },
  { requiredKeys: [] },
)
/** What would be answered, but for one field. */
const almost = fc
  .tuple(
    fc.constantFrom({}, { items: { id: 'hubrec', filter: { tail: 3 } } }, { sasUrl }, { correlationId: '$known' }),
    field,
    anything,
  )
  .map(([good, name, value]) => ({ schemaVersion: '1.0', ...good, [name]: value }))
const json = fc
  .oneof(
    { weight: 3, arbitrary: shaped },
    { weight: 3, arbitrary: almost },
    fc.dictionary(field, anything),
    fc.jsonValue(),
  )
  .map(value => Buffer.from(JSON.stringify(value)))
const broken = fc.tuple(json, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)))
const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
const nested = fc
  .tuple(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom('[', '{"items":', '{"sasUrl":', '{"items":['))
  .map(([depth, opening]) => Buffer.from(opening.repeat(Math.min(depth, Math.floor(250_000 / opening.length)))))
const long = fc
  .tuple(fc.constantFrom('sasUrl', 'regex', 'since', 'correlationId', 'id'), fc.integer({ min: 1_000, max: 300_000 }))
  .map(([name, length]) =>
    Buffer.from(JSON.stringify({ schemaVersion: '1.0', [name]: 'https://a'.repeat(length / 9) })),
  )
const payloads = fc.oneof(
  { weight: 60, arbitrary: json },
  { weight: 10, arbitrary: broken },
  { weight: 10, arbitrary: bytes },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: long },
)
const spellings = methods.flatMap(({ name }) => [name, `${name[0]?.toLowerCase()}${name.slice(1)}`])
const names = fc.oneof(
  { weight: 19, arbitrary: fc.constantFrom(...spellings) },
  { weight: 1, arbitrary: fc.oneof(fc.string({ unit: 'binary' }), field) },
)

function isValid({ status, payload }: MethodAnswer): boolean {
  const text = JSON.stringify(payload) ?? ''
  if (text.length > 127_000 || isRepeated(text)) return false
  if (status === 200) return true
  const { message, ...rest } = (payload ?? {}) as { message?: unknown }
  const isRefusal = (status === 400 || status === 429) && typeof message === 'string' && message !== ''
  return isRefusal && message.length < 3_000 && Object.keys(rest).length === 0
}

const runs = countOf('METHODS_RUNS', { slice: 2_000, long: 100_000 })
t.test(`${runs} hostile payloads`, { timeout: 0 }, async t => {
  t.comment(seedSaid)
  const network = watchNetwork(t)
  let [clockMs, known] = [nowMs, 'none yet']
  const device = await methodsDevice(t, {
    nowMs: () => clockMs,
    uploads: {
      async make(_task, file) {
        await writeFile(file, 'some bytes')
        return { bytes: 10, fileName: 'hubrec-gate.zip' }
      },
      link: { target: () => Promise.reject(new Error('no hub in this test')), notify: async () => undefined },
      giveUpAfterMs: 200,
    },
  })
  const statuses = new Map<string, number>()
  let longestMs = 0
  // Not the first ones, for which the code is loaded and compiled.
  for (const { name } of methods) await device.call(name)
  await breathe()
  const loop = watchLoop()
  await fc.assert(
    fc.asyncProperty(names, payloads, async (name, given) => {
      const payload = given.includes('$known') ? Buffer.from(given.toString().replaceAll('$known', known)) : given
      // So that the generator and the test do not look like a device that is busy.
      await breathe()
      const startedMs = performance.now()
      const answer = await device.raw(name, payload)
      longestMs = Math.max(longestMs, performance.now() - startedMs)
      const { correlationId } = (answer.payload ?? {}) as { correlationId?: string }
      if (answer.status === 200 && /^upload/i.test(name) && correlationId) known = correlationId
      const what = `${spellings.includes(name) ? name.replace(/^./, first => first.toUpperCase()) : 'unknown'} ${answer.status}`
      statuses.set(what, (statuses.get(what) ?? 0) + 1)
      clockMs += 1_000
      await breathe()
      return isValid(answer)
    }),
    { seed, numRuns: runs },
  )
  loop.stop()
  const { cpuMs, wallMs } = loop.longest()
  t.comment(`answers: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`)
  t.comment(
    `the slowest took ${Math.round(longestMs)} ms; the loop was held for ${Math.round(cpuMs)} ms of its own time, ${Math.round(wallMs)} ms on the wall`,
  )
  t.strictSame({ failures: device.failures, asked: network.asked }, { failures: [], asked: [] })
  // Where the one URL that is allowed leads.
  t.strictSame(
    network.dialled.filter(place => place !== `${new URL(sasUrl).host}:443`),
    [],
  )
  t.strictSame(device.told.filter(isRepeated), [], 'no record and no log line repeats a URL')
  t.ok(
    device.told.some(line => line.includes('"step":"accepted"')),
    'some were accepted',
  )
  t.ok(cpuMs < 50, `the event loop was never held for 50 ms: ${cpuMs}`)
})
