/** How sure a verdict may be. */
import type { Confidence } from '../evidence/episode.js'
import type { Ceiling } from './cause.js'

const ascending: readonly Confidence[] = ['unknown', 'possible', 'likely', 'certain']

/** Positive when `a` says more than `b`. */
export const compareConfidence = (a: Confidence, b: Confidence): number => ascending.indexOf(a) - ascending.indexOf(b)

/** A rule may be surer than a device has any right to be; the ceiling has the last word. */
export function atMost(confidence: Confidence, ceiling: Ceiling): Confidence {
  const highest = ceiling === 'none' ? 'unknown' : ceiling
  return compareConfidence(confidence, highest) > 0 ? highest : confidence
}
