/** How much a caller may ask for: a script that loops must not fill the storage, nor keep this device busy. */

export interface Admission {
  /** Whether one more may be accepted now. */
  mayAccept(nowMs: number): boolean
  /** Counts one that was. Refusals count nothing. */
  accepted(nowMs: number): void
}

const acceptedMax = 10
const windowMs = 60_000

export function createAdmission(): Admission {
  let times: readonly number[] = []
  // A clock that was set back makes old entries look like future ones; they must not block for longer than a minute.
  const recent = (nowMs: number): readonly number[] => times.filter(ms => Math.abs(nowMs - ms) < windowMs)

  return {
    mayAccept: nowMs => recent(nowMs).length < acceptedMax,
    accepted: nowMs => {
      times = [...recent(nowMs), nowMs]
    },
  }
}

/** How many may be inside at once. */
export interface Gate {
  /** Whether there is room; who was let in has to leave. */
  enter(): boolean
  leave(): void
}

export function createGate(insideMax: number): Gate {
  let inside = 0
  return {
    enter() {
      if (inside >= insideMax) return false
      inside += 1
      return true
    },
    leave() {
      inside -= 1
    },
  }
}
