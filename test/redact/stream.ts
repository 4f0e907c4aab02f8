/** A text of any length, cut anywhere: what comes out is what would come out of it in one piece, as far as it was one. */
import t from 'tap'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { among, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { contexts, encodings, plants, revealed } from '../support/planted-secrets.js'
import { collect } from '../support/ring-records.js'

const random = randomFrom(seed)
t.comment(seedSaid)

async function* cut(text: string, chunkMax: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    const end = at + among(random, 1, chunkMax)
    yield bytes.subarray(at, end)
    at = end
  }
}

const line = (n: number): string =>
  `2026-11-27T08:00:00Z gate app[${n}]: Größe der Warteschlange ${n}, nothing else to report\n`

/** Many lines with every type of secret somewhere in them, each in one of its contexts and encodings. */
function longText(): { text: string; secrets: string[] } {
  const pieces: string[] = []
  const secrets: string[] = []
  const [places, ways] = [Object.values(contexts), Object.values(encodings)]
  for (const make of Object.values(plants)) {
    const { shown, secret } = make(random)
    secrets.push(secret)
    const put = places[among(random, 0, places.length - 1)]!
    const way = ways[among(random, 0, ways.length - 1)]!
    pieces.push(...Array.from({ length: among(random, 1, 90) }, (_, n) => line(n)), `${put(way(shown))}\n`)
  }
  return { text: pieces.join(''), secrets }
}

t.test('no chunk limit hides a secret, and the rest comes through', async t => {
  for (const chunkMax of [3, 1_000, 70_000, 1 << 20]) {
    const { text, secrets } = longText()
    const { stream, removed } = createRedactor(createSecrets())
    const pieces = await collect(stream(cut(text, chunkMax)))
    const whole = createRedactor(createSecrets())
    t.equal(pieces.join(''), whole.text(text), `chunks of up to ${chunkMax} bytes`)
    t.strictSame(removed(), whole.removed())
    t.ok(
      pieces.length > 1 && pieces.every(piece => piece.length < 160_000),
      pieces.map(piece => piece.length).join(' '),
    )
    t.ok(
      pieces.every(piece => piece.endsWith('\n')),
      'pieces end with lines',
    )
    t.strictSame(
      secrets.filter(secret => revealed(lineWith(pieces, secret), secret) !== null),
      [],
    )
  }
})

/** The readings of a whole text would take for ever; a secret that came through would be in one of its lines. */
const lineWith = (pieces: readonly string[], secret: string): string =>
  pieces
    .join('')
    .split('\n')
    .filter(line => line.includes(secret.slice(0, 10)))
    .join('\n')

t.test("the device's own secret is found wherever it is cut, also in a line without end", async t => {
  const secrets = createSecrets()
  const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='
  secrets.add('shared-access-key', key)
  const noise = 'a noise without lines, '.repeat(4_900)
  for (const before of [65_490, 65_530, 112_640, 112_600, 114_000]) {
    const { stream } = createRedactor(secrets)
    const text = `${noise.slice(0, before)} ${key} ${noise}`
    const found = (await collect(stream(cut(text, 40)))).join('')
    t.equal(found, text.replace(key, '[removed:shared-access-key]'), `after ${before} characters`)
  }
})

t.test('a text in which all is secret, or nothing ends, goes through all the same', async t => {
  const hostile = [
    'password=',
    'a',
    'QUFB',
    '\\',
    '%25',
    '"',
    '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n',
  ]
  for (const piece of hostile) {
    const text = piece.repeat(Math.ceil(400_000 / piece.length))
    const { stream } = createRedactor(createSecrets())
    const pieces = await collect(stream(cut(text, 100_000)))
    t.ok(
      pieces.every(found => found.length < 200_000),
      `${piece.slice(0, 10)}...`,
    )
  }
})

t.test('bytes that are no UTF-8, and characters cut in two', async t => {
  const { stream } = createRedactor(createSecrets())
  const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(' Grün password=abc12! 🦊')])
  const found = await collect(
    stream(
      (async function* () {
        for (const byte of bytes) yield Buffer.from([byte])
      })(),
    ),
  )
  t.equal(found.join(''), '\ufffd\ufffd Grün password=[removed:password] 🦊')
  t.strictSame(await collect(stream((async function* () {})())), [])
})
