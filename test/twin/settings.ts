/** What the twin may change, and what is answered: each property by itself, bounded, and as before after a restart without a network. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { loadConfig } from '../../agent/config/load.js'
import { twinProperties } from '../../agent/twin/properties.js'
import type { TwinParts } from '../../agent/twin/property.js'
import { type Answer, createTwinSettings } from '../../agent/twin/settings.js'

const nowMs = Date.parse('2026-11-27T10:00:00Z')
const { config } = await loadConfig({ env: {}, defaultFile: '/nowhere' })

const configured = 'as the configuration of the device says'
const standard = {
  sampleIntervalSeconds: { value: 10, ac: 203, av: 0, ad: configured },
  ringBudgetBytes: { value: 16_777_216, ac: 203, av: 0, ad: configured },
  uploadQuotaBytes: { value: 67_108_864, ac: 203, av: 0, ad: configured },
  heartbeatMinutes: { value: 0, ac: 203, av: 0, ad: configured },
}

function scene(t: Test, dir = t.testdir(), refuse = false) {
  const done: [what: string, value: unknown][] = []
  const warned: string[] = []
  const path = join(dir, 'twin.json')
  const parts: TwinParts = {
    setSampleInterval: ms => void done.push(['interval', ms]),
    async setRingBudget(bytes) {
      if (refuse) throw new Error('no')
      done.push(['ring', bytes])
    },
    setHeartbeat: ms => void done.push(['heartbeat', ms]),
    setOutboxQuota: bytes => void done.push(['quota', bytes]),
    raiseVerbosity: async until => void done.push(['verbose', until]),
  }
  const settings = createTwinSettings({
    path,
    config,
    properties: twinProperties,
    orders: () => [],
    parts,
    nowMs: () => nowMs,
    said: () => undefined,
    warn: message => void warned.push(message),
  })
  const take = (component: unknown, version: number, named: readonly string[] | null = null, reported = {}) =>
    settings.take(component, version, named && new Set(named), reported)
  const answers = () => settings.answers() as Readonly<Record<string, Answer>>
  return { dir, path, done, warned, take, answers, begin: settings.begin }
}

t.test('where the twin says nothing the configuration holds, and is said', async t => {
  const { answers, done, take } = scene(t)
  t.strictSame(answers(), {}, 'nothing is answered before anything was heard')
  await take(undefined, 1)
  t.strictSame(answers(), standard)
  t.strictSame(done, [])
})

t.test('each property is accepted or refused by itself, all of them at once', async t => {
  const { answers, done, take } = scene(t)
  await take(
    {
      __t: 'c',
      sampleIntervalSeconds: 0,
      verboseUntil: '2026-11-27T12:00:00Z',
      ringBudgetBytes: '1 MiB',
      uploadQuotaBytes: 2_097_152,
      stateDir: '/etc',
      'no name': 1,
    },
    4,
  )
  t.strictSame(answers(), {
    sampleIntervalSeconds: { value: 10, ac: 400, av: 4, ad: 'expected a whole number from 1 to 86400' },
    verboseUntil: { value: '2026-11-27T12:00:00Z', ac: 200, av: 4, ad: 'accepted' },
    ringBudgetBytes: { value: 16_777_216, ac: 400, av: 4, ad: 'expected a whole number from 262144 to 1073741824' },
    uploadQuotaBytes: { value: 2_097_152, ac: 200, av: 4, ad: 'accepted' },
    heartbeatMinutes: standard.heartbeatMinutes,
    stateDir: {
      ac: 400,
      av: 4,
      ad: `unknown property; expected one of ${twinProperties.map(({ name }) => name).join(', ')}`,
    },
  })
  t.strictSame(done, [
    ['verbose', '2026-11-27T12:00:00Z'],
    ['quota', 2_097_152],
  ])
})

t.test('verbosity has an end that is not far', async t => {
  const { answers, take } = scene(t)
  const said: [unknown, string | undefined][] = []
  for (const until of ['2026-11-29T10:00:00Z', '10m', 'tomorrow', 5, '2026-02-30T00:00:00Z', '2020-01-01T00:00:00Z']) {
    await take({ verboseUntil: until }, 2)
    said.push([until, answers().verboseUntil?.ad])
  }
  const form = 'expected a time as in 2026-11-30T12:00:00Z'
  t.strictSame(said, [
    ['2026-11-29T10:00:00Z', "expected a time at most 24 hours ahead of this device's clock"],
    ['10m', form],
    ['tomorrow', form],
    [5, form],
    ['2026-02-30T00:00:00Z', form],
    ['2020-01-01T00:00:00Z', 'accepted'],
  ])
})

t.test('what is taken back goes back to the configuration, and a refusal changes nothing', async t => {
  const { answers, done, take } = scene(t)
  await take({ sampleIntervalSeconds: 5 }, 2)
  await take({ sampleIntervalSeconds: 5, ringBudgetBytes: 1 }, 3, ['ringBudgetBytes'])
  await take({ sampleIntervalSeconds: -1 }, 4, ['sampleIntervalSeconds'])
  t.match(answers().sampleIntervalSeconds, { value: 5, ac: 400, av: 4 })
  await take({}, 5)
  t.strictSame(answers(), standard)
  t.strictSame(done, [
    ['interval', 5_000],
    ['interval', 10_000],
  ])
})

t.test('an answer keeps its version until it is asked again', async t => {
  const { answers, take } = scene(t)
  const versions = (): unknown[] => [answers().sampleIntervalSeconds?.av, answers().uploadQuotaBytes?.av]
  const both = { sampleIntervalSeconds: 5, uploadQuotaBytes: 2_097_152 }
  await take(both, 7, null, { sampleIntervalSeconds: { value: 5, ac: 200, av: 3, ad: 'accepted' } })
  t.strictSame(versions(), [3, 7], 'one of an earlier run stands')
  await take(both, 8, ['uploadQuotaBytes'])
  t.strictSame(versions(), [3, 8])
  await take(both, 9)
  t.strictSame(versions(), [3, 8])
  await take(both, 1)
  t.strictSame(versions(), [1, 1], 'a twin that was made anew')
})

t.test('a restart without a network goes on with what was accepted last', async t => {
  const before = scene(t)
  await before.take({ sampleIntervalSeconds: 5, ringBudgetBytes: 524_288, verboseUntil: '2026-11-27T12:00:00Z' }, 6)
  await before.take({ sampleIntervalSeconds: 7, ringBudgetBytes: 1, verboseUntil: '2026-11-27T12:00:00Z' }, 7)
  const { begin, done, take } = scene(t, before.dir)
  await begin()
  t.strictSame(
    done,
    [
      ['interval', 7_000],
      ['ring', 524_288],
    ],
    'raised verbosity is kept elsewhere, with its end',
  )
  await take({ sampleIntervalSeconds: 7, ringBudgetBytes: 524_288, verboseUntil: '2026-11-27T12:00:00Z' }, 8)
  t.equal(done.length, 2, 'nothing has changed')
})

t.test('a file that is no good is as good as none, and said; what is no longer allowed does not hold', async t => {
  for (const text of ['{', 'null', '{"version":2,"desiredVersion":1,"accepted":{}}', '{"version":1}']) {
    const { begin, done, path, warned } = scene(t)
    writeFileSync(path, text)
    await begin()
    t.strictSame(done, [], text)
    t.match(warned, [/twin\.json/], text)
  }
  const { begin, done, path, warned } = scene(t)
  writeFileSync(
    path,
    JSON.stringify({
      version: 1,
      desiredVersion: 1,
      accepted: { sampleIntervalSeconds: 0, stateDir: '/', uploadQuotaBytes: 1_048_576 },
    }),
  )
  await begin()
  t.strictSame([done, warned], [[['quota', 1_048_576]], []])
})

t.test('what fails is answered with 500, and the old value stands', async t => {
  const { answers, take, warned } = scene(t, undefined, true)
  await take({ ringBudgetBytes: 524_288, sampleIntervalSeconds: 3 }, 2)
  t.match(answers(), {
    ringBudgetBytes: { value: 16_777_216, ac: 500, av: 2 },
    sampleIntervalSeconds: { value: 3, ac: 200, av: 2 },
  })
  t.match(warned, [/ringBudgetBytes/])
})

t.test('the file is written when something was accepted, and not each time', async t => {
  const { path, take } = scene(t)
  await take({ sampleIntervalSeconds: 5 }, 2)
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')), {
    version: 1,
    desiredVersion: 2,
    accepted: { sampleIntervalSeconds: 5 },
  })
})

t.test('whatever is sent, it is answered within bounds, and never repeated unless it was accepted', async t => {
  const secret = 'SharedAccessSignature sr=x&sig=c2VjcmV0&se=1'
  const { answers, take } = scene(t)
  const component = fc.oneof(
    fc.anything(),
    fc.dictionary(
      fc.oneof(fc.constantFrom(...twinProperties.map(({ name }) => name)), fc.string()),
      fc.oneof(fc.anything(), fc.constant(secret), fc.integer()),
    ),
  )
  await fc.assert(
    fc.asyncProperty(component, fc.nat(), async (given, version) => {
      await take(given, version)
      const text = JSON.stringify(answers())
      return text.length < 6_000 && !text.includes('c2VjcmV0')
    }),
    { numRuns: 300 },
  )
  await take('SharedAccessKey=abc', 3)
  t.strictSame(answers(), standard)
})
