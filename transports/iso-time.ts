/**
 * A time as RFC 3339 with milliseconds, as `toISOString` has it. That one, the first time, brings in the time zones of the whole
 * world, which are most of a megabyte: too much for an application that has never asked for them.
 *
 * @param ms since 1970, of a year with four digits
 */
export function isoTime(ms: number): string {
  const date = new Date(ms)
  const part = (value: number, digits: number): string => String(value).padStart(digits, '0')
  const day = [part(date.getUTCFullYear(), 4), part(date.getUTCMonth() + 1, 2), part(date.getUTCDate(), 2)].join('-')
  const time = [part(date.getUTCHours(), 2), part(date.getUTCMinutes(), 2), part(date.getUTCSeconds(), 2)].join(':')
  return `${day}T${time}.${part(date.getUTCMilliseconds(), 3)}Z`
}
