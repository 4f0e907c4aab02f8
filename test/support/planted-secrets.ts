/**
 * Secrets as those who issue them make them, from what is published of their form, and where people leave them. It knows nothing
 * of the rules by which they are found.
 */
import { among } from './campaign.js'

type Random = () => number

const digits = '0123456789'
const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
const hex = `${digits}abcdef`
const base62 = upper + lower + digits
const base64Alphabet = `${base62}+/`
const base64urlAlphabet = `${base62}-_`

const some = (random: Random, alphabet: string, length: number): string =>
  Array.from({ length }, () => alphabet[among(random, 0, alphabet.length - 1)]).join('')
const bytes = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => among(random, 0, 255)))
const base64 = (random: Random, length: number): string => bytes(random, length).toString('base64')
const base64url = (random: Random, length: number): string => bytes(random, length).toString('base64url')
const guid = (random: Random): string => [8, 4, 4, 4, 12].map(length => some(random, hex, length)).join('-')

/** As people choose them. */
const password = (random: Random): string => {
  const [head, tail] = ['Sommer', 'hunter', 'Geheim', 'P@ss', 'raspberry', 'correct-horse', 'Wert!', 'Zq'].sort(
    () => random() - 0.5,
  )
  return `${head}${among(random, 10, 9_999)}${['!', '', '#', '.', '$x', '?'][among(random, 0, 5)]}${tail}`
}

/** A key of 32 bytes that has its signature where Azure puts it. */
const signed = (random: Random, before: number, signature: string, after: number, padding: string): string =>
  `${some(random, base64Alphabet, before)}${signature}${some(random, 'ABCD', 1)}${some(random, base64Alphabet, after - 1)}${padding}`

export type Plant = Readonly<{
  /** As it is mostly seen: beside what tells what it is, if it does not tell itself. */
  shown: string
  secret: string
}>

const alone = (secret: string): Plant => ({ shown: secret, secret })
const behind = (before: string, secret: string, after = ''): Plant => ({ shown: `${before}${secret}${after}`, secret })

const pem = (random: Random, label: string, length: number): Plant => {
  const lines = base64(random, length).match(/.{1,64}/g) ?? []
  return {
    shown: `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----`,
    secret: lines[among(random, 0, lines.length - 2)] ?? '',
  }
}

/** One line for each type. */
export const plants: Readonly<Record<string, (random: Random) => Plant>> = {
  'IoT Hub connection string': r =>
    behind('HostName=hub.azure-devices.net;DeviceId=pump;SharedAccessKey=', base64(r, 32)),
  'IoT Hub service connection string': r =>
    behind('HostName=hub.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=', base64(r, 32)),
  'SAS token of a device': r =>
    behind(
      'SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fpump&sig=',
      encodeURIComponent(base64(r, 32)),
      '&se=1795000000',
    ),
  'SAS URL of a blob': r =>
    behind(
      'https://acct.blob.core.windows.net/logs/b.zip?sv=2021-10-04&sr=b&sp=rw&sig=',
      encodeURIComponent(base64(r, 32)),
      '&x=1',
    ),
  'device key beside its name': r => behind('primaryKey: ', base64(r, 32)),
  'device key alone': r => alone(base64(r, 32)),
  'IoT Hub key, identifiable': r => alone(signed(r, 33, 'AIoT', 6, '=')),
  'storage connection string': r =>
    behind(
      'DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=',
      base64(r, 64),
      ';EndpointSuffix=core.windows.net',
    ),
  'storage key alone': r => alone(base64(r, 64)),
  'storage key, identifiable': r => alone(signed(r, 76, '+ASt', 6, '==')),
  'Cosmos DB connection string': r =>
    behind('AccountEndpoint=https://c.documents.azure.com:443/;AccountKey=', base64(r, 64), ';'),
  'Cosmos DB key, identifiable': r => alone(signed(r, 76, 'ACDb', 6, '==')),
  'Service Bus connection string': r =>
    behind(
      'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=',
      base64(r, 32),
      ';EntityPath=q',
    ),
  'Event Hubs key, identifiable': r => alone(signed(r, 33, '+AEh', 6, '=')),
  'container registry password': r => alone(signed(r, 42, '+ACR', 6, '')),
  'function key': r => behind('https://f.azurewebsites.net/api/x?code=', some(r, base64urlAlphabet, 54), '=='),
  'Entra client secret': r => alone(`${some(r, base62, 3)}8Q~${some(r, `${base62}-._~`, 33)}q`),
  'SQL connection string': r =>
    behind('Server=tcp:s.database.windows.net,1433;User ID=sa;Password=', password(r), ';Encrypt=True'),
  'AWS access key id': r => alone(`AKIA${some(r, `${upper}234567`, 16)}`),
  'AWS secret access key': r => behind('aws_secret_access_key = ', some(r, base64Alphabet, 40)),
  'AWS session token': r => behind('AWS_SESSION_TOKEN=', base64(r, 96)),
  'AWS presigned URL': r => behind('https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=', some(r, hex, 64)),
  'Google API key': r => alone(`AIza${some(r, base64urlAlphabet, 35)}`),
  'Google OAuth token': r => alone(`ya29.${some(r, base64urlAlphabet, 60)}`),
  'Google client secret': r => alone(`GOCSPX-${some(r, base64urlAlphabet, 28)}`),
  'DigitalOcean token': r => alone(`dop_v1_${some(r, hex, 64)}`),
  'Vault token': r => alone(`hvs.${some(r, base64urlAlphabet, 90)}`),
  'Databricks token': r => alone(`dapi${some(r, hex, 32)}`),
  'GitHub token': r => alone(`ghp_${some(r, base62, 36)}`),
  'GitHub token, installed app': r => alone(`ghs_${some(r, base62, 36)}`),
  'GitHub token, fine-grained': r => alone(`github_pat_${some(r, base62, 22)}_${some(r, base62, 59)}`),
  'GitLab token': r => alone(`glpat-${some(r, base64urlAlphabet, 20)}`),
  'npm token': r => alone(`npm_${some(r, base62, 36)}`),
  'npm configuration': r => behind('//registry.example.com/:_authToken=', guid(r)),
  'PyPI token': r => alone(`pypi-AgEIcHlwaS5vcmc${some(r, base64urlAlphabet, 120)}`),
  'RubyGems key': r => alone(`rubygems_${some(r, hex, 48)}`),
  'Docker token': r => alone(`dckr_pat_${some(r, base64urlAlphabet, 27)}`),
  'Docker configuration': r => behind('"auth": "', Buffer.from(`user:${password(r)}`).toString('base64'), '"'),
  'Slack bot token': r => alone(`xoxb-${some(r, digits, 12)}-${some(r, digits, 12)}-${some(r, base62, 24)}`),
  'Slack webhook': r =>
    behind(
      'https://hooks.slack.com/services/',
      `T${some(r, upper + digits, 8)}/B${some(r, upper + digits, 8)}/${some(r, base62, 24)}`,
    ),
  'Discord webhook': r =>
    behind('https://discord.com/api/webhooks/', `${some(r, digits, 18)}/${some(r, base64urlAlphabet, 68)}`),
  'Telegram bot token': r => alone(`${some(r, '123456789', 9)}:AA${some(r, base64urlAlphabet, 33)}`),
  'SendGrid key': r => alone(`SG.${some(r, base64urlAlphabet, 21)}x.${some(r, base64urlAlphabet, 42)}y`),
  'Twilio key': r => alone(`SK${some(r, hex, 32)}`),
  'Stripe key': r => alone(`sk_live_${some(r, base62, 24)}`),
  'Shopify token': r => alone(`shpat_${some(r, hex, 32)}`),
  'OpenAI key': r => alone(`sk-${some(r, base62, 48)}`),
  'Anthropic key': r => alone(`sk-ant-api03-${some(r, base64urlAlphabet, 93)}AA`),
  'Hugging Face token': r => alone(`hf_${some(r, base62, 34)}`),
  'Grafana token': r => alone(`glsa_${some(r, base62, 32)}_${some(r, hex, 8)}`),
  'New Relic key': r => alone(`NRAK-${some(r, upper + digits, 27)}`),
  'Tailscale key': r => alone(`tskey-auth-${some(r, base62, 12)}-${some(r, base62, 32)}`),
  JWT: r =>
    alone(
      `eyJ${some(r, base64urlAlphabet, 33)}.eyJ${some(r, base64urlAlphabet, 80)}.${some(r, base64urlAlphabet, 43)}`,
    ),
  'bearer token': r => behind('Authorization: Bearer ', base64url(r, 30)),
  'basic credentials': r => behind('Authorization: Basic ', Buffer.from(`admin:${password(r)}`).toString('base64')),
  cookie: r => behind('Cookie: theme=dark; sid=', some(r, hex, 32)),
  'API key in a header': r => behind('X-Api-Key: ', some(r, hex, 40)),
  'password in a URL': r => behind('mqtt://pump:', password(r).replace(/[#?]/g, ''), '@broker.local:1883'),
  'password beside its name': r => behind('password=', password(r)),
  'password in JSON': r => behind('{"user":"pi","password":"', password(r), '"}'),
  'password in YAML': r => behind('db_password: ', password(r)),
  'password in an option': r => behind('app --password ', password(r)),
  'password in XML': r => behind('<Password>', password(r), '</Password>'),
  'password for curl': r => behind('curl -u admin:', password(r).replace('$x', ''), ' https://h/'),
  'client secret': r => behind('client_secret=', some(r, base64urlAlphabet, 32)),
  'refresh token': r => behind('"refresh_token":"', `0.${some(r, base64urlAlphabet, 60)}`, '"'),
  'Wi-Fi passphrase in wpa_supplicant.conf': r => behind('network={\n  ssid="Halle 3"\n  psk="', password(r), '"\n}'),
  'Wi-Fi key as hex': r => behind('psk=', some(r, hex, 64)),
  'Wi-Fi key in a QR code': r => behind('WIFI:S:Halle 3;T:WPA;P:', some(r, base62, 14), ';;'),
  'Wi-Fi key in hostapd.conf': r => behind('wpa_passphrase=', password(r)),
  'WireGuard key': r => behind('[Interface]\nPrivateKey = ', base64(r, 32)),
  'PIN of a SIM card': r => behind('AT+CPIN="', some(r, digits, 8), '"'),
  'SNMP community': r => behind('rocommunity ', some(r, base62, 12)),
  'LoRaWAN key': r => behind('AppKey: ', some(r, hex.toUpperCase(), 32)),
  'RSA private key': r => pem(r, 'RSA PRIVATE KEY', 600),
  'EC private key': r => pem(r, 'EC PRIVATE KEY', 121),
  'PKCS #8 private key': r => pem(r, 'PRIVATE KEY', 1_200),
  'OpenSSH private key': r => pem(r, 'OPENSSH PRIVATE KEY', 400),
  'hash in /etc/shadow': r =>
    behind('pi:', `$6$${some(r, base62, 16)}$${some(r, `${base62}./`, 86)}`, ':19000:0:99999:7:::'),
  'age key': r => alone(`AGE-SECRET-KEY-1${some(r, 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}`),
  'TLS key log': r => behind(`CLIENT_RANDOM ${some(r, hex, 64)} `, some(r, hex, 96)),
}

/** Where they are left. */
export const contexts: Readonly<Record<string, (shown: string) => string>> = {
  'a line of a log': shown => `Nov 27 08:00:01 gate app[77]: could not connect (${shown}), will try again in 30 s\n`,
  'a field of a record': shown => JSON.stringify({ level: 40, data: { msg: 'refused', why: shown, list: [shown, 1] } }),
  'JSON in a string of JSON': shown => JSON.stringify({ payload: JSON.stringify({ inner: { a: shown } }) }),
  'the environment': shown => `PATH=/usr/bin\nAPP_SETTING=${shown}\nHOME=/home/pi\n`,
  'a file of lines': shown => `# written by setup\n${shown}\n[next]\nretries = 3\n`,
  'a query': shown => `GET /api/devices?next=${shown}&page=2 HTTP/1.1`,
}

/** How they are written there. */
export const encodings: Readonly<Record<string, (text: string) => string>> = {
  plain: text => text,
  'for a URL': text => encodeURIComponent(text),
  'for a URL, twice, in lower case': text =>
    encodeURIComponent(encodeURIComponent(text)).replace(/%[0-9A-F]{2}/g, it => it.toLowerCase()),
  base64: text => Buffer.from(text).toString('base64'),
  'base64, not at its beginning': text =>
    Buffer.from(`{"a":${among(() => text.length / 997, 0, 9)},"it":"${text}","b":1}`).toString('base64'),
  'base64 for URLs': text => Buffer.from(`x ${text}`).toString('base64url'),
  'base64 in lines': text =>
    (
      Buffer.from(`${text}\n`.repeat(2))
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    ).join('\n'),
  'JSON as .NET writes it': text =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[+&<>']/g, it => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`),
  'JSON with escaped slashes': text => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
}

/** So many characters in a row of a secret give it away. */
const partLength = 10

/** @returns the part of the secret that some reading of the text shows; `null` if none does */
export function revealed(text: string, secret: string): string | null {
  const length = Math.min(partLength, secret.length)
  const parts = Array.from({ length: secret.length - length + 1 }, (_, at) => secret.slice(at, at + length))
  const all = readings(text, 3).join('\n')
  return parts.find(part => all.includes(part)) ?? null
}

/** What somebody would try: every decoding of it, and of every run in it that could be base64. */
function readings(text: string, depth: number): string[] {
  if (depth === 0) return [text]
  const url = text.replace(/(?:%[0-9a-f]{2})+/gi, it => Buffer.from(it.replaceAll('%', ''), 'hex').toString('latin1'))
  const json = text
    .replace(/\\+u([0-9a-f]{4})/gi, (_, it: string) => String.fromCharCode(Number.parseInt(it, 16)))
    .replaceAll('\\n', '\n')
    .replaceAll('\\', '')
  const runs = [...new Set(text.match(/[A-Za-z0-9+/_-]{14,}/g) ?? [])]
  const joined = text.replace(/(?:\\n|\s)+/g, '').match(/[A-Za-z0-9+/_-]{14,}/g) ?? []
  const decoded = [...runs, ...joined].flatMap(run =>
    [0, 1, 2, 3]
      .map(skip => Buffer.from(run.slice(skip), 'base64').toString('latin1'))
      .filter(it => /[ -~]{8}/.test(it)),
  )
  const fresh = [...new Set([url, json, ...decoded])].filter(it => it !== text)
  return [text, ...fresh.flatMap(it => readings(it, depth - 1))]
}
