/** Merge patches (RFC 7396) between what the twin says and what it is to say. Pure. */

export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The document after the patch: `null` removes a key, objects are merged, everything else is replaced. */
export function merged(document: Json, patch: Json): Json {
  const result: Record<string, unknown> = { ...document }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else if (isObject(value)) result[key] = merged(isObject(result[key]) ? result[key] : {}, value)
    else result[key] = value
  }
  return result
}

/**
 * The smallest patch that makes `from` say what `to` says; `null` where it does already. What begins with `$` is the hub's, and left
 * alone. An empty object is nothing: a hub need not keep one. `to` holds no `null`, which a twin cannot keep.
 */
export function patchBetween(from: Json, to: Json): Json | null {
  const patch: Record<string, unknown> = {}
  const said = Object.entries(to).filter(([, value]) => !isEmpty(value))
  const names = new Set(said.map(([key]) => key))
  for (const [key, value] of Object.entries(from))
    if (!names.has(key) && !key.startsWith('$') && !isEmpty(value)) patch[key] = null
  for (const [key, value] of said) {
    const before = from[key]
    if (isObject(value) && isObject(before)) {
      const inner = patchBetween(before, value)
      if (inner !== null) patch[key] = inner
    } else if (JSON.stringify(before) !== JSON.stringify(value)) patch[key] = value
  }
  return Object.keys(patch).length === 0 ? null : patch
}

const isEmpty = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0
