/** All clocks at one moment, and whether anybody vouches for the one on the wall. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../transports/clock.js'
import type { Reading } from './reading.js'

export type ClockSnapshot = Readonly<{
  /** RFC 3339 with milliseconds. */
  wall: string
  monoMs: number
  /** Counts suspended time. */
  bootMs: number
  bootId: string
  /** `null` where the host does not say. */
  synchronised: boolean | null
}>

export const clock: Reading = {
  name: 'clock',
  read: ({ clock, runRoot }) => readClock(clock, runRoot),
}

export async function readClock(clock: Clock, runRoot = '/run'): Promise<ClockSnapshot> {
  // Asked first, so that the clocks are as fresh as can be.
  const synchronised = await readSynchronised(runRoot)
  const { wallMs, monoMs, bootMs } = clock.now()
  return {
    wall: new Date(wallMs).toISOString(),
    monoMs: Math.round(monoMs),
    bootMs: Math.round(bootMs),
    bootId: clock.bootId,
    synchronised,
  }
}

/**
 * From the files that systemd-timesyncd leaves. Beside chrony its silence means nothing, and chrony itself answers
 * only over its own protocol, so then nobody knows.
 */
export async function readSynchronised(runRoot = '/run'): Promise<boolean | null> {
  const [synchronized, timesync, chrony] = await Promise.all(
    ['systemd/timesync/synchronized', 'systemd/timesync', 'chrony'].map(path => exists(join(runRoot, path))),
  )
  if (synchronized) return true
  return timesync && !chrony ? false : null
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return false
    throw error
  }
}
