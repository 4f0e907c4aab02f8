/** The one door through which everything passes that enters the ring or leaves the device. */
import type { Secrets } from '../transports/secrets.js'
import { merged, type Replaced, replaced } from '../transports/spans.js'
import { createFind, type Find } from './redact/find.js'
import { redactStream } from './redact/stream.js'

export interface Redactor {
  text(text: string): string
  /**
   * The value as JSON without its secrets, wherever in it they are: in a key, in a string, in JSON inside a string.
   *
   * @param value plain data
   * @returns always JSON that can be read, on one line
   */
  json(value: unknown): string
  /**
   * A text of any length in bounded memory, some 1 MiB, whatever its secrets are cut by.
   *
   * @param source UTF-8, or text; what is no UTF-8 becomes U+FFFD
   * @throws what the source throws, after all that came before
   * @returns pieces of at most some 128 KiB
   */
  stream(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string>
  /** How many pieces of each kind were taken out since the beginning. */
  removed(): Record<string, number>
}

/** @param extra finds what else is to be taken out */
export function createRedactor(secrets: Secrets, extra: readonly Find[] = []): Redactor {
  const known = createFind(text => secrets.find(text))
  const find: Find = extra.length === 0 ? known : text => [known, ...extra].flatMap(each => each(text))
  const total = new Map<string, number>()

  const scrub = (text: string): Replaced => replaced(text, merged(find(text)))
  const counted = ({ text, removed }: Replaced): string => {
    for (const [kind, count] of Object.entries(removed)) total.set(kind, (total.get(kind) ?? 0) + count)
    return text
  }
  const text = (given: string): string => counted(scrub(given))

  /** A number that is a secret becomes a string. */
  const eachText = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value)
    if (typeof value === 'number') {
      const changed = text(String(value))
      return changed === String(value) ? value : changed
    }
    if (Array.isArray(value)) return value.map(eachText)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => eachField(key, item)))
  }
  /** A value may be a secret because of its name, so both are looked at together where they stay JSON. */
  const eachField = (key: string, item: unknown): [string, unknown][] => {
    const together = scrub(JSON.stringify({ [key]: item }))
    if (typeof item === 'object' || !isJson(together.text)) return [[text(key), eachText(item)]]
    return Object.entries(JSON.parse(counted(together)))
  }

  return {
    text,
    json(value) {
      const json = JSON.stringify(value) ?? 'null'
      const whole = scrub(json)
      if (whole.text === json || isJson(whole.text)) return counted(whole)
      // A secret began inside an escape: its head was the `n` of a line's end, say. String by string there are none.
      return JSON.stringify(eachText(JSON.parse(json)))
    },
    stream: source => redactStream(source, find, counted),
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
