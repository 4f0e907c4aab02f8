/** Texts that an enemy would write to keep a scanner busy: what it looks for, begun again and again and never finished. */

const repeated: Readonly<Record<string, string>> = {
  names: 'password=',
  'names of tokens': 'token=',
  'names in quotes': 'password="',
  'names in JSON': '"name":"password",',
  'names in XML': '<password>',
  'names of options': '--password ',
  'names and colons': 'password: ',
  separators: 'password=;',
  signatures: 'sig=',
  'encoded signatures': 'sig%25',
  'heads of tokens': 'sk-',
  'heads of JWTs': 'eyJ',
  'heads and dots': 'eyJ.eyJ.',
  'heads of keys': '-----BEGIN PRIVATE KEY-----',
  'heads of keys with lines': '-----BEGIN PRIVATE KEY-----abcdefghijklmnopqrst\n',
  'marks of Azure': 'AIoT',
  'marks of storage': '+ASt',
  padding: '=',
  'keys that are too long': 'aB3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=',
  schemes: '://a:b',
  users: '://a:b@',
  headers: 'authorization:',
  cookies: 'cookie: a',
  bearers: 'bearer ',
  bots: '1:AA',
  commands: 'curl a ',
  networks: 'WIFI:S:a;',
  hashes: '$6$',
  percent: '%25',
  'percent and digits': '%41',
  backslashes: '\\',
  'escaped lines': '\\n',
  entities: '&amp;',
  'base64 of one letter': 'QUFB',
  'words that could be base64': 'aaaaaaaaaaaaaaaa ',
  'what no text holds': '\u0001\u0002%\u0003\\',
}

const nested = (length: number): string =>
  Buffer.from(Buffer.from('password=x '.repeat(length / 11)).toString('base64')).toString('base64')

/** Of a length each, in characters. */
export const hostileTexts = (length: number): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    Object.entries(repeated).map(([name, piece]) => [
      name,
      piece.repeat(Math.ceil(length / piece.length)).slice(0, length),
    ]),
  ),
  'one name, and nothing but separators': `password=${';aaaaaaaaaaaaaaa'.repeat(length / 16)}`,
  'one quote that is never closed': `password="${"token='".repeat(length / 7)}`,
  'base64 in base64': nested(length).slice(0, length),
  'escapes of every depth': Array.from({ length: length / 28 }, (_, n) => `password=${'\\'.repeat(n % 31)}"x`)
    .join('')
    .slice(0, length),
})
