/** What is known of an application's connection when this run hears of it for the first time. Pure. */
import type { Instant } from '../../transports/clock.js'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import type { Memory } from '../evidence/read.js'
import { remember } from '../evidence/remember.js'
import type { Remembered } from '../evidence/tracker.js'

export type Present = Readonly<{ conn: string; protocol: Protocol; now: Instant; bootId: string }>

/**
 * How the run before ended is the daemon's affair and not the application's: only an outage that was open then goes on, with the
 * verdict that it had.
 */
export function rememberApplication(memory: Memory, { conn, ...present }: Present): Remembered {
  const remembered = remember(memory, { conn, credential: conn, ...present })
  const { now } = present
  const at = { wallMs: now.wallMs, bootMs: now.bootMs }
  const before = remembered.before.open
    ? remembered.before
    : ({ ending: { kind: 'start' }, at, session: null, open: null } as const)
  return { ...remembered, application: true, before }
}

/** Whether the ring holds this event of a session already: the run before wrote it down, and the session goes on. */
export const isRecorded = (
  { openSessions }: Memory,
  conn: string,
  bootId: string,
  events: readonly WireEvent[],
): boolean =>
  openSessions.some(record => {
    const accepted = events.find(({ type }) => type === 'accepted')
    return (
      accepted !== undefined &&
      record.conn === conn &&
      record.bootId === bootId &&
      record.data.attempt === accepted.attempt &&
      Math.abs(Number(record.data.monoMs) - accepted.monoMs) < 1
    )
  })
