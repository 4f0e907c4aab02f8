/** Eighty types of secrets in six contexts and nine encodings, cut anywhere: none of them comes through. */
import t from 'tap'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { among, countOf, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { contexts, encodings, plants, revealed } from '../support/planted-secrets.js'

type Case = Readonly<{ type: string; context: string; encoding: string }>

const all: readonly Case[] = Object.keys(plants).flatMap(type =>
  Object.keys(contexts).flatMap(context => Object.keys(encodings).map(encoding => ({ type, context, encoding }))),
)
const random = randomFrom(seed)

/** Each type, context and encoding is among them, however few they are. */
const chosen = (count: number): Case[] =>
  Array.from(
    { length: count },
    (_, n) => all[count < all.length ? among(random, 0, all.length - 1) : n % all.length] as Case,
  )

const plantedText = ({ type, context, encoding }: Case): { text: string; secret: string } => {
  const { shown, secret } = plants[type]!(random)
  return { text: contexts[context]!(encodings[encoding]!(shown)), secret }
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

t.comment(seedSaid)

t.test('no reading of what comes out shows a secret, and what was JSON still is', async t => {
  const count = countOf('HUBREC_TEST_PLANTS', { slice: 1_000, long: 24_000 })
  const leaks: string[] = []
  for (const planted of chosen(count)) {
    const { text, secret } = plantedText(planted)
    const name = Object.values(planted).join(', ')
    const { text: redact, json, removed } = createRedactor(createSecrets())
    const asText = redact(text)
    const asValue = json({ msg: text, at: 1 })
    const shown = revealed(asText, secret) ?? revealed(asValue, secret)
    if (shown !== null) leaks.push(`${name}: ${shown} of ${text}`)
    if (redact(asText) !== asText) leaks.push(`${name}: not done at once: ${asText}, ${redact(asText)}`)
    if (Object.keys(removed()).length === 0) leaks.push(`${name}: not counted`)
    if (text.startsWith('{') && !isJson(asText)) leaks.push(`${name}: no JSON: ${asText} of ${text}`)
    JSON.parse(asValue)
  }
  t.strictSame(leaks, [], `${count} plants`)
})

t.test('the test sees each of them where nothing is taken out', async t => {
  const blind = all
    .filter((_, n) => n % 7 === 0)
    .filter(planted => {
      const { text, secret } = plantedText(planted)
      return revealed(text, secret) === null
    })
  t.strictSame(blind, [])
})
