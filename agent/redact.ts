/** The one door through which everything passes that enters the ring or leaves the device. */
import type { Secrets } from '../transports/secrets.js'
import { scrubSignatures } from './scrub-signatures.js'

/** `removed` counts by kind; each piece that was taken out is one. */
export type Scrubbed = Readonly<{ text: string; removed: Readonly<Record<string, number>> }>

/** What it puts in a piece's place holds no quote and no backslash. It takes time in proportion to the text. */
export type Scrubber = (text: string) => Scrubbed

export interface Redactor {
  text(text: string): string
  /**
   * The value as JSON without its secrets, wherever in it they are: in a key, in a string, in JSON inside a string.
   *
   * @param value plain data
   * @returns always JSON that can be read, on one line
   */
  json(value: unknown): string
  /** How many pieces of each kind were taken out since the beginning. */
  removed(): Record<string, number>
}

/** After the agent's own secrets, which each process knows by value: in this order. New scrubbers are added here. */
const scrubbers: readonly Scrubber[] = [scrubSignatures]

export function createRedactor(secrets: Secrets, extra: readonly Scrubber[] = []): Redactor {
  const all: readonly Scrubber[] = [text => secrets.scrub(text), ...scrubbers, ...extra]
  const total = new Map<string, number>()

  const scrub = (text: string): Scrubbed => {
    const found = new Map<string, number>()
    let rest = text
    for (const scrubber of all) {
      const { text, removed } = scrubber(rest)
      rest = text
      for (const [kind, count] of Object.entries(removed)) found.set(kind, (found.get(kind) ?? 0) + count)
    }
    return { text: rest, removed: Object.fromEntries(found) }
  }
  const counted = ({ text, removed }: Scrubbed): string => {
    for (const [kind, count] of Object.entries(removed)) total.set(kind, (total.get(kind) ?? 0) + count)
    return text
  }
  const text = (given: string): string => counted(scrub(given))

  return {
    text,
    json(value) {
      const json = JSON.stringify(value) ?? 'null'
      const whole = scrub(json)
      if (whole.text === json || isJson(whole.text)) return counted(whole)
      // A secret began inside an escape: its head was the `n` of a line's end, say. String by string there are none.
      return JSON.stringify(eachText(JSON.parse(json), text))
    },
    removed: () => Object.fromEntries(total),
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** A number that is a secret becomes a string. */
function eachText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (typeof value === 'number') {
    const changed = change(String(value))
    return changed === String(value) ? value : changed
  }
  if (Array.isArray(value)) return value.map(item => eachText(item, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), eachText(item, change)]))
}
