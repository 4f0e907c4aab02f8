/**
 * How much of a campaign runs: a slice of it with every `npm test`, all of it with `npm run test:long`, and the same again from
 * a seed.
 */
import { seedFrom } from './ring-records.js'

export const isLong = process.env.HUBREC_TEST_LONG === '1'

/** @param variable says how many in spite of both */
export const countOf = (variable: string, { slice, long }: Readonly<{ slice: number; long: number }>): number =>
  Number(process.env[variable] ?? (isLong ? long : slice))

/**
 * For every campaign of a file; whoever uses it prints it. A slice is the same each time, so that it tells what a change has
 * done; the whole is another each time, so that it finds what nobody has seen.
 */
export const seed = isLong || process.env.HUBREC_TEST_SEED ? seedFrom('HUBREC_TEST_SEED') : 20_261_125

export const seedSaid = `HUBREC_TEST_SEED=${seed}`

/** 0 to 1, the same for the same seed: a small generator of its own (mulberry32), because what it gives must come again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `from` to `to`, both included. */
export const among = (random: () => number, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1))
