/**
 * A hub that ends the session soon after it was asked for something does not want that: a hub of the Basic tier has no twins, one
 * whose quota is used up takes no messages. It is asked again after a while, and later each time.
 */

export interface Blame {
  /** The hub is asked for it now. */
  asked(): void
  /** The session has ended. @returns for how long nothing is to be asked */
  ended(): number
  quietMs(): number
}

const soonMs = 5_000
/** One may be chance. */
const blamesMin = 2
const firstQuietMs = 600_000
const quietMsMax = 86_400_000

export function createBlame(nowMs: () => number): Blame {
  let askedMs: number | null = null
  let blames = 0
  let quietUntilMs = 0
  const quietMs = (): number => Math.max(0, quietUntilMs - nowMs())

  return {
    asked() {
      askedMs = nowMs()
    },
    ended() {
      if (askedMs === null) return 0
      blames = nowMs() - askedMs < soonMs ? blames + 1 : 0
      askedMs = null
      if (blames >= blamesMin) quietUntilMs = nowMs() + Math.min(firstQuietMs * 2 ** (blames - blamesMin), quietMsMax)
      return blames >= blamesMin ? quietMs() : 0
    },
    quietMs,
  }
}
