/** Secrets are planted in every form they travel in, and nothing that comes out may lead back to them. */
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import type { Find } from '../agent/redact/find.js'
import { createRedactor } from '../agent/redact.js'
import { createSecrets } from '../transports/secrets.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='
const connectionString = `HostName=hub.azure-devices.net;DeviceId=pump-7;SharedAccessKey=${key}`

/** A token as the SDK makes it, of a key. */
function tokenOf(key: string): { signature: string; token: string } {
  const resource = encodeURIComponent('hub.azure-devices.net/devices/pump-7')
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n1795000000`).digest('base64')
  return { signature, token: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=1795000000` }
}

const { signature, token } = tokenOf(key)
const foreign = tokenOf('Zm9yZWlnbi1rZXktb2YtYW5vdGhlci1kZXZpY2UtMTI=')

function redactorFor(extra: readonly Find[] = []) {
  const secrets = createSecrets()
  secrets.add('connection-string', connectionString)
  secrets.add('shared-access-key', key)
  secrets.add('sas-token', token)
  secrets.add('sas-signature', signature)
  return createRedactor(secrets, extra)
}

const decodedUrl = (text: string): string => text.replace(/%[0-9a-f]{2}/gi, code => decodeURIComponent(latin1(code)))
const latin1 = (code: string): string => (Number.parseInt(code.slice(1), 16) < 0x80 ? code : '%3F')
const unescapedJson = (text: string): string =>
  text
    .replace(/\\+u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\\', '')

/** What an attacker would try on a text: every decoding of it and of every run in it that could be base64. */
function readings(text: string, depth = 2): string[] {
  const next = [decodedUrl(text), unescapedJson(text), text.replaceAll('-', '+').replaceAll('_', '/')]
  const runs = text.match(/[A-Za-z0-9+/_-]{12,}/g) ?? []
  const decoded = runs.flatMap(run =>
    [0, 1, 2, 3].map(skip => Buffer.from(run.slice(skip), 'base64').toString('latin1')),
  )
  const fresh = [...new Set([...next, ...decoded])].filter(found => found !== text)
  return depth === 0 ? [text] : [text, ...fresh.flatMap(found => readings(found, depth - 1))]
}

/** Eight characters in a row of a secret are a reading of it. */
function reveals(text: string, secret: string): string | null {
  const pieces = Array.from({ length: secret.length - 7 }, (_, at) => secret.slice(at, at + 8))
  const found = readings(text).find(reading => pieces.some(piece => reading.includes(piece)))
  return found ?? null
}

const planted = { key, connectionString, token }

const forms: Readonly<Record<string, (secret: string) => string>> = {
  raw: secret => secret,
  url: secret => encodeURIComponent(secret),
  'url in lower case': secret => encodeURIComponent(secret).replace(/%../g, code => code.toLowerCase()),
  'url twice': secret => encodeURIComponent(encodeURIComponent(secret)),
  base64: secret => Buffer.from(secret).toString('base64'),
  'base64, one off': secret => Buffer.from(`x${secret}tail of it`).toString('base64'),
  'base64, two off': secret => Buffer.from(`xy${secret}tail of it`).toString('base64'),
  'base64 for URLs': secret => Buffer.from(`head of it, ${secret}`).toString('base64url'),
}

const contexts: Readonly<Record<string, (text: string) => unknown>> = {
  'a string': text => text,
  'a sentence': text => ({ message: `connect to "hub" with ${text}, and "quit"\n` }),
  'a query': text => ({ url: `https://hub/devices?api-version=2021&x=${text}&y=1#z` }),
  'a list in a list': text => [[1, [text, null, true]]],
  'a key': text => ({ [text]: { [text]: 1 } }),
  'JSON in a string': text => ({ payload: JSON.stringify({ a: text, b: [text] }) }),
  'JSON in JSON in a string': text => ({ payload: JSON.stringify({ inner: JSON.stringify({ a: text }) }) }),
  'a stack': text => ({ stack: `Error: ${text}\n    at open (/opt/app/\\x.js:1:1)\n${text}` }),
}

for (const [name, secret] of Object.entries(planted)) {
  t.test(`no reading of what comes out gives back the ${name}`, async t => {
    for (const [form, disguise] of Object.entries(forms)) {
      for (const [context, put] of Object.entries(contexts)) {
        const value = put(disguise(secret))
        const redactor = redactorFor()
        const json = redactor.json(value)
        t.equal(reveals(json, key) ?? reveals(json, signature), null, `${form} in ${context}`)
        t.doesNotThrow(() => JSON.parse(json), `${form} in ${context} stays JSON`)
        t.not(json, JSON.stringify(value))
        const text = redactorFor().text(JSON.stringify(value))
        t.equal(reveals(text, key) ?? reveals(text, signature), null, `${form} in ${context} as text`)
        t.ok(Object.values(redactor.removed()).reduce((sum, count) => sum + count) > 0)
      }
    }
  })
}

t.test('the test finds what it looks for when nothing is taken out', async t => {
  for (const [form, disguise] of Object.entries(forms)) {
    t.ok(reveals(JSON.stringify({ payload: JSON.stringify({ a: disguise(key) }) }), key), form)
  }
})

t.test('what holds no secret comes out as it went in', async t => {
  const redactor = redactorFor()
  const value = {
    at: '2026-11-22T10:00:00.000Z',
    list: [1, -0.5, null, true, 'é\n"\\\u2028'],
    sig: 'SIGTERM',
    'a=b': {},
  }
  t.equal(redactor.json(value), JSON.stringify(value))
  t.equal(redactor.json(undefined), 'null')
  t.equal(redactor.text('design=x, sig=11, assign=7'), 'design=x, sig=11, assign=7')
  t.strictSame(redactor.removed(), {})
})

t.test('what was taken out is counted by kind', async t => {
  const redactor = redactorFor()
  t.equal(
    redactor.text(`${key} and ${encodeURIComponent(key)}`),
    '[removed:shared-access-key] and [removed:shared-access-key]',
  )
  t.equal(
    redactor.json([connectionString, 'SharedAccessKey=YWJj']),
    '["[removed:connection-string]","SharedAccessKey=[removed:shared-access-key]"]',
  )
  t.strictSame(redactor.removed(), { 'shared-access-key': 3, 'connection-string': 1 })
})

t.test("another device's signatures and keys go by their shape, and what explains them stays", async t => {
  const { text } = createRedactor(createSecrets())
  const url = `https://a.blob.core.windows.net/c/b?sv=2021-10-04&se=2026-11-22T10%3A00%3A00Z&sr=c&sp=rw&sig=${encodeURIComponent(foreign.signature)}&x=1`
  const cases: readonly (readonly [given: string, expected: string])[] = [
    [
      foreign.token,
      'SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fpump-7&sig=[removed:sas-signature]&se=1795000000',
    ],
    [`sig=${foreign.signature}&se=1`, 'sig=[removed:sas-signature]&se=1'],
    [url, url.replace(encodeURIComponent(foreign.signature), '[removed:sas-signature]')],
    [
      encodeURIComponent(url),
      encodeURIComponent(url).replace(
        encodeURIComponent(encodeURIComponent(foreign.signature)),
        '[removed:sas-signature]',
      ),
    ],
    ['SIG%3Dab%2bcd%26se%3D1', 'SIG%3D[removed:sas-signature]%26se%3D1'],
    ['sig%25253Dab%25252Bcd%252526se', 'sig%25253D[removed:sas-signature]%252526se'],
    [
      '{"t":"sr=x\\u0026sig\\u003dab\\u002Bcd\\/ef\\u003D\\u0026se=1"}',
      '{"t":"sr=x\\u0026sig\\u003d[removed:sas-signature]\\u0026se=1"}',
    ],
    [
      '{"t":"{\\"u\\":\\"sig\\\\u003dab\\\\/cd\\\\u0026x\\"}"}',
      '{"t":"{\\"u\\":\\"sig\\\\u003d[removed:sas-signature]\\\\u0026x\\"}"}',
    ],
    ['{"t":"sig=abcd\\nnext"}', '{"t":"sig=[removed:sas-signature]\\nnext"}'],
    [
      'HostName=h;DeviceId=d;SharedAccessKeyName=owner;sharedAccessKey=YWJj+/==;x',
      'HostName=h;DeviceId=d;SharedAccessKeyName=owner;sharedAccessKey=[removed:shared-access-key];x',
    ],
    [
      'AccountName=a;AccountKey=YWJj==;EndpointSuffix=x',
      'AccountName=a;AccountKey=[removed:account-key];EndpointSuffix=x',
    ],
    ['ssig=abcd sisig=abcd', 'ssig=[removed:sas-signature] sisig=[removed:sas-signature]'],
    ['sig=', 'sig='],
    ['sig=[removed:sas-signature]', 'sig=[removed:sas-signature]'],
    ['audit: type=1326 comm="node" sig=31 arch=c00000b7', 'audit: type=1326 comm="node" sig=31 arch=c00000b7'],
    ['sig', 'sig'],
    ['sig%', 'sig%'],
    ['sig\\', 'sig\\'],
    ['', ''],
  ]
  for (const [given, expected] of cases) t.equal(text(given), expected)
})

t.test('a secret whose head is part of an escape leaves JSON behind', async t => {
  const secrets = createSecrets()
  secrets.add('password', 'nabcdefgh')
  secrets.add('pin', '1234567890')
  const redactor = createRedactor(secrets)
  t.strictSame(
    JSON.parse(redactor.json({ a: 'line\nabcdefgh', b: 'nabcdefgh', nabcdefgh: 1234567890, c: [12, null] })),
    {
      a: 'line\nabcdefgh',
      b: '[removed:password]',
      '[removed:password]': '[removed:pin]',
      c: [12, null],
    },
  )
  t.strictSame(redactor.removed(), { password: 2, pin: 1 })
})

t.test('what others find goes too, and of what overlaps one is made', async t => {
  const addresses: Find = text => {
    const start = text.indexOf('10.0.0.7')
    return start < 0 ? [] : [{ kind: 'address', from: start, start, end: start + 8 }]
  }
  const redactor = redactorFor([addresses])
  t.equal(redactor.text(`${key} at 10.0.0.7`), '[removed:shared-access-key] at [removed:address]')
  t.equal(redactor.text('password=10.0.0.77 and on'), 'password=[removed:password] and on')
  t.strictSame(redactor.removed(), { 'shared-access-key': 1, address: 1, password: 1 })
})

t.test('any key, anywhere in any data, in any form: never seen again', async t => {
  const seed = Number(process.env.HUBREC_TEST_SEED ?? Date.now() % 1e9)
  t.comment(`HUBREC_TEST_SEED=${seed}`)
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 64 })
  const around = fc.tuple(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 12 }))
  const disguises = fc.constantFrom(...Object.values(forms))
  const places = fc.constantFrom(...Object.values(contexts))
  const property = fc.property(bytes, around, disguises, places, (bytes, [head, tail], disguise, put) => {
    const secret = Buffer.from(bytes).toString('base64')
    const secrets = createSecrets()
    secrets.add('key', secret)
    const { json } = createRedactor(secrets)
    const found = json(put(`${head} ${disguise(secret)} ${tail}`))
    JSON.parse(found)
    return reveals(found, secret) === null
  })
  fc.assert(property, { seed, numRuns: 200 })
  t.pass('200 keys')
})
