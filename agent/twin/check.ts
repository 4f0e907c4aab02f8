/** What a desired property may be: untrusted JSON becomes a checked value, or what was expected is said. */
import * as v from 'valibot'
import { parseTime } from '../evidence/window.js'

export type Checked<T> = Readonly<{ value: T }> | Readonly<{ problem: string }>

/** @param nowMs wall time, for what must not lie too far ahead. A problem never repeats what was sent */
export type Check<T> = (value: unknown, nowMs: number) => Checked<T>

const checked = <T>(schema: v.GenericSchema<unknown, T>, value: unknown): Checked<T> => {
  const result = v.safeParse(schema, value)
  return result.success ? { value: result.output } : { problem: result.issues[0].message }
}

export function wholeNumber(min: number, max: number): Check<number> {
  const expected = `expected a whole number from ${min} to ${max}`
  const schema = v.pipe(v.number(expected), v.integer(expected), v.minValue(min, expected), v.maxValue(max, expected))
  return value => checked(schema, value)
}

const timeExpected = 'expected a time as in 2026-11-30T12:00:00Z'

/** One that is over is fine: it was heard of late. */
export function timeWithin(aheadMsMax: number): Check<string> {
  const hours = aheadMsMax / 3_600_000
  return (value, nowMs) =>
    checked(
      v.pipe(
        v.string(timeExpected),
        v.regex(/^\d{4}-\d\d-\d\d[Tt]/, timeExpected),
        v.check(text => parseTime(text, nowMs) !== null, timeExpected),
        v.check(
          text => (parseTime(text, nowMs) ?? 0) <= nowMs + aheadMsMax,
          `expected a time at most ${hours} hours ahead of this device's clock`,
        ),
      ),
      value,
    )
}

const stored = v.object({
  version: v.literal(1),
  desiredVersion: v.pipe(v.number(), v.integer()),
  accepted: v.record(v.string(), v.union([v.number(), v.string()])),
})

/** What twin.json holds; `null` for what is no such thing. */
export function readStored(value: unknown): v.InferOutput<typeof stored> | null {
  const result = v.safeParse(stored, value)
  return result.success ? result.output : null
}

/** A bundle that was asked for, and what has become of it. */
export type Collected = v.InferOutput<typeof collected>

const collected = v.object({
  id: v.string(),
  version: v.pipe(v.number(), v.integer()),
  correlationId: v.string(),
  status: v.string(),
  message: v.string(),
})

/** @throws Error where it is not what collect.json holds */
export const readCollected = (value: unknown): readonly Collected[] =>
  v.parse(v.object({ version: v.literal(1), collected: v.array(collected) }), value).collected
