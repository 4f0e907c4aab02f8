/**
 * Takes out what opens a door by itself, whoever it belongs to: the signature of a shared access signature, the key of a
 * connection string. Read in one pass from left to right, because the text may come from an enemy.
 */
import type { Scrubbed } from './redact.js'

/** All that is asked of a text, so that a test can count how often it is asked. */
export type Text = Pick<string, 'length' | 'charCodeAt' | 'slice'>

/** What stands before the equals sign, and the kind that is said of what stood behind it. */
const names: readonly Readonly<{ name: string; kind: string }>[] = [
  { name: 'sig', kind: 'sas-signature' },
  { name: 'sharedaccesskey', kind: 'shared-access-key' },
  { name: 'accountkey', kind: 'account-key' },
]

/** Their first letters: at most places of a text one look is enough. */
const heads: ReadonlySet<number> = new Set(names.map(({ name }) => name.charCodeAt(0)))

/** Characters of a value that may be written as a number: `+ / = - _`, in hexadecimal. */
const escapedInValue = ['2b', '2f', '3d', '2d', '5f']

/** `sig=11` in a kernel's line is the number of a signal, and evidence. */
const signalDigitsMax = 3

export function scrubSignatures(text: Text): Scrubbed {
  const removed: Record<string, number> = {}
  const pieces: string[] = []
  let kept = 0
  let at = 0
  while (at < text.length) {
    const found = heads.has(text.charCodeAt(at) | 0x20) ? names.find(({ name }) => matches(text, at, name)) : undefined
    if (found === undefined) {
      at += 1
      continue
    }
    const nameEnd = at + found.name.length
    const start = afterEquals(text, nameEnd)
    const end = start === null ? nameEnd : endOfValue(text, start)
    at = end
    if (start === null || end === start || isSignal(text, start, end)) continue
    pieces.push(text.slice(kept, start), `[removed:${found.kind}]`)
    removed[found.kind] = (removed[found.kind] ?? 0) + 1
    kept = end
  }
  return { text: [...pieces, text.slice(kept)].join(''), removed }
}

/** Without regard to case; `word` is in lower case and has letters and digits only. */
function matches(text: Text, at: number, word: string): boolean {
  for (let offset = 0; offset < word.length; offset++) {
    const wanted = word.charCodeAt(offset)
    const found = text.charCodeAt(at + offset)
    if (found !== wanted && !(isLetter(found) && (found | 0x20) === wanted)) return false
  }
  return true
}

const isLetter = (code: number): boolean => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

/** An equals sign, or one that was encoded for a URL, however often, or escaped in JSON, however deep. */
function afterEquals(text: Text, at: number): number | null {
  return text.charCodeAt(at) === code('=') ? at + 1 : afterEscape(text, at, ['3d'])
}

function endOfValue(text: Text, start: number): number {
  let at = start
  for (;;) {
    const found = text.charCodeAt(at)
    const next =
      isLetter(found) || isDigit(found) || plainInValue.has(found) ? at + 1 : afterEscape(text, at, escapedInValue)
    if (next === null) return at
    at = next
  }
}

const code = (character: string): number => character.charCodeAt(0)
const plainInValue: ReadonlySet<number> = new Set([...'+/=-_.~'].map(code))

/**
 * The end of a character that is written by its number: `%2B`, `%252B`, `\u002b`, `\\u002b`, or as `\/`. Backslashes go
 * as a whole or stay as a whole, so that what is left is still JSON.
 */
function afterEscape(text: Text, at: number, numbers: readonly string[]): number | null {
  let next = at
  if (text.charCodeAt(next) === code('%')) {
    next += 1
    while (matches(text, next, '25')) next += 2
    return numbers.some(number => matches(text, next, number)) ? next + 2 : null
  }
  while (text.charCodeAt(next) === code('\\')) next += 1
  if (next === at) return null
  if (text.charCodeAt(next) === code('/') && numbers.includes('2f')) return next + 1
  return numbers.some(number => matches(text, next, `u00${number}`)) ? next + 5 : null
}

function isSignal(text: Text, start: number, end: number): boolean {
  if (end - start > signalDigitsMax) return false
  for (let at = start; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false
  return true
}
