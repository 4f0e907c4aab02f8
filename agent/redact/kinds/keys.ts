/** Private keys, hashes of passwords, and keys that say nothing of what they are for. */
import { alphanumeric, base64, base64url, dot, equals, isOf, plusSlash } from '../characters.js'
import type { Kind, Range } from '../kind.js'

/** Longer ones are none. */
const pemMax = 24_576
/** Between two lines of a key something else may stand: a time, the quotes of a list. */
const gapMax = 200
const lineMin = 16

const isEnd = /-{4,5}\s?(?:END|BEGIN)\b/y

/** Each line between its beginning and its end, so that what stands between the lines stays. A key that was cut off ends with its lines. */
function block(kind: string, anchors: readonly string[]): Kind {
  return {
    kind,
    anchors,
    find(page, start, headEnd) {
      const { text } = page
      // The rest of the head: `-----BEGIN RSA PRIVATE KEY-----`.
      const head = text.slice(start, start + 80)
      if (!/^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{4,5}/.test(head) && !head.startsWith('PuTTY-User-Key'))
        return null
      const lines: Range[] = []
      let at = Math.max(headEnd, start + Math.max(head.lastIndexOf('-----'), 0) + 5)
      for (let last = at; at < text.length && at - last <= gapMax && at - start <= pemMax; ) {
        isEnd.lastIndex = at
        if (text[at] === '-' && isEnd.test(text)) break
        // The letter of an escape for a line's end is no part of the line.
        if (text[at] === '\\') at += 'nrt'.includes(text[at + 1] ?? '-') ? 2 : 1
        const end = page.runEnd(at, base64 | equals)
        if (end - at >= lineMin || (end > at && lines.length > 0 && isLastLine(text, at, end))) {
          lines.push({ start: at, end: Math.min(end, start + pemMax) })
          last = end
        }
        at = Math.max(end, at + 1)
      }
      return lines
    },
  }
}

/** The last line may be short: what comes after it, or its padding, tells. */
const isLastLine = (text: string, at: number, end: number): boolean =>
  text[end - 1] === '=' ||
  /^[\s\\nr"',]{0,12}-{4,5}\s?END/.test(text.slice(end, end + 40)) ||
  (end - at > 4 && /^[\r\n]/.test(text.slice(end)))

/** `$6$salt$hash`, as in /etc/shadow. */
const crypt: Kind = {
  kind: 'password-hash',
  anchors: [
    '$1$',
    '$2a$',
    '$2b$',
    '$2y$',
    '$5$',
    '$6$',
    '$7$',
    '$y$',
    '$gy$',
    '$apr1$',
    '$argon2i$',
    '$argon2id$',
    '$scrypt$',
    '$pbkdf2',
  ],
  find({ text }, start, end) {
    let at = end
    while (
      at - start < 512 &&
      (isOf(text, at, alphanumeric | plusSlash | dot | equals | base64url) || text[at] === '$' || text[at] === ',')
    )
      at++
    return at - end >= 20 ? { start, end: at } : null
  },
}

/** As NSS writes the secrets of TLS sessions for who wants to read them. */
const keyLog: Kind = {
  kind: 'tls-secret',
  anchors: [
    'client_random ',
    'client_handshake_traffic_secret ',
    'server_handshake_traffic_secret ',
    'client_traffic_secret_0 ',
    'server_traffic_secret_0 ',
    'exporter_secret ',
    'client_early_traffic_secret ',
  ],
  find({ text }, _start, end) {
    const found = /^[0-9a-f]{32,64} ([0-9a-f]{32,128})/i.exec(text.slice(end, end + 200))
    return found ? { start: end + found[0].length - found[1]!.length, end: end + found[0].length } : null
  },
}

/** Words before a text of this shape that say that it is no key. */
const isDigest =
  /(?:sha|hash|digest|fingerprint|thumbprint|integrity|etag|checksum|pin|public|pub|cert|nonce|accept|x5t|spki|keyid)[\w\s.-]{0,12}["']?\s{0,4}[:=]?\s{0,4}["']?$/i

/** 32, 48 or 64 bytes in base64 that end in their padding and stand alone: the shape of the keys of IoT Hub and of storage. */
const unnamed: Kind = {
  kind: 'base64-key',
  anchors: ['='],
  find(page, at, end) {
    const { text } = page
    if (!isOf(text, at - 1, base64)) return null
    const isDouble = text[end] === '='
    const length = isDouble ? 86 : 43
    const start = at - length
    if (start < 0 || isOf(text, start - 1, edge) || isOf(text, at + (isDouble ? 2 : 1), base64 | equals)) return null
    for (let place = at - 1; place >= start; place--) if (!isOf(text, place, base64)) return null
    if (!hasAll(text, start, at)) return null
    return isDigest.test(text.slice(Math.max(0, start - 48), start)) ? null : { start, end: at + (isDouble ? 2 : 1) }
  },
}

const edge = base64url | plusSlash | dot

const hasAll = (text: string, start: number, end: number): boolean => {
  const value = text.slice(start, end)
  return /[a-z]/.test(value) && /[A-Z]/.test(value) && /\d/.test(value)
}

export const keys: readonly Kind[] = [
  block('private-key', [
    '-----begin private key',
    '-----begin rsa private key',
    '-----begin ec private key',
    '-----begin dsa private key',
    '-----begin encrypted private key',
    '-----begin openssh private key',
    '-----begin pgp private key',
    '-----begin ssh2 encrypted private key',
    '-----begin any private key',
    'putty-user-key-file',
  ]),
  crypt,
  keyLog,
  unnamed,
]
