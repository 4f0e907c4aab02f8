/** How long an upload waits after it failed. */

const firstMs = 1_000
const capMs = 60_000

/**
 * Doubles from 1 s to 60 s; between half of it and all of it, so that devices that failed together do not come back
 * together and none comes back at once.
 *
 * @param failures in a row, from 1
 * @param random in [0, 1)
 */
export function retryDelayMs(failures: number, random: () => number): number {
  const ceilingMs = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 16))
  return Math.round(ceilingMs * (0.5 + random() / 2))
}
