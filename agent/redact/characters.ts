/** What characters values are made of, and how far runs of them reach. */

/** Bits, to be combined: a run is made of characters that have any of them. */
export const digit = 1
export const upper = 2
export const lower = 4
export const dash = 8
export const underscore = 16
export const plusSlash = 32
export const equals = 64
export const dot = 128
export const tilde = 256
export const space = 512
export const atSign = 1024

export const letter = upper | lower
export const alphanumeric = digit | letter
export const word = alphanumeric | underscore
export const base64 = alphanumeric | plusSlash
export const base64url = word | dash
/** As RFC 6750 has a bearer's token, without the padding. */
export const token68 = base64url | plusSlash | dot | tilde

const bits = new Uint16Array(128)
const set = (characters: string, bit: number): void => {
  for (const character of characters) bits[character.charCodeAt(0)]! |= bit
}
set('0123456789', digit)
set('ABCDEFGHIJKLMNOPQRSTUVWXYZ', upper)
set('abcdefghijklmnopqrstuvwxyz', lower)
set('-', dash)
set('_', underscore)
set('+/', plusSlash)
set('=', equals)
set('.', dot)
set('~', tilde)
set(' \t', space)
set('@', atSign)

/** Outside of the text and outside of ASCII there are none. */
export function isOf(text: string, at: number, mask: number): boolean {
  const code = text.charCodeAt(at)
  return code < 128 && (bits[code]! & mask) !== 0
}

/** Where what begins at `at` ends. The same for each place in between. */
export type Reach = (text: string, at: number) => number

/** As far as there are capital letters alone, or small ones, or digits, and whatever is none of them. */
export const oneSortEnd: Reach = (text, start) => {
  let sort = 0
  let at = start
  for (; at < text.length; at++) {
    const found = isOf(text, at, lower) ? lower : isOf(text, at, digit) ? digit : isOf(text, at, upper) ? upper : sort
    if (sort !== 0 && found !== sort) return at
    sort = found
  }
  return at
}

/** A text that is read from left to right by several who ask for the same runs. */
export type Page = Readonly<{
  text: string
  /** The place behind the run of such characters that `at` stands in; `at` itself where there is none. */
  runEnd(at: number, mask: number): number
  reach(at: number, reach: Reach): number
}>

/** Remembers the last run of each sort, so that to ask anew at each place of a run costs no more than to ask once. */
export function createPage(text: string): Page {
  const known = new Map<number | Reach, { from: number; end: number }>()
  const measure = (at: number, sort: number | Reach): number => {
    if (typeof sort === 'function') return sort(text, at)
    let end = at
    while (isOf(text, end, sort)) end++
    return end
  }
  const reach = (at: number, sort: number | Reach): number => {
    const last = known.get(sort)
    if (last === undefined) {
      const end = measure(at, sort)
      known.set(sort, { from: at, end })
      return end
    }
    if (at >= last.from && at <= last.end) return last.end
    last.end = measure(at, sort)
    last.from = at
    return last.end
  }
  return { text, runEnd: reach, reach }
}
