/** What is no secret stays, and an enemy's text costs no more than another. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { createFind } from '../../agent/redact/find.js'
import { kinds } from '../../agent/redact/kinds.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { merged } from '../../transports/spans.js'
import { isLong, seed, seedSaid } from '../support/campaign.js'
import { hostileTexts } from '../support/hostile-texts.js'

const find = createFind(() => [])

const filesOf = (folder: string, ending: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => ending.test(path))
    .map(path => join(folder, path))

const textOf = (file: string): string => {
  const bytes = readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}

/** In millionths of the text. */
const touchedPpm = (files: readonly string[]): { characters: number; touched: number; ppm: number } => {
  let [characters, touched] = [0, 0]
  for (const text of files.map(textOf)) {
    characters += text.length
    for (const { start, end } of merged(find(text))) touched += end - start
  }
  return { characters, touched, ppm: (touched / characters) * 1e6 }
}

t.test('records of real troubles lose nothing', async t => {
  const { characters, touched } = touchedPpm(filesOf('test/fixtures/matrix', /\.ndjson\.gz$/))
  t.ok(characters > 4_000_000, `${characters} characters`)
  t.equal(touched, 0)
})

t.test('of our own pages and sources less than a thousandth is taken for a secret', async t => {
  const pages = touchedPpm([...filesOf('docs', /\.md$/), 'README.md', 'CHANGELOG.md'])
  t.ok(pages.ppm < 1_000, `${pages.touched} of ${pages.characters} characters`)
  const sources = touchedPpm(filesOf('agent', /\.ts$/).filter(file => !file.includes('redact')))
  t.ok(sources.ppm < 1_000, `${sources.touched} of ${sources.characters} characters`)
})

t.test('what only looks like a secret stays', async t => {
  const innocent = [
    'SharedAccessSignature sig={signature-string}&se={expiry}&skn={policyName}&sr={URL-encoded-resourceURI}',
    'HostName=<hub>.azure-devices.net;DeviceId=<device>;SharedAccessKey=<key>',
    'AccountKey=...;EndpointSuffix=core.windows.net',
    `password=\${DB_PASSWORD} token=$TOKEN secret={{ .Values.secret }} PASSWORD=%DB_PASSWORD%`,
    'password: ******** psk=xxxxxxxx api_key="<your-api-key>"',
    'sshd[77]: Failed password for pi from 10.0.0.7 port 50122 ssh2',
    'pam_unix(sudo:auth): authentication failure; password: wrong for pi',
    '{"token":{"present":true},"password":null,"secret":true,"tokens":[1,2]}',
    '{"keyFile":"/etc/hubrec/key.pem","sasTokenFile":"/run/token","passphraseFile":null,"credential":"a1b2c3d4e5f6"}',
    'PWD=/home/pi/app OLDPWD=/ token=/run/secrets/token',
    'audit: type=1326 comm="node" sig=31 arch=c00000b7, sig=SIGTERM, design=x, assign=7',
    '"integrity": "sha512-d8UH8nRtx1kYqHN2LM1uWUyvV4XyUMVfHOzBTSJMPYkyVSPbnQmu9fTYSJzYLDDEHEo0S4RnqWVQ8c1Ky3Jz5A=="',
    'sha256 of the key: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'GET https://user@hub.azure-devices.net:443/path@x?api-version=2021-04-12 HTTP/1.1',
    'Authorization: SharedAccessSignature sr=hub&se=1795000000',
    '-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----',
    'bootId 0b3c2a54-6f0e-4c0f-9b9d-1f0a5a4e6c11, etag "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ=="',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1q2w3e4r5t6y7u8i9o0pAsDfGhJkLzXcVbNm12345 pi@gate',
    'the token: expected a string; secret: missing; API key: not set; passphrase: required by the key file',
  ]
  const { text } = createRedactor(createSecrets())
  for (const line of innocent) t.equal(text(line), line)
})

t.test('passwords as people write them go whole, and what stands around them stays', async t => {
  const cases: readonly (readonly [given: string, expected: string])[] = [
    ['password=a,b;c&d!', 'password=[removed:password]'],
    ['user=pi&password=p&ss,w;rd1&next=2', 'user=pi&password=[removed:password]&next=2'],
    ['Server=s;Password=a b;Encrypt=True', 'Server=s;Password=[removed:password] b;Encrypt=True'],
    ['{"password":"a\\"b, c\\\\","x":1}', '{"password":"[removed:password]","x":1}'],
    ['{"password":12345678,"x":1}', '{"password":"[removed:password]","x":1}'],
    ['{"a":"{\\"pin_code\\":1234,\\"b\\":2}"}', '{"a":"{\\"pin_code\\":\\"[removed:sim-pin]\\",\\"b\\":2}"}'],
    ["{ password: 'it is long', user: 'pi' }", "{ password: '[removed:password]', user: 'pi' }"],
    ['- name: DB_PASSWORD\n  value: hunter2\n', '- name: DB_PASSWORD\n  value: [removed:password]\n'],
    ['<add key="DbPassword" value="hunter2" />', '<add key="DbPassword" value="[removed:password]" />'],
    ['["app","--api-key","abc123def"]', '["app","--api-key","[removed:api-key]"]'],
    ['mqtt://pump:s3cr/et@broker:1883/a?b', 'mqtt://pump:[removed:url-password]@broker:1883/a?b'],
    ['  wpa-psk hunter22\n  wpa-ssid Halle', '  wpa-psk [removed:wifi-key]\n  wpa-ssid Halle'],
    ['machine h login pi password hunter2', 'machine h login pi password [removed:password]'],
    ['sshpass -p hunter2 ssh pi@gate', 'sshpass -p [removed:password] ssh pi@gate'],
  ]
  const { text } = createRedactor(createSecrets())
  for (const [given, expected] of cases) t.equal(text(given), expected)
})

t.test('every kind has a name that fits, and anchors that can be found', async t => {
  t.ok(new Set(kinds.map(({ kind }) => kind)).size >= 60, `${new Set(kinds.map(({ kind }) => kind)).size} kinds`)
  for (const { kind, anchors } of kinds) {
    t.match(kind, /^[a-z0-9]+(?:-[a-z0-9]+)*$/)
    t.ok(anchors.length > 0 && anchors.every(anchor => anchor.length > 0 && anchor === anchor.toLowerCase()), kind)
  }
})

t.test('of whatever data something comes out that can be read', async t => {
  t.comment(seedSaid)
  const words = [...new Set(kinds.flatMap(({ anchors }) => anchors))]
  const piece = fc.oneof(
    fc.constantFrom(...words),
    fc.constantFrom(
      '=',
      ':',
      '"',
      '\\',
      ' ',
      '&',
      ';',
      ',',
      '\n',
      '%3D',
      '%22',
      '\\"',
      '{',
      '}',
      '<',
      '>',
      '/',
      '@',
      '.',
      '-',
      '[removed:',
    ),
    fc.base64String({ maxLength: 60 }),
    fc.string({ maxLength: 12 }),
  )
  const { json } = createRedactor(createSecrets())
  const property = fc.property(fc.array(piece, { maxLength: 14 }), pieces => {
    const given = pieces.join('')
    JSON.parse(json({ [given]: given, list: [given, 1] }))
  })
  fc.assert(property, { seed, numRuns: isLong ? 100_000 : 1_500 })
})

t.test("an enemy's text is read in the time that the runner gives; its square would take days", async () => {
  for (const text of Object.values(hostileTexts(isLong ? 1 << 20 : 1 << 18))) find(text)
})
