/** The little that the ring reads in a record's text: its type and its time. All else is the business of those who write. */

const typeKey = Buffer.from('"type":"')
const atKey = Buffer.from('"at":"')
const quote = 0x22

/** Further in than this no envelope's fields stand; the rest of a long record is not searched. */
const envelopeBytesMax = 512

/** The first `"type":"..."` of the text; an empty word where there is none. */
export function typeOf(json: Buffer): string {
  const start = endOf(json, typeKey)
  const end = start === -1 ? -1 : json.indexOf(quote, start)
  return end === -1 ? '' : json.toString('latin1', start, end)
}

/** `2026-11-22T10:00:` and `2026-11-22T10:00:00.000Z` */
const minuteLength = 17
const timeLength = 24

/**
 * Reads times that mostly are of the same minute as the one before: then only the seconds are read anew.
 *
 * @returns ms since 1970 of the first `"at":"..."`; `null` where there is none or it is no time
 */
export function createTimeReader(): (json: Buffer) => number | null {
  const minute = Buffer.alloc(minuteLength)
  let minuteMs = 0

  return json => {
    const start = endOf(json, atKey)
    if (start === -1) return null
    if (json[start + timeLength] === quote && json[start + timeLength - 1] === 0x5a) {
      if (json.compare(minute, 0, minuteLength, start, start + minuteLength) === 0) {
        const seconds = digit(json, start + 17) * 10 + digit(json, start + 18)
        const ms = digit(json, start + 20) * 100 + digit(json, start + 21) * 10 + digit(json, start + 22)
        const isTime = seconds < 60 && ms < 1_000 && json[start + 19] === 0x2e
        return isTime ? minuteMs + seconds * 1e3 + ms : null
      }
    }
    const end = json.indexOf(quote, start)
    const text = json.toString('latin1', start, end === -1 ? start : end)
    const parsed = Date.parse(text)
    if (Number.isNaN(parsed)) return null
    if (text.length === timeLength && text.endsWith('Z')) {
      json.copy(minute, 0, start, start + minuteLength)
      minuteMs = Math.floor(parsed / 60_000) * 60_000
    }
    return parsed
  }
}

/** Anything but a digit makes a number that is too large for its place. */
function digit(json: Buffer, at: number): number {
  const value = json[at]! - 0x30
  return value >= 0 && value <= 9 ? value : 1_000
}

/** Where the first of it ends; `-1` where it is not in the envelope. Most stand so near that looking is quicker than asking. */
function endOf(json: Buffer, key: Buffer): number {
  const first = key[1]
  const last = Math.min(json.length, envelopeBytesMax) - key.length
  for (let at = 1; at <= last; at++) {
    if (json[at + 1] !== first || json[at] !== quote) continue
    let length = 2
    while (length < key.length && json[at + length] === key[length]) length++
    if (length === key.length) return at + length
  }
  return -1
}
