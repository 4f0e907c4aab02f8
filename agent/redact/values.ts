/** What a value looks like, and what only looks like one. */
import { alphanumeric, digit, isOf, letter, oneSortEnd, type Page, type Reach, word } from './characters.js'
import { valueMax } from './kind.js'

const code = (character: string): number => character.charCodeAt(0)
const codes = (characters: string): ReadonlySet<number> => new Set([...characters].map(code))

const backslash = code('\\')
const quotes = codes('"\'`')

/** A quote as it stands in JSON in a string of JSON, and so on: with so many backslashes before it. */
export type Quote = Readonly<{ mark: number; backslashes: number; end: number }>

export function quoteAt(text: string, at: number): Quote | null {
  let end = at
  while (text.charCodeAt(end) === backslash && end - at < 32) end++
  const mark = text.charCodeAt(end)
  return quotes.has(mark) ? { mark, backslashes: end - at, end: end + 1 } : null
}

/**
 * Where what a quote has opened ends: before the quote that closes it, which has as many backslashes, or as many as are left of
 * pairs that stand for themselves. `null` where the line or the longest value ends before.
 */
export function closingAt(text: string, { mark, backslashes, end: start }: Quote): number | null {
  const group = 2 * (backslashes + 1)
  for (let at = start; at < text.length && at - start <= valueMax; at++) {
    const found = text.charCodeAt(at)
    if (found < 0x20 && found !== 0x09) return null
    if (found !== backslash && found !== mark) continue
    const from = at
    while (text.charCodeAt(at) === backslash && at - start <= valueMax) at++
    if (text.charCodeAt(at) !== mark) continue
    const before = at - from
    if (before < backslashes || (before - backslashes) % group === 0) return at - Math.min(before, backslashes)
  }
  return null
}

const ends = codes('"\'`<>')
const maybeEnds = codes(',;&')
const brackets = codes(')]}')
const afterBracket = codes(',;:.)]}"\'`')
/** What a backslash makes another character of. */
const escaped = codes('nrtbfux"\'`/\\')

const isSpace = (found: number): boolean => found <= 0x20 || found === 0x7f || found === 0xa0 || Number.isNaN(found)

/** A value without quotes. It may hold what separates values elsewhere, unless another name comes after that. */
export const bareEnd: Reach = (text, start) => {
  let at = start
  for (; ; at++) {
    const found = text.charCodeAt(at)
    if (isSpace(found) || ends.has(found)) return at
    if (found === backslash && (Number.isNaN(text.charCodeAt(at + 1)) || escaped.has(text.charCodeAt(at + 1))))
      return at
    if (maybeEnds.has(found) && isSeparator(text, at)) return at
    if (brackets.has(found)) {
      const next = text.charCodeAt(at + 1)
      if (isSpace(next) || next === backslash || afterBracket.has(next)) return at
    }
  }
}

const nameMax = 32

function isSeparator(text: string, at: number): boolean {
  const next = text.charCodeAt(at + 1)
  if (isSpace(next) || next === backslash || quotes.has(next) || next === code('{') || next === code('[')) return true
  if (!isOf(text, at + 1, letter) && next !== code('_')) return false
  let end = at + 1
  while (end - at <= nameMax && (isOf(text, end, word) || text[end] === ' ' || text[end] === '-' || text[end] === '.'))
    end++
  return text[end] === '=' || text[end] === ':' || (text[end] === '%' && /^%3[ad]/i.test(text.slice(end, end + 3)))
}

/** The same character again and again, what stands between brackets, a variable, what was taken out already. */
export function isPlaceholder(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start)
  if (end <= start) return true
  if ('<{[('.includes(text[start]!) || text.startsWith('[removed:', start)) return true
  if (first === code('%') && /^%(?:[sdv@]|\(|\{|7b|3c|[A-Za-z_]+%)/i.test(text.slice(start, Math.min(end, start + 64))))
    return true
  if (first === code('$') && (text[start + 1] === '{' || text[start + 1] === '(' || isVariable(text, start + 1, end)))
    return true
  if (text.startsWith('your', start) && (text[start + 4] === '-' || text[start + 4] === '_')) return true
  if (!isOf(text, start, alphanumeric) || first === code('x') || first === code('X')) {
    let at = start
    while (at < end && text.charCodeAt(at) === first) at++
    if (at === end || (at - start >= 3 && !isOf(text, start, alphanumeric))) return true
  }
  return false
}

/** `$DB_PASSWORD`, and not `$6$salt$hash`. */
function isVariable(text: string, start: number, end: number): boolean {
  if (!isOf(text, start, letter) && text[start] !== '_') return false
  for (let at = start; at < end; at++) if (!isOf(text, at, word)) return false
  return true
}

/** What stands where a value would, in a sentence, a type or a default. */
const words: ReadonlySet<string> = new Set(
  `any ask auth authentication boolean bool bytes changed char default disabled empty enabled error expected expired failed failure
  false for from given has incorrect invalid is length line mismatch missing must nil no none not null number object off on optional or
  prompt rejected required reset set string str text that the to true type undefined unknown unset value void was with wrong yes`.split(
    /\s+/,
  ),
)

export type Strictness =
  /** Whatever stands there. */
  | 'any'
  /** No word of everyday language, and no number. */
  | 'opaque'
  /** At least eight characters of more than one sort, and no path, time, address or name. */
  | 'strict'

/** So much of a value tells what it is. */
const looked = 64

export function isValue(page: Page, start: number, end: number, strictness: Strictness): boolean {
  const { text } = page
  if (isPlaceholder(text, start, end)) return false
  const length = end - start
  if (strictness === 'any') return !isWord(text, start, end)
  const isLong = length >= (strictness === 'opaque' ? 16 : 20)
  if (length < (strictness === 'opaque' ? 6 : 8)) return false
  const isMixed = page.reach(start, oneSortEnd) < end
  if (!isMixed && !(strictness === 'opaque' && (isLong || (length >= 12 && isOf(text, start, digit))))) return false
  if (isWord(text, start, end)) return false
  const value = text.slice(start, Math.min(end, start + looked))
  if (isReference(value)) return false
  if (strictness === 'opaque') return !/^[A-Z]?[a-z]{1,15}$/.test(value)
  if (/^[\d.:/+TZ-]+$/.test(value)) return false
  return /\d/.test(value) || (isLong && !/[-_. /]/.test(value))
}

const isWord = (text: string, start: number, end: number): boolean =>
  end - start <= 14 && words.has(text.slice(start, end).toLowerCase())

/** Code, a path, a URL, an address in memory, a time. */
const isReference = (value: string): boolean =>
  /^(?:process\.|os\.|self\.|this\.|config\.|env\.|req\.|options\.|0x[\da-f]{1,16}$|\d{4}-\d\d-\d\dT|[a-z][a-z0-9+.-]{1,15}:\/\/|\.{0,2}\/(?:[\w.@-]+\/)+[\w.@-]*$|[A-Za-z_$][\w$]*\()/i.test(
    value,
  )
