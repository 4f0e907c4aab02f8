/** A device twin as the hub tells it: two JSON objects that each carry the version under `$version`. */

export type TwinDocument = Readonly<{
  desired: Readonly<Record<string, unknown>>
  reported: Readonly<Record<string, unknown>>
}>

/** @throws Error where it is not one */
export function readTwin(value: unknown): TwinDocument {
  const { desired, reported } = isObject(value) ? value : {}
  if (!isObject(desired) || !isObject(reported)) throw new Error('the answer is no device twin')
  return { desired, reported }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
