/** A bundle's parts for tests: on a busy machine a tenth of a second is too short. */
import type { Part } from '../../agent/bundle/part.js'
import { parts } from '../../agent/bundle/parts.js'

export const patientParts: readonly Part[] = parts.map(part => ({
  ...part,
  timeLimitMs: Math.max(part.timeLimitMs, 10_000),
}))
