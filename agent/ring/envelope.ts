/** The little that the ring reads in a record's text: its type and its time. All else is the business of those who write. */

const typeKey = Buffer.from('"type":"')
const atKey = Buffer.from('"at":"')
const quote = 0x22

/** Further in than this no envelope's fields stand; the rest of a long record is not searched. */
const envelopeBytesMax = 512

/** The first `"type":"..."` of the text; an empty word where there is none. */
export function typeOf(json: Buffer): string {
  return fieldOf(json, typeKey) ?? ''
}

/** @returns ms since 1970 of the first `"at":"..."`; `null` where there is none or it is no time */
export function atMsOf(json: Buffer): number | null {
  const text = fieldOf(json, atKey)
  const ms = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(ms) ? null : ms
}

function fieldOf(json: Buffer, key: Buffer): string | null {
  const head = json.length > envelopeBytesMax ? json.subarray(0, envelopeBytesMax) : json
  const found = head.indexOf(key)
  if (found === -1) return null
  const start = found + key.length
  const end = head.indexOf(quote, start)
  return end === -1 ? null : head.toString('latin1', start, end)
}
