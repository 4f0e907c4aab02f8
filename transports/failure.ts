/** Errors flattened where they enter, while their codes and causes are still there. */
import type { Failure } from './wire-event.js'

/** Far above what any error says: a secret that straddles the cut would not be recognised any more. */
const textMax = 4_000
const depthMax = 5
const errorsMax = 8

/** Never throws, whatever was thrown. Texts are cut at 4,000 characters, causes at 5 levels, addresses at 8. */
export function flatten(error: unknown, depth = 0): Failure {
  if (!(error instanceof Error)) return { name: typeof error, message: cut(inWords(error)) }
  const { code, syscall, address, port, cause, errors, innerError } = error as Error & Record<string, unknown>
  const from = cause ?? innerError
  return {
    // The SDK's errors that are made without a message have none, not even an empty one.
    name: cut(inWords(error.name ?? 'Error')),
    message: cut(inWords(error.message ?? '')),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
    ...(typeof address === 'string' ? { address: typeof port === 'number' ? `${address}:${port}` : address } : {}),
    ...(Array.isArray(errors) && depth < depthMax
      ? { errors: errors.slice(0, errorsMax).map(each => flatten(each, depth + 1)) }
      : {}),
    ...(from !== undefined && from !== null && depth < depthMax ? { from: flatten(from, depth + 1) } : {}),
  }
}

/** An object without a prototype cannot be made a string. */
const inWords = (value: unknown): string =>
  typeof value === 'object' ? Object.prototype.toString.call(value) : String(value)

const cut = (text: string): string => (text.length > textMax ? `${text.slice(0, textMax)}...` : text)
