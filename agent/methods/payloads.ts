/** What direct methods take, checked at the door: untrusted bytes become checked values, or everything wrong with them is said. */
import * as v from 'valibot'
import { choiceNames } from '../bundle/choice.js'
import { bytesMaxLowest } from '../bundle/make.js'
import type { LogFilter, LogForm } from '../evidence/log-filter.js'
import { parseWindow, timeForms, type Window } from '../evidence/window.js'
import { Refusal } from './method.js'

export type ModuleLogsPayload = LogForm & Readonly<{ items: readonly Readonly<{ id: string; filter: LogFilter }>[] }>

/** @param nowMs what times "ago" count from. @throws Refusal 400 */
export function readModuleLogs(payload: Buffer, nowMs: number): ModuleLogsPayload {
  return logsOf(check(moduleLogs, payload), nowMs)
}

/** @throws Refusal 400 */
export function readUploadModuleLogs(
  payload: Buffer,
  nowMs: number,
): ModuleLogsPayload & Readonly<{ sasUrl: string | null }> {
  const { sasUrl, ...logs } = check(uploadedModuleLogs, payload)
  return { ...logsOf(logs, nowMs), sasUrl }
}

function logsOf({ items, encoding, contentType }: v.InferOutput<typeof moduleLogs>, nowMs: number): ModuleLogsPayload {
  const problems: string[] = []
  const read = items.map(({ id, filter }, index) => {
    const window = windowOf(filter, nowMs, problem => problems.push(`items[${index}].filter.${problem}`))
    const { tail, loglevel, regex } = filter
    return { id, filter: { window, tail, loglevel, regex } }
  })
  refuseAny(problems)
  return { items: read, encoding, contentType }
}

/** `around`: the id of a mark or an episode, in place of a window. */
export type SupportBundlePayload = Readonly<{
  window: Window
  around: string | null
  sasUrl: string | null
  types: readonly string[] | null
  bytesMax: number | null
}>

/** @throws Refusal 400 */
export const readSupportBundle = (payload: Buffer, nowMs: number): SupportBundlePayload =>
  bundleOf(check(supportBundle, payload), nowMs)

/**
 * The desired property `collect`: the same, and an id.
 *
 * @throws Refusal 400
 */
export function readCollect(value: unknown, nowMs: number): SupportBundlePayload & Readonly<{ id: string }> {
  const { id, ...bundle } = checkValue(collect, value)
  return { id, ...bundleOf(bundle, nowMs) }
}

function bundleOf(
  { sasUrl, around, types, bytesMax, ...times }: v.InferOutput<typeof supportBundle>,
  nowMs: number,
): SupportBundlePayload {
  const problems: string[] = []
  if (around !== null && (times.since ?? times.until) !== null)
    problems.push('around: expected it without since and until')
  const window = windowOf(times, nowMs, problem => problems.push(problem))
  refuseAny(problems)
  return { window, around, sasUrl, types, bytesMax }
}

/** @throws Refusal 400 */
export const readTaskStatus = (payload: Buffer): Readonly<{ correlationId: string }> => check(taskStatus, payload)

/** @throws Refusal 400 */
export function readEpisodesPayload(payload: Buffer, nowMs: number): Readonly<{ window: Window; count: number }> {
  const { count, ...times } = check(episodes, orEmptyObject(payload))
  const problems: string[] = []
  const window = windowOf(times, nowMs, problem => problems.push(problem))
  refuseAny(problems)
  return { window, count }
}

/** @throws Refusal 400 */
export const readNothing = (payload: Buffer): Readonly<object> => check(nothing, orEmptyObject(payload))

/** Callers that have nothing to say send nothing or null; where nothing changes by it, that is fine. */
const orEmptyObject = (payload: Buffer): Buffer =>
  nothingSaid.has(payload.toString('latin1', 0, 8)) ? Buffer.from('{}') : payload

const nothingSaid: ReadonlySet<string> = new Set(['', 'null'])

/** IoT Hub delivers no more than 128 KiB. */
const payloadBytesMax = 256 << 10

const versionOne = v.pipe(
  v.string('expected "1.0"'),
  v.check(text => /^1\.\d{1,9}$/.test(text), 'expected "1.0" or another 1.x'),
)

const orNull = <T extends v.GenericSchema>(schema: T) => v.optional(v.nullable(schema), null)

const time = orNull(v.pipe(v.string(`expected ${timeForms}, as a string`), v.maxLength(64, `expected ${timeForms}`)))

const whole = (min: number, max: number) => {
  const expected = `expected a whole number from ${min} to ${max}`
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(min, expected), v.maxValue(max, expected))
}

const pattern = v.pipe(
  v.string('expected a regular expression'),
  v.minLength(1, 'expected a regular expression'),
  v.maxLength(1_000, 'expected a regular expression of at most 1000 characters'),
)

/** A word, without regard to case, or its number in IoT Edge's own enumeration. */
const choice = <const T extends readonly [string, string]>(words: T) => {
  const expected = `expected one of ${words.join(', ')}`
  const indexOf = (value: unknown): number =>
    typeof value === 'string' ? words.indexOf(value.toLowerCase()) : typeof value === 'number' ? value : -1
  return v.optional(
    v.pipe(
      v.custom<string | number>(value => words[indexOf(value)] !== undefined, expected),
      v.transform(value => words[indexOf(value)] as T[number]),
    ),
    words[0],
  )
}

/** Not valibot's own: it takes an array for an object. */
const object = <Entries extends v.ObjectEntries>(entries: Entries) => {
  const known = v.object(entries, ({ path }) => (path ? 'is missing' : 'expected an object'))
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
  return v.pipe(v.custom<v.InferInput<typeof known>>(isObject, 'expected an object'), known)
}

const filter = object({
  tail: orNull(whole(0, 2 ** 31)),
  since: time,
  until: time,
  loglevel: orNull(whole(0, 7)),
  regex: orNull(pattern),
})

const noFilter = { tail: null, since: null, until: null, loglevel: null, regex: null }

const item = object({
  id: pattern,
  filter: v.pipe(
    orNull(filter),
    v.transform(given => given ?? noFilter),
  ),
})

const itemsMax = 16

const items = v.pipe(
  v.custom<object>(value => typeof value === 'object' && value !== null, 'expected an object, or an array of objects'),
  v.transform(value => (Array.isArray(value) ? value : [value])),
  v.array(item),
  v.minLength(1, 'expected at least one'),
  v.maxLength(itemsMax, `expected at most ${itemsMax}`),
)

const sasUrl = orNull(v.string('expected the URL of a container with its signature'))

const logsEntries = {
  schemaVersion: versionOne,
  items,
  encoding: choice(['none', 'gzip']),
  contentType: choice(['json', 'text']),
}

const moduleLogs = object(logsEntries)

const uploadedModuleLogs = object({ ...logsEntries, sasUrl })

const idExpected = 'expected the id of a mark or an episode'

const typeExpected = `expected one of ${choiceNames.join(', ')}`

const supportBundleEntries = {
  schemaVersion: v.nullish(versionOne),
  since: time,
  until: time,
  around: orNull(v.pipe(v.string(idExpected), v.minLength(1, idExpected), v.maxLength(64, idExpected))),
  sasUrl,
  types: orNull(
    v.pipe(
      v.array(v.picklist(choiceNames, typeExpected), 'expected an array'),
      v.minLength(1, 'expected at least one'),
      v.maxLength(64, 'expected at most 64'),
    ),
  ),
  bytesMax: orNull(whole(bytesMaxLowest, 2 ** 31)),
}

const supportBundle = object(supportBundleEntries)

const collectId = 'expected 1 to 64 letters, digits, dots, dashes and underscores'

const collect = object({
  id: v.pipe(v.string(collectId), v.regex(/^[\w.-]{1,64}$/, collectId)),
  ...supportBundleEntries,
})

const taskStatus = object({
  schemaVersion: versionOne,
  correlationId: v.pipe(
    v.string('expected the id that was given for the task'),
    v.minLength(1, 'expected the id that was given for the task'),
    v.maxLength(256, 'expected the id that was given for the task'),
  ),
})

const episodesDefault = 20

const episodes = object({
  schemaVersion: v.nullish(versionOne),
  since: time,
  until: time,
  count: v.optional(whole(1, 10_000), episodesDefault),
})

const nothing = object({ schemaVersion: v.nullish(versionOne) })

/** @throws Refusal 400 with everything that is wrong; no line repeats what was sent */
function check<Schema extends v.GenericSchema>(schema: Schema, payload: Buffer): v.InferOutput<Schema> {
  return checkValue(schema, parse(payload))
}

/** @throws Refusal 400 as `check` does */
function checkValue<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  throw refusal(result.issues.map(({ path, message }) => `${placeOf(path?.map(({ key }) => key) ?? [])}${message}`))
}

function parse(payload: Buffer): unknown {
  if (payload.length > payloadBytesMax) throw new Refusal(400, `expected at most ${payloadBytesMax} bytes`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
    throw new Refusal(400, 'expected a JSON object, such as {}; this is not JSON')
  }
}

const placeOf = (keys: readonly unknown[]): string => {
  if (keys.length === 0) return ''
  const place = keys.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${key}`)).join('')
  return `${place}: `
}

const problemsMax = 10

function refuseAny(problems: readonly string[]): void {
  if (problems.length > 0) throw refusal(problems)
}

function refusal(problems: readonly string[]): Refusal {
  const left = problems.length > problemsMax ? [`and ${problems.length - problemsMax} more`] : []
  return new Refusal(400, [...problems.slice(0, problemsMax), ...left].join('; '))
}

function windowOf(
  { since, until }: Readonly<{ since: string | null; until: string | null }>,
  nowMs: number,
  onProblem: (problem: string) => void,
): Window {
  const parsed = parseWindow({ since: since ?? undefined, until: until ?? undefined }, nowMs)
  if ('window' in parsed) return parsed.window
  parsed.problems.forEach(onProblem)
  return {}
}
