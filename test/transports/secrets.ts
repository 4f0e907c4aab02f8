import t from 'tap'
import { createSecrets } from '../../transports/secrets.js'

const key = 'q9f+3/JtVxk8Zb0yPq/N5+W2uRk7sLmA1cD4eF6gH8I='

/** Every way a secret travels, with what is around it. */
const disguises: Readonly<Record<string, string>> = {
  raw: `SharedAccessKey=${key};`,
  url: `?key=${encodeURIComponent(key)}&x=1`,
  'url in lower case': `?key=${encodeURIComponent(key).replace(/%../g, code => code.toLowerCase())}`,
  'url twice': `?next=${encodeURIComponent(encodeURIComponent(key))}`,
  json: JSON.stringify({ key }),
  'json in json': JSON.stringify({ inner: JSON.stringify({ key }) }),
  'json with escaped slashes': JSON.stringify({ key }).replaceAll('/', '\\/'),
  'json as .NET writes it': JSON.stringify({ key }).replaceAll('+', '\\u002B'),
  'json as Go writes it': JSON.stringify({ key }).replaceAll('+', '\\u002b').replaceAll('=', '\\u003d'),
  'without its padding': key.replace('=', ''),
  'in the alphabet of URLs': key.replaceAll('+', '-').replaceAll('/', '_').replace('=', ''),
  'with only the plus encoded': key.replaceAll('+', '%2B'),
  base64: Buffer.from(key).toString('base64'),
  'base64 of a text around it, one off': Buffer.from(`x${key} and more`).toString('base64'),
  'base64 of a text around it, two off': Buffer.from(`xy${key} and more`).toString('base64'),
  base64url: Buffer.from(`xy${key}`).toString('base64url'),
}

for (const [name, text] of Object.entries(disguises)) {
  t.test(`a key is removed as ${name}`, async t => {
    const secrets = createSecrets()
    secrets.add('shared-access-key', key)
    const { text: clean, removed } = secrets.scrub(`before ${text} after`)
    t.match(clean, /^before .*\[removed:shared-access-key\].* after$/)
    t.strictSame(removed, { 'shared-access-key': 1 })
    t.notOk(clean.includes(text), 'the disguise is gone')
    for (const form of [clean, decodeURIComponent(clean), clean.replaceAll('\\', '')])
      t.notOk(form.includes(key.slice(4, 30)))
  })
}

t.test('a text without a secret is left alone', async t => {
  const secrets = createSecrets()
  secrets.add('shared-access-key', key)
  const text = 'ECONNRESET after 90 s, 4 attempts, "quoted" and {"json":true}'
  t.strictSame(secrets.scrub(text), { text, removed: {} })
})

t.test('a secret inside another goes with it, and alone', async t => {
  const secrets = createSecrets()
  secrets.add('shared-access-key', key)
  secrets.add('connection-string', `HostName=h;DeviceId=d;SharedAccessKey=${key}`)
  t.strictSame(secrets.scrub(`HostName=h;DeviceId=d;SharedAccessKey=${key} ${key}`), {
    text: '[removed:connection-string] [removed:shared-access-key]',
    removed: { 'connection-string': 1, 'shared-access-key': 1 },
  })
})

t.test('what is too short to be a secret is not taken, or it would eat innocent text', async t => {
  const secrets = createSecrets()
  secrets.add('password', 'hub')
  t.strictSame(secrets.scrub('the hub').text, 'the hub')
})

t.test('of tokens the newest 16 are remembered, and the key for ever', async t => {
  const secrets = createSecrets()
  secrets.add('shared-access-key', key)
  const token = (n: number): string => `sig-of-token-number-${n}-end`
  for (let n = 1; n <= 20; n++) secrets.add('signature', token(n))
  const { removed } = secrets.scrub([key, ...Array.from({ length: 20 }, (_, n) => token(n + 1))].join(' '))
  t.strictSame(removed, { 'shared-access-key': 1, signature: 16 })
})
