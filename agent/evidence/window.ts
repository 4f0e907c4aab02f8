/** Times as people and scripts write them, for commands and direct methods alike. */

/** Wall times in unix milliseconds, both inclusive. A side that is missing is open. */
export type Window = Readonly<{ since?: number; until?: number }>

export const timeForms = 'RFC 3339 such as 2026-11-22T10:00:00Z, unix seconds, or a time ago such as 15m, 2h, 3d'

/**
 * @param text RFC 3339, unix seconds, or how long ago: `15m`, `2h`, `3d`, also `1d12h` and `2 days 3 hours`
 * @returns unix milliseconds, or `null` when it is none of these
 */
export function parseTime(text: string, nowMs: number): number | null {
  const trimmed = text.trim()
  if (trimmed.length > textMax) return null
  if (unixSeconds.test(trimmed)) return within(Math.round(Number(trimmed) * 1e3))
  return within(parseRfc3339(trimmed) ?? ago(trimmed, nowMs))
}

/**
 * @param nowMs what "ago" counts from
 * @returns everything that is wrong, by the name of the side
 */
export function parseWindow(
  { since, until }: Readonly<{ since?: string | undefined; until?: string | undefined }>,
  nowMs: number,
): { window: Window } | { problems: readonly string[] } {
  const problems: string[] = []
  const read = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined
    const ms = parseTime(text, nowMs)
    if (ms === null) problems.push(`${name}: expected ${timeForms}`)
    return ms ?? undefined
  }
  const from = read('since', since)
  const to = read('until', until)
  if (from !== undefined && to !== undefined && from > to) problems.push('since: expected a time before until')
  if (problems.length > 0) return { problems }
  return { window: { ...(from === undefined ? {} : { since: from }), ...(to === undefined ? {} : { until: to }) } }
}

const textMax = 64

/** The years 1 to 9999, all that RFC 3339 can write again. */
const firstMs = -62_135_596_800_000
const lastMs = 253_402_300_799_999

const within = (ms: number | null): number | null => (ms !== null && ms >= firstMs && ms <= lastMs ? ms : null)

/** Eleven digits reach the year 5138; milliseconds, which have thirteen, are not taken for seconds. */
const unixSeconds = /^\d{1,11}(\.\d{1,9})?$/

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/

/** Not Date.parse: it takes the 30th of February for the 2nd of March, and refuses leap seconds. */
function parseRfc3339(text: string): number | null {
  const match = rfc3339.exec(text)
  if (!match) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const offset = match[8] ?? 'Z'
  const [offsetHour, offsetMinute] = offset.length === 1 ? [0, 0] : offset.slice(1).split(':').map(Number)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isDate = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  const isTime = hour < 24 && minute < 60 && second < 61 && (offsetHour ?? 0) < 24 && (offsetMinute ?? 0) < 60
  if (!isDate || !isTime) return null
  const ms = date.setUTCHours(hour, minute, second) + Math.floor(Number(match[7] ?? 0) * 1e3)
  const offsetMs = ((offsetHour ?? 0) * 60 + (offsetMinute ?? 0)) * 60_000
  return offset.startsWith('-') ? ms + offsetMs : ms - offsetMs
}

const unitMs: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3 }

const span = /^(?:\d{1,9}\s*(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*)+$/i
const spanPart = /(\d{1,9})\s*([smhdw])/gi

function ago(text: string, nowMs: number): number | null {
  const spanMs = parseSpan(text)
  return spanMs === null ? null : nowMs - spanMs
}

/** @returns milliseconds of `15m`, `2h`, `1d12h`, `2 days 3 hours`; `null` when it is none of these */
export function parseSpan(text: string): number | null {
  if (text.length > textMax || !span.test(text)) return null
  const parts = [...text.matchAll(spanPart)]
  return parts.reduce((ms, [, count, unit]) => ms + Number(count) * (unitMs[unit?.toLowerCase() ?? ''] ?? 0), 0)
}
