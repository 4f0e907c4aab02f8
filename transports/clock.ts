/** Time, read three ways: wall time lies, monotonic time skips suspend, boot time does neither. */
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

export type Instant = Readonly<{
  wallMs: number
  /** CLOCK_MONOTONIC. Does not count suspended time. */
  monoMs: number
  /** Counts suspended time. Durations of sessions and episodes are differences of this one. */
  bootMs: number
}>

export interface Clock {
  now(): Instant
  /** Changes at every boot; `unknown` where /proc does not say. */
  readonly bootId: string
}

/** A smaller difference is the grain of /proc/uptime (10 ms) and not a suspended host. */
const suspendGrainMs = 200

/** How long an offset is trusted before /proc/uptime is read again. */
const offsetFreshMs = 1_000

export function systemClock(): Clock {
  let offsetMs = 0
  let readAtMs = Number.NEGATIVE_INFINITY

  const now = (): Instant => {
    const monoMs = Math.round(Number(process.hrtime.bigint()) / 1e3) / 1e3
    if (monoMs - readAtMs >= offsetFreshMs) {
      const foundMs = uptime() * 1e3 - monoMs
      if (Math.abs(foundMs - offsetMs) > suspendGrainMs) offsetMs = foundMs
      readAtMs = monoMs
    }
    return { wallMs: Date.now(), monoMs, bootMs: monoMs + offsetMs }
  }
  return { now, bootId: readBootId() }
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch (error) {
    if (error instanceof Error) return 'unknown'
    throw error
  }
}
