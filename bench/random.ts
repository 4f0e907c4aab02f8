/** Chance that can be had again: the same seed gives the same throws on every machine (mulberry32). */
export function random(seed: number) {
  let state = seed >>> 0
  /** 0 and more, below 1. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    chance: (probability: number): boolean => next() < probability,
    between: (low: number, high: number): number => low + next() * (high - low),
    /** 0 and more, below the limit. */
    whole: (limit: number): number => Math.floor(next() * limit),
    pick: <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!,
    hex: (digits: number): string =>
      Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join(''),
  }
}
