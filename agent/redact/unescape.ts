/** A text as who reads it would see it: without the escapes of URLs, of JSON and of HTML, however deep they are. */

/** A text that was made of another one. */
export type View = Readonly<{
  text: string
  /** Where each character of `text` begins in the other one, and behind the last one where that ends. */
  places: Uint32Array
}>

/** @returns `null` where there is nothing to unescape */
export function unescaped(text: string): View | null {
  if (!/[%\\&]/.test(text)) return null
  const codes = new Uint16Array(text.length)
  const places = new Uint32Array(text.length + 1)
  let length = 0
  let isChanged = false
  for (let at = 0; at < text.length; ) {
    const found = text.charCodeAt(at)
    const read = readers[found]?.(text, at) ?? null
    codes[length] = read === null ? found : read.code
    places[length++] = at
    at = read === null ? at + 1 : read.end
    isChanged ||= read !== null
  }
  if (!isChanged) return null
  places[length] = text.length
  const bytes = Buffer.from(codes.buffer, 0, length * 2)
  return { text: bytes.toString('utf16le'), places: places.subarray(0, length + 1) }
}

type Escape = Readonly<{ code: number; end: number }>

const codeOf = (character: string): number => character.charCodeAt(0)

/** By the character that an escape begins with. */
const readers: ((text: string, at: number) => Escape | null)[] = []
readers[codeOf('%')] = readPercent
readers[codeOf('\\')] = readBackslashes
readers[codeOf('&')] = readEntity

/** `%2B`, `%252B`. */
function readPercent(text: string, at: number): Escape | null {
  let start = at + 1
  while (text[start] === '2' && text[start + 1] === '5' && hexAt(text, start + 2) !== null) start += 2
  const code = hexAt(text, start)
  // Of characters outside of ASCII no value that can be known by its shape is made.
  return code === null || code > 0x7f ? null : { code, end: start + 2 }
}

/** Two hexadecimal digits. */
function hexAt(text: string, at: number): number | null {
  const high = hexDigit(text.charCodeAt(at))
  const low = hexDigit(text.charCodeAt(at + 1))
  return high < 0 || low < 0 ? null : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const folded = code | 0x20
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x61 + 10 : -1
}

const letters = new Map([...'nrtbf'].map((letter, index) => [codeOf(letter), codeOf('\n\r\t  '[index]!)]))
const themselves: ReadonlySet<number> = new Set([...'"\'`/'].map(codeOf))

/** A run of backslashes is one escape: how deep in JSON it stands does not matter. */
function readBackslashes(text: string, at: number): Escape | null {
  let end = at
  while (text[end] === '\\') end++
  const found = text.charCodeAt(end)
  if (themselves.has(found)) return { code: found, end: end + 1 }
  const letter = letters.get(found)
  if (letter !== undefined) return { code: letter, end: end + 1 }
  if (text[end] === 'u' && text[end + 1] === '0' && text[end + 2] === '0') {
    const code = hexAt(text, end + 3)
    if (code !== null) return { code, end: end + 5 }
  }
  if (text[end] === 'x') {
    const code = hexAt(text, end + 1)
    if (code !== null) return { code, end: end + 3 }
  }
  return end - at > 1 ? { code: codeOf('\\'), end } : null
}

const entities = ['quot;"', "apos;'", 'lt;<', 'gt;>', 'equals;=', 'plus;+', 'sol;/', 'colon;:']
const numberMax = 6

/** `&quot;`, `&amp;quot;`, `&#43;`, `&#x2B;`. */
function readEntity(text: string, at: number): Escape | null {
  let start = at + 1
  while (text.startsWith('amp;', start)) start += 4
  for (const entity of entities) {
    if (text.startsWith(entity.slice(0, -1), start))
      return { code: codeOf(entity.slice(-1)), end: start + entity.length - 1 }
  }
  if (text[start] === '#') {
    const isHex = (text.charCodeAt(start + 1) | 0x20) === 0x78
    const from = start + (isHex ? 2 : 1)
    const digits = text.slice(from, from + numberMax + 1)
    const length = digits.indexOf(';')
    const code = length > 0 ? Number.parseInt(digits.slice(0, length), isHex ? 16 : 10) : Number.NaN
    if (code > 0 && code < 0x100) return { code, end: from + length + 1 }
  }
  return start > at + 1 ? { code: codeOf('&'), end: start } : null
}
