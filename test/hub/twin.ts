/** One identity's twin: two JSON objects with versions, changed by merge patches. */

type Json = Record<string, unknown>

export class Twin {
  #desired: Json = {}
  #reported: Json = {}
  #desiredVersion = 1
  #reportedVersion = 1

  get desired(): Json {
    return { ...structuredClone(this.#desired), $version: this.#desiredVersion }
  }

  get reported(): Json {
    return { ...structuredClone(this.#reported), $version: this.#reportedVersion }
  }

  /** @returns the patch as the device is to hear it */
  patchDesired(patch: object): Json {
    this.#desired = merge(this.#desired, patch)
    this.#desiredVersion += 1
    return { ...patch, $version: this.#desiredVersion }
  }

  /** @returns the new version */
  patchReported(patch: object): number {
    this.#reported = merge(this.#reported, patch)
    this.#reportedVersion += 1
    return this.#reportedVersion
  }
}

/** `null` removes a key; objects are merged, everything else is replaced. Names that begin with `$` are the hub's. */
function merge(target: Json, patch: object): Json {
  const merged: Json = { ...target }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue
    if (value === null) delete merged[key]
    else if (isObject(value)) merged[key] = merge(isObject(merged[key]) ? merged[key] : {}, value)
    else merged[key] = value
  }
  return merged
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @returns `null` for bytes that are no JSON object */
export function parseObject(payload: Buffer): object | null {
  try {
    const value: unknown = JSON.parse(payload.toString())
    return isObject(value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
