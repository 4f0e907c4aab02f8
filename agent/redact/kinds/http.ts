/** What a request is let in by. */
import { base64, base64url, dot, isOf, letter, space, token68, word } from '../characters.js'
import { type Kind, type Range, valueMax } from '../kind.js'
import { named } from '../named.js'
import { isVaried, withPadding } from '../shaped.js'
import { closingAt, isPlaceholder, quoteAt } from '../values.js'

/** Begins as the base64 of `{"` does; three parts, of which the last may be empty. */
const jwt: Kind = {
  kind: 'jwt',
  anchors: ['eyj'],
  find(page, start) {
    const { text } = page
    if (!text.startsWith('eyJ', start) || isOf(text, start - 1, word)) return null
    const headEnd = page.runEnd(start, base64url)
    if (text[headEnd] !== '.' || headEnd - start < 10) return null
    const bodyEnd = page.runEnd(headEnd + 1, base64url)
    if (text[bodyEnd] !== '.' || bodyEnd - headEnd < 8) return null
    return { start, end: page.runEnd(start, base64url | dot) }
  },
}

/** A token behind the word that says how it is used. */
function scheme(kind: string, word: string, min: number): Kind {
  return {
    kind,
    anchors: [`${word} `],
    find(page, at, end) {
      const { text } = page
      if (isOf(text, at - 1, letter)) return null
      let start = end
      while (text[start] === ' ' && start - end < 8) start++
      const stop = Math.min(withPadding(text, page.runEnd(start, token68)), start + valueMax)
      const isOne = stop - start >= min && isVaried(page, start, stop) && !isPlaceholder(text, start, stop)
      return isOne ? { start, end: stop } : null
    },
  }
}

const basic: Kind = {
  kind: 'basic-credentials',
  anchors: ['basic '],
  find(page, at, start) {
    const { text } = page
    const end = withPadding(text, page.runEnd(start, base64 | base64url))
    if (isOf(text, at - 1, letter) || end - start < 6 || end - start > valueMax) return null
    const decoded = Buffer.from(text.slice(start, Math.min(end, start + 128)), 'base64').toString('latin1')
    return /^[ -~\xa0-\xff]*:/.test(decoded) ? { start, end } : null
  },
}

const schemes =
  /(?:bearer|basic|digest|negotiate|ntlm|token|apikey|ssws|key|splunk|hawk|oauth|pop|dpop|x-api-key)[ \t]{1,8}/iy
/** Their parts tell what a token was for and when it ended; the secret in them is a kind of its own. */
const told = /sharedaccess(?:signature|key)|aws4-|sharedkey/iy

/** The rest of the line, or of the string, behind the name of a header. */
function header(kind: string, names: readonly string[]): Kind {
  return {
    kind,
    anchors: names,
    find(page, _start, nameEnd): Range | null {
      const { text } = page
      const closing = quoteAt(text, nameEnd)
      let at = closing?.end ?? nameEnd
      const isListed = closing !== null && text[at] === ','
      if (text[at] !== ':' && text[at] !== '=' && !isListed) return null
      at += 1
      while (isOf(text, at, space)) at++
      const opening = quoteAt(text, at)
      if (closing !== null && opening === null) return null
      const start = after(schemes, text, opening?.end ?? at)
      if (isAt(told, text, start)) return null
      const end = (opening && closingAt(text, opening)) ?? page.reach(start, lineEnd)
      return end > start && end - start <= valueMax && !isPlaceholder(text, start, end) ? { start, end } : null
    },
  }
}

function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function isAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at
  return pattern.test(text)
}

/** A header may stand in a string, so a quote ends it too; a backslash may be that of a line's end. */
const lineEnd = (text: string, start: number): number => {
  let at = start
  while (at < text.length && !'\0\r\n"\'`\\'.includes(text[at]!)) at++
  return at
}

/** `scheme://user:password@host`: the user stays. */
const urlPassword: Kind = {
  kind: 'url-password',
  anchors: ['://'],
  find(page, _start, at) {
    const url = page.text.slice(at, Math.min(page.reach(at, urlEnd), at + authorityMax))
    const strict = url.search(/[/?#]/)
    const isStrict =
      strict >= 0 && (url.lastIndexOf('@', strict) >= 0 || !/^[^:]{0,128}:(?!\d{1,5}$)/.test(url.slice(0, strict)))
    // A password that was not encoded may hold what else ends it.
    const authority = isStrict ? url.slice(0, strict) : url
    const colon = authority.indexOf(':')
    const last = authority.lastIndexOf('@')
    if (colon < 0 || last <= colon + 1 || isPlaceholder(authority, colon + 1, last)) return null
    return { start: at + colon + 1, end: at + last }
  },
}

const authorityMax = 256

const urlEnd = (text: string, start: number): number => {
  let at = start
  while (at < text.length && !' \t\r\n"\'`<>\\'.includes(text[at]!)) at++
  return at
}

export const http: readonly Kind[] = [
  jwt,
  scheme('bearer-token', 'bearer', 12),
  scheme('bearer-token', 'ssws', 20),
  basic,
  header('authorization', ['authorization']),
  header('cookie', ['cookie', 'set-cookie2']),
  header('api-key', [
    'x-api-key',
    'x-auth-token',
    'x-amz-security-token',
    'x-vault-token',
    'private-token',
    'x-access-token',
    'dd-api-key',
    'ocp-apim-subscription-key',
    'x-functions-key',
    'api-key',
  ]),
  urlPassword,
  named(
    'session-id',
    ['session id', 'sessionid', 'jsessionid', 'phpsessid', 'connect.sid', 'csrf token', 'xsrf token'],
    { strictness: 'strict' },
  ),
  named('signature', ['x hub signature 256', 'x signature', 'hmac'], { strictness: 'strict', wholeWord: true }),
]
