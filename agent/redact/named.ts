/** Values that are secrets because of the name that stands before them. */
import { isOf, letter, lower, type Page, space, upper, word } from './characters.js'
import { type Kind, type Range, valueMax } from './kind.js'
import { bareEnd, closingAt, isValue, type Quote, quoteAt, type Strictness } from './values.js'

export type NamedOptions = Readonly<{
  strictness: Strictness
  /** Nothing but a space may stand between name and value, as in `wpa-psk hunter2`. */
  spaced?: boolean
  /** The name is short enough to be the end of other words. */
  wholeWord?: boolean
  /** Of what a value without quotes is made, where that is known. */
  of?: number
}>

/** @param names words with spaces between them; joined in each way in which names are */
export function named(kind: string, names: readonly string[], options: NamedOptions): Kind {
  return {
    kind,
    anchors: [...new Set(names.flatMap(name => ['', '_', '-'].map(joint => name.replaceAll(' ', joint))))],
    find: (page, start, end) =>
      options.wholeWord && isWordsEnd(page.text, start) ? null : valueBehind(page, start, end, options),
  }
}

/** `compass=` is no `pass=`; `dbPass=` is. */
const isWordsEnd = (text: string, start: number): boolean =>
  isOf(text, start - 1, letter) && !(isOf(text, start - 1, lower) && isOf(text, start, upper))

/** What may come between a name and what separates it from its value: `password1`, `"password"`, `form[password]`. */
const nameTail = /\d{0,2}/y
const separator = /[ \t]{0,8}(?:=>|:=|:(?!:)|=(?![=~]))[ \t]{0,8}/y
/** A name that is a value itself: `name: DB_PASSWORD`, `value: ...`. */
const valueKey = /,?\s{0,64}\\{0,32}["']?value\\{0,32}["']?[ \t]{0,8}[:=][ \t]{0,8}/iy
const nextArgument = /[ \t]{0,8},[ \t\r\n]{0,64}/y
const blank = /[ \t\0]{1,16}(?!-)/y

function match(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : null
}

function valueBehind(page: Page, nameStart: number, nameEnd: number, options: NamedOptions): Range | null {
  const { text } = page
  const tail = match(nameTail, text, nameEnd) ?? nameEnd
  // At most places a name is followed by another word.
  if (isOf(text, tail, word)) return null
  const closing = quoteAt(text, tail)
  const at = closing?.end ?? (text[tail] === ']' ? tail + 1 : tail)

  const separated = match(separator, text, at)
  if (separated !== null)
    return valueAt(page, separated, options, {
      closing,
      isSentence: text[separated - 1] === ' ' && text.slice(at, separated).trim() === ':',
    })
  if (text[at] === '>' && closing === null && /[<:]/.test(text[nameStart - 1] ?? ''))
    return elementAt(page, at + 1, options)
  const keyed = match(valueKey, text, at)
  if (keyed !== null) return valueAt(page, keyed, options, { closing: null, isSentence: false })
  const isOption = isOptionName(text, nameStart)
  if (closing !== null && isOption) {
    const next = match(nextArgument, text, at)
    return next === null || quoteAt(text, next) === null
      ? null
      : valueAt(page, next, options, { closing: null, isSentence: false })
  }
  if (closing === null && (isOption || options.spaced)) {
    const next = match(blank, text, at)
    return next === null ? null : valueAt(page, next, options, { closing: null, isSentence: false })
  }
  return null
}

/** `--db-password`: what stands before the name begins with a hyphen, at the beginning of a word. */
function isOptionName(text: string, nameStart: number): boolean {
  let at = nameStart - 1
  while (nameStart - at <= 32 && (isOf(text, at, word) || text[at] === '-')) at--
  return text[at + 1] === '-' && !isOf(text, at, word)
}

type Place = Readonly<{ closing: Quote | null; isSentence: boolean }>

function valueAt(
  page: Page,
  at: number,
  { strictness, of }: NamedOptions,
  { closing, isSentence }: Place,
): Range | null {
  const { text } = page
  const opening = quoteAt(text, at)
  const start = opening?.end ?? at
  const closed = opening && closingAt(text, opening)
  if (typeof closed === 'number') return isValue(page, start, closed, strictness) ? { start, end: closed } : null

  const reach = of === undefined ? page.reach(start, bareEnd) : page.runEnd(start, of)
  const end = Math.min(reach, start + valueMax)
  if (closing !== null && opening === null) return literalAt(page, start, closing, strictness)
  if (!isValue(page, start, end, strictness) || text[end - 1] === '(') return null
  if (isSentence && isInSentence(text, start, end)) return null
  return { start, end }
}

/** What follows a name in quotes and has none itself: in JSON a number. What stands in its place has to be a string there. */
function literalAt(page: Page, start: number, closing: Quote, strictness: Strictness): Range | null {
  const { text } = page
  const end = page.reach(start, bareEnd)
  const value = text.slice(start, Math.min(end, start + 64))
  if (!/^-?\d[\d.eE+-]*/.test(value)) return isValue(page, start, end, strictness) ? { start, end } : null
  const [digits = ''] = /^-?\d[\d.eE+-]*/.exec(value) ?? []
  if (!isValue(page, start, start + digits.length, strictness)) return null
  return { start, end: start + digits.length, quote: text.slice(closing.end - 1 - closing.backslashes, closing.end) }
}

/** `password: wrong for pi`: a word, and another one after it. */
function isInSentence(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isOf(text, at, lower)) return false
  return isOf(text, end, space) && isOf(text, end + 1, letter)
}

/** Of an XML element, what is in it. */
function elementAt(page: Page, start: number, { strictness }: NamedOptions): Range | null {
  const { text } = page
  const end = text.slice(start, start + valueMax).search(/[<\n]/)
  return end > 0 && text.startsWith('</', start + end) && isValue(page, start, start + end, strictness)
    ? { start, end: start + end }
    : null
}
