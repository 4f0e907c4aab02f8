/** What stands in a text as base64: all of it decoded, each piece in the four ways in which its groups may lie. */

import { withPadding } from './shaped.js'

export type Decoded = Readonly<{
  /** What is text in it, with something in between that no secret holds. */
  text: string
  /**
   * What has to go of the text that it was decoded from, so that nothing of `text` from `start` to `end` is left: the whole run,
   * unless it is long.
   */
  placeOf(start: number, end: number): Readonly<{ start: number; end: number }>
}>

/** Of so many characters on: a name and a value are not shorter. */
const runMin = 16
/** Lines of base64 are at least so long, but for the last one. */
const lineMin = 32
/** Longer ones are files that were packed into a text. */
const wholeMax = 8_192

/** So many bytes of text in a row: fewer hold no name and value, and what is no base64 has hardly ever as many. */
const stretchMin = 8

const values = new Int8Array(128).fill(-1)
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries())
  values[character.charCodeAt(0)] = value
values['-'.charCodeAt(0)] = 62
values['_'.charCodeAt(0)] = 63

const valueAt = (text: string, at: number): number => {
  const code = text.charCodeAt(at)
  return code < 128 ? values[code]! : -1
}

/** The characters of all runs that are long enough. */
type Runs = Readonly<{ sextets: Uint8Array; places: Uint32Array; ends: readonly number[] }>

export function* decodedIn(text: string): Generator<Decoded> {
  const runs = runsOf(text)
  if (runs.ends.length === 0) return
  for (let offset = 0; offset < 4; offset++) {
    const decoded = decode(text, runs, offset)
    if (decoded !== null) yield decoded
  }
}

function runsOf(text: string): Runs {
  let sextets = new Uint8Array(0)
  let places = new Uint32Array(0)
  const ends: number[] = []
  let length = 0
  for (let at = 0; at < text.length; at++) {
    if (valueAt(text, at) < 0) continue
    const start = at
    at = runEnd(text, at)
    if (at - start < runMin) continue
    if (sextets.length === 0) {
      sextets = new Uint8Array(text.length)
      places = new Uint32Array(text.length)
    }
    for (let place = start; place < at; place++) {
      const value = valueAt(text, place)
      if (value < 0) continue
      sextets[length] = value
      places[length++] = place
    }
    ends.push(length)
  }
  return { sextets, places, ends }
}

/** Lines of one length that follow each other are one run. */
function runEnd(text: string, start: number): number {
  for (let lineStart = start; ; ) {
    let end = lineStart
    while (valueAt(text, end) >= 0) end++
    const next = nextLine(text, end)
    if (end - lineStart < lineMin || next === end || valueAt(text, next) < 0) return end
    lineStart = next
  }
}

function nextLine(text: string, end: number): number {
  let at = end
  if (text[at] === '\r') at++
  if (text[at] !== '\n') return end
  at++
  while (text[at] === ' ' && at - end < 20) at++
  return at
}

function decode(text: string, { sextets, places, ends }: Runs, offset: number): Decoded | null {
  const last = ends.at(-1) ?? 0
  const bytes = Buffer.alloc(last + 2 * ends.length)
  /** Of each byte, the first of the two characters that hold it. */
  const firsts = new Uint32Array(bytes.length)
  let length = 0
  let from = 0
  for (const end of ends) {
    let stretch = length
    for (let at = from + offset; at + 1 < end; at += 4) {
      const count = Math.min(3, end - at - 1)
      for (let nth = 0; nth < count; nth++) {
        const byte = ((sextets[at + nth]! << (2 + 2 * nth)) | (sextets[at + nth + 1]! >> (4 - 2 * nth))) & 0xff
        if ((byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d) {
          bytes[length] = byte
          firsts[length++] = at + nth
        } else {
          length = afterStretch(bytes, stretch, length)
          stretch = length
        }
      }
    }
    length = afterStretch(bytes, stretch, length)
    from = end
  }
  if (length === 0) return null
  return {
    text: bytes.toString('latin1', 0, length),
    placeOf(start, end) {
      const [first, last] = [firsts[start]!, firsts[end - 1]! + 1]
      const run = ends.findIndex(end => first < end)
      const [from, to] = [run > 0 ? ends[run - 1]! : 0, ends[run]!]
      if (to - from > wholeMax) return { start: places[first]!, end: places[last]! + 1 }
      return { start: places[from]!, end: withPadding(text, places[to - 1]! + 1) }
    },
  }
}

/** A short stretch of text is dropped. */
function afterStretch(bytes: Buffer, start: number, end: number): number {
  if (end - start < stretchMin) return start
  bytes[end] = 0
  return end + 1
}
