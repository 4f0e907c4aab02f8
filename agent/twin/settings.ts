/**
 * What holds of all that the twin may change: what it said last and was accepted, else the configuration. Kept over restarts, so that
 * a start without a network is as the last one was.
 */
import { readFileSync } from 'node:fs'
import type { Config } from '../config/config.js'
import { writeFileDurably } from '../durable-file.js'
import { readStored } from './check.js'
import type { TwinOrder } from './order.js'
import { isObject, type Json } from './patch.js'
import type { AnyTwinProperty, TwinParts, TwinValue } from './property.js'

/** As IoT Plug and Play has it: 200 accepted, 203 the device's own, 400 refused, 500 failed. */
export type Answer = Readonly<{ value?: TwinValue; ac: 200 | 203 | 400 | 500; av: number; ad: string }>

export type TwinSettingsOptions = Readonly<{
  /** twin.json */
  path: string
  config: Config
  properties: readonly AnyTwinProperty[]
  /** Known by the time of the first `take`. */
  orders(): readonly TwinOrder[]
  parts: TwinParts
  nowMs(): number
  said(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, error?: unknown): void
}>

export interface TwinSettings {
  /** What an earlier run had accepted holds from now on. */
  begin(): Promise<void>
  /**
   * The desired properties as they are now: each is accepted or refused by itself.
   *
   * @param component what the twin says under our name; `undefined` where it says nothing
   * @param named those that a change has named; `null`: the twin was read whole
   * @param reported what the twin says of our answers
   */
  take(component: unknown, version: number, named: ReadonlySet<string> | null, reported: Json): Promise<void>
  /** One for each property, for each that is not known, and those of orders as they stand. Empty before the first `take`. */
  answers(): Json
}

/** Names that are not known are repeated if they can be names, and so many of them. */
const unknownMax = 8
const plainName = /^[A-Za-z][\w-]{0,63}$/

/** How IoT Plug and Play marks a component. */
const marker = '__t'

export function createTwinSettings(options: TwinSettingsOptions): TwinSettings {
  const { path, config, properties, orders, parts, nowMs, said, warn } = options
  const standard = new Map(properties.map(property => [property.name, property.standard(config)]))
  const holds = new Map(standard)
  const accepted = new Map<string, TwinValue>()
  let desiredVersion = 0
  let answers: Readonly<Record<string, Answer>> = {}
  let kept = ''

  const change = async (property: AnyTwinProperty, value: TwinValue): Promise<void> => {
    const { name } = property
    const before = holds.get(name)
    if (before === value) return
    await property.apply(value as never, parts)
    holds.set(name, value)
    said(`the device twin has changed ${name}`, { from: before, to: value })
  }

  const answer = async (property: AnyTwinProperty, given: unknown, version: number): Promise<Answer | null> => {
    const { name } = property
    const own = standard.get(name) as TwinValue
    const isGiven = given !== undefined && given !== null
    const checked = isGiven ? property.check(given, nowMs()) : { value: own as never }
    const current = (): Pick<Answer, 'value'> => {
      const value = holds.get(name)
      return value === null || value === undefined ? {} : { value }
    }
    if ('problem' in checked) return { ...current(), ac: 400, av: version, ad: checked.problem }
    try {
      await change(property, checked.value)
    } catch (error) {
      warn(`what the device twin says of ${name} could not be done`, error)
      return { ...current(), ac: 500, av: version, ad: 'this failed inside hubrec; its own log says why' }
    }
    if (isGiven) accepted.set(name, checked.value)
    else accepted.delete(name)
    if (isGiven) return { ...current(), ac: 200, av: version, ad: 'accepted' }
    return own === null ? null : { value: own, ac: 203, av: 0, ad: 'as the configuration of the device says' }
  }

  const keep = async (): Promise<void> => {
    const text = `${JSON.stringify({ version: 1, desiredVersion, accepted: Object.fromEntries(accepted) })}\n`
    if (text === kept) return
    kept = text
    await writeFileDurably(path, text, 0o600).catch((error: unknown) =>
      warn('what the device twin says cannot be kept over a restart', error),
    )
  }

  return {
    async begin() {
      const stored = read(path, warn)
      if (stored === null) return
      desiredVersion = stored.desiredVersion
      for (const property of properties) {
        const given = stored.accepted[property.name]
        const checked = given === undefined ? null : property.check(given, nowMs())
        if (checked === null || 'problem' in checked) continue
        accepted.set(property.name, checked.value)
        if (property.keepsItself) holds.set(property.name, checked.value)
        else
          await change(property, checked.value).catch((error: unknown) =>
            warn(`what the device twin said of ${property.name} could not be done`, error),
          )
      }
    },

    async take(component, version, named, reported) {
      const given = isObject(component) ? component : {}
      const next: Record<string, Answer> = {}
      for (const property of properties) {
        const { name } = property
        const found = await answer(property, Object.hasOwn(given, name) ? given[name] : undefined, version)
        if (found) next[name] = found
      }
      for (const order of orders())
        await order.take(Object.hasOwn(given, order.name) ? given[order.name] : undefined, version)
      const names = [...properties, ...orders()].map(({ name }) => name)
      const known = new Set([...names, marker])
      const unknown = Object.keys(given).filter(name => !known.has(name) && given[name] !== null)
      for (const name of unknown.filter(name => plainName.test(name)).slice(0, unknownMax))
        next[name] = { ac: 400, av: version, ad: `unknown property; expected one of ${names.join(', ')}` }
      if (component !== undefined && component !== null && !isObject(component))
        warn('the device twin says hubrec and no object; expected {"hubrec": {...}} in its desired properties')
      answers = Object.fromEntries(
        Object.entries(next).map(([name, each]) => [
          name,
          named?.has(name) ? each : sinceVersion(each, answers[name] ?? reported[name]),
        ]),
      )
      desiredVersion = version
      await keep()
    },

    answers: () => Object.assign({}, answers, ...orders().map(order => order.answers())),
  }
}

/** The version of the whole goes up with each change of any property: an answer that says the same stands. */
function sinceVersion(answer: Answer, before: unknown): Answer {
  if (!isObject(before) || typeof before.av !== 'number' || before.av > answer.av) return answer
  const { value, ac, ad } = before
  return value === answer.value && ac === answer.ac && ad === answer.ad ? { ...answer, av: before.av } : answer
}

/** A file that is no good is as good as none. */
function read(path: string, warn: (message: string, error?: unknown) => void): ReturnType<typeof readStored> {
  try {
    const stored = readStored(JSON.parse(readFileSync(path, 'utf8')))
    if (stored === null) warn('twin.json is not one of this release: the configuration holds until the twin is read')
    return stored
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (!('code' in error && error.code === 'ENOENT'))
      warn('twin.json cannot be read: the configuration holds until the twin is read', error)
    return null
  }
}
