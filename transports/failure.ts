/** Errors flattened where they enter, while their codes and causes are still there. */
import type { Failure } from './wire-event.js'

const textMax = 500
const depthMax = 5
const errorsMax = 8

/** Never throws, whatever was thrown. Texts are cut at 500 characters, causes at 5 levels, addresses at 8. */
export function flatten(error: unknown, depth = 0): Failure {
  if (!(error instanceof Error)) return { name: typeof error, message: cut(String(error)) }
  const { code, syscall, address, port, cause, errors, innerError } = error as Error & Record<string, unknown>
  const from = cause ?? innerError
  return {
    name: error.name,
    message: cut(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
    ...(typeof address === 'string' ? { address: typeof port === 'number' ? `${address}:${port}` : address } : {}),
    ...(Array.isArray(errors) && depth < depthMax
      ? { errors: errors.slice(0, errorsMax).map(each => flatten(each, depth + 1)) }
      : {}),
    ...(from !== undefined && from !== null && depth < depthMax ? { from: flatten(from, depth + 1) } : {}),
  }
}

const cut = (text: string): string => (text.length > textMax ? `${text.slice(0, textMax)}...` : text)
