/** Values that are secrets because their name says so, whatever they are for. */
import { equals, token68 } from '../characters.js'
import type { Kind } from '../kind.js'
import { named } from '../named.js'

/** `machine host login user password secret`, on one line or several. */
const netrc: Kind = {
  kind: 'password',
  anchors: ['machine '],
  find({ text }, _start, end) {
    const found = /^\S{1,128}\s{1,16}login\s{1,16}\S{1,128}\s{1,16}password\s{1,16}(?=(\S{1,256}))/.exec(
      text.slice(end, end + 640),
    )
    const value = found?.[1]
    if (!found || value === undefined || value.startsWith('[removed:')) return null
    const start = end + found[0].length
    return { start, end: start + value.length }
  },
}

/** What programs take on their command line behind one letter: `curl -u user:secret`, `mosquitto_pub -P secret`. */
function argument(program: string, option: RegExp): Kind {
  return {
    kind: 'password',
    anchors: [`${program} `],
    find({ text }, _start, end) {
      const line = /^[^\r\n]{0,160}/.exec(text.slice(end, end + 160))?.[0] ?? ''
      if (!line.includes('-')) return null
      const found = option.exec(` ${line}`)
      const value = found?.[1]
      if (!found || value === undefined || value.startsWith('[removed:') || value.startsWith('$')) return null
      const start = end - 1 + found.index + found[0].length - value.length
      return { start, end: start + value.length }
    },
  }
}

export const names: readonly Kind[] = [
  named(
    'password',
    [
      'password',
      'passwd',
      'passphrase',
      'pass phrase',
      'passwort',
      'user pass',
      'db pass',
      'smtp pass',
      'mqtt pass',
      'admin pass',
      'root pass',
    ],
    { strictness: 'any' },
  ),
  named('password', ['pwd', 'pass', 'passcode', 'pw'], { strictness: 'opaque', wholeWord: true }),
  named(
    'client-secret',
    [
      'client secret',
      'app secret',
      'consumer secret',
      'shared secret',
      'secret',
      'secret key',
      'secrets',
      'jwt secret',
      'webhook secret',
    ],
    { strictness: 'opaque' },
  ),
  named(
    'api-key',
    [
      'api key',
      'api token',
      'app token',
      'license key',
      'access key',
      'master key',
      'signing key',
      'encryption key',
      'auth key',
      'deploy key',
      'hmac key',
      'service key',
      'admin key',
      'write key',
      'ingest key',
    ],
    { strictness: 'opaque', of: token68 | equals },
  ),
  named(
    'token',
    [
      'token',
      'access token',
      'refresh token',
      'id token',
      'auth token',
      'session token',
      'bearer token',
      'personal access token',
      'sas token',
      'oauth token',
    ],
    { strictness: 'strict' },
  ),
  named('token', ['pat', 'otp', 'nonce secret', 'verification code'], { strictness: 'strict', wholeWord: true }),
  named('credentials', ['credentials', 'auth', 'basic auth'], { strictness: 'strict', wholeWord: true }),
  named('private-key', ['private key pem', 'key data', 'client key data', 'private key data'], {
    strictness: 'strict',
  }),
  netrc,
  argument('curl', /\s(?:-u|--user|--proxy-user|-U)[ =]?["']?[^\s:"']{1,64}:([^\s"']{1,128})/),
  argument('wget', /\s--(?:http-|ftp-|proxy-)?password[ =]["']?([^\s"']{1,128})/),
  argument('sshpass', /\s-p\s?["']?([^\s"']{1,128})/),
  argument('mosquitto_pub', /\s-P\s{1,4}["']?([^\s"']{1,128})/),
  argument('mosquitto_sub', /\s-P\s{1,4}["']?([^\s"']{1,128})/),
  argument('mysql', /\s-p(["']?[^\s"']{1,128})/),
  argument('mysqldump', /\s-p(["']?[^\s"']{1,128})/),
  argument('redis-cli', /\s-a\s{1,4}["']?([^\s"']{1,128})/),
]
