import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { catalogue, findCause } from '../../agent/diagnosis/catalogue.js'
import { type Cause, ceilingFor, families } from '../../agent/diagnosis/cause.js'
import { codes } from '../../agent/diagnosis/codes.js'
import { atMost } from '../../agent/diagnosis/confidence.js'
import { pages } from '../../agent/diagnosis/pages.js'
import type { Confidence } from '../../agent/evidence/episode.js'

const folder = 'agent/diagnosis/causes'
const files = readdirSync(folder).map(file => ({
  id: file.replace(/\.ts$/, ''),
  text: readFileSync(`${folder}/${file}`, 'utf8'),
}))

t.test('every file of a cause is in the catalogue, once and under the name of the file', async t => {
  t.strictSame(catalogue.map(({ id }) => id).sort(), files.map(({ id }) => id).sort())
  t.ok(catalogue.every(({ id }) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)))
})

t.test('every cause that a rule names beside its own can be explained', async t => {
  const named = files.flatMap(({ id, text }) =>
    [...text.matchAll(/maybe\(\s*'([^']+)'/g)].map(match => ({ id, named: match[1] ?? '' })),
  )
  t.ok(named.length > 20, `${named.length} names were found`)
  t.strictSame(
    named.filter(each => findCause(each.named) === undefined),
    [],
  )
  t.strictSame(
    named.filter(each => each.id === each.named),
    [],
    'no cause is its own runner-up',
  )
  t.strictSame(
    named.filter(each => findCause(each.named)?.ceiling.mqtt === 'none'),
    [],
    'nor one that no device can see',
  )
})

t.test('every code that a cause names has a text, every text is found once, and no code is a stranger', async t => {
  const known = codes.map(({ code }) => code)
  t.strictSame(
    catalogue.flatMap(({ hubCodes }) => hubCodes).filter(code => !known.includes(code)),
    [],
  )
  t.equal(new Set(known).size, known.length)
  t.strictSame(
    codes.filter(({ code }) => !/^\d{3}(\d{3}|xxx)$/.test(code)),
    [],
  )
  t.ok(codes.every(({ name, seenBy, means }) => name !== '' && seenBy !== '' && means.endsWith('.')))
})

t.test('every cause tells a technician what each side sees, what it means and what to do', async t => {
  const sentences = ({ title, meaning, sees, nextSteps }: Cause) => [
    meaning,
    ...Object.values(sees),
    ...nextSteps.device,
    ...nextSteps.portal,
    `${title}.`,
  ]
  const poor = catalogue.filter(
    cause =>
      !families.includes(cause.family) ||
      cause.nextSteps.device.length === 0 ||
      cause.nextSteps.portal.length === 0 ||
      cause.docs.length === 0 ||
      // Serial consoles know ASCII only.
      !sentences(cause).every(sentence => /^[A-Za-z0-9][ -~]+[.?)`]$/.test(sentence)),
  )
  t.strictSame(
    poor.map(({ id }) => id),
    [],
  )
})

t.test('only pages of the documentation of Microsoft are named', async t => {
  for (const { title, address } of Object.values(pages)) {
    t.match(address, /^https:\/\/learn\.microsoft\.com\/azure\/(iot|iot-hub)\/[a-z0-9-]+$/, title)
  }
})

t.test('only what is done on purpose is planned', async t => {
  t.strictSame(
    catalogue.filter(({ planned }) => planned).map(({ id }) => id),
    ['graceful-close', 'sas-renewal-expected'],
  )
})

t.test('a device is never surer than it can be', async t => {
  const ceilings = (['certain', 'likely', 'possible', 'none'] as const).map(ceiling =>
    (['certain', 'likely', 'possible', 'unknown'] as const).map(
      (confidence): Confidence => atMost(confidence, ceiling),
    ),
  )
  t.strictSame(ceilings, [
    ['certain', 'likely', 'possible', 'unknown'],
    ['likely', 'likely', 'possible', 'unknown'],
    ['possible', 'possible', 'possible', 'unknown'],
    ['unknown', 'unknown', 'unknown', 'unknown'],
  ])
})

t.test('what no device can see has no rules, and MQTT tells less of throttling than AMQP', async t => {
  const ruled = catalogue.filter(({ fromAttempt, fromEnding }) => fromAttempt !== undefined || fromEnding !== undefined)
  t.strictSame(
    ruled.filter(({ ceiling }) => ceiling.mqtt === 'none' || ceiling.amqp === 'none'),
    [],
  )
  const throttled = findCause('throttled')
  t.strictSame(
    (['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const).map(protocol => throttled && ceilingFor(throttled, protocol)),
    ['possible', 'possible', 'certain', 'certain'],
  )
})

t.test('what fits everything comes last', async t => {
  t.equal(catalogue.at(-1)?.id, 'unknown-close')
})
