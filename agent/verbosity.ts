/**
 * Raised verbosity: for a while all that is verbose goes into the ring. It always ends: when who asked for it says so, or when its
 * time is over, and neither a restart, a reboot nor a clock that steps makes it longer.
 */
import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { Clock } from '../transports/clock.js'
import { removeIfThere, writeFileDurably } from './durable-file.js'
import { timer } from './timer.js'

export const raisedMs = { default: 10 * 60_000, max: 24 * 3_600_000 } as const

/** `by` is the id of the mark that asked for it; times are RFC 3339 by the wall clock. */
export type Raised = Readonly<{ by: string; since: string; until: string }>

export interface Verbosity {
  /** `null` where nothing is raised. */
  raised(): Raised | null
  /**
   * Raised already, it ends at the later of the two ends, by whoever asked for that one.
   *
   * @param forMs at most `raisedMs.max`
   */
  raise(by: string, forMs: number): Promise<Raised>
  /** Ends it, where it is by this one that it is raised. */
  lower(by: string): Promise<void>
  /** To be called now and then: its time may have passed while the host was suspended. */
  look(): void
  /** Stops the timer, and leaves the rest to the next start. */
  close(): void
}

export type VerbosityOptions = Readonly<{
  /** Keeps it over restarts. */
  path: string
  clock: Clock
  /** Writes the record of its beginning and of its end. */
  say(data: Readonly<Record<string, unknown>>): void
  warn(message: string, error: unknown): void
  /** In place of the real timer. */
  after?: (delayMs: number, act: () => void) => () => void
}>

/** How often what is left is written down, which is what a start without a good clock goes by. */
const keptEveryMs = 60_000

type Kept = v.InferOutput<typeof kept>

const ms = v.pipe(v.number(), v.finite())
const kept = v.object({
  by: v.pipe(v.string(), v.maxLength(100)),
  sinceMs: ms,
  bootId: v.string(),
  /** By the clock of that boot that goes on in suspend. */
  endsBootMs: ms,
  /** When it was written: by the wall clock, and how much was left then. */
  atMs: ms,
  leftMs: v.pipe(ms, v.minValue(0), v.maxValue(raisedMs.max)),
})

export function openVerbosity({ path, clock, say, warn, after = timer }: VerbosityOptions): Verbosity {
  let now: Kept | null = null
  let wake: () => void = () => undefined
  let writing: Promise<void> = Promise.resolve()

  const keep = (): Promise<void> => {
    const text = now && `${JSON.stringify(now)}\n`
    writing = writing
      .then(() => (text === null ? removeIfThere(path) : writeFileDurably(path, text, 0o600)))
      .catch((error: unknown) => warn('how long verbosity is raised cannot be kept over a restart', error))
    return writing
  }
  const leftMs = ({ endsBootMs }: Kept): number => endsBootMs - clock.now().bootMs
  const told = (raised: Kept): Raised => ({
    by: raised.by,
    since: new Date(raised.sinceMs).toISOString(),
    until: new Date(clock.now().wallMs + leftMs(raised)).toISOString(),
  })
  const begin = (by: string, sinceMs: number, forMs: number): Kept => {
    const { wallMs, bootMs } = clock.now()
    now = { by, sinceMs, bootId: clock.bootId, endsBootMs: bootMs + forMs, atMs: wallMs, leftMs: forMs }
    arm()
    return now
  }
  const end = (why: string): Promise<void> => {
    if (now === null) return writing
    say({ note: `verbose records are no longer written into the ring: ${why}`, verbosity: 'lowered', by: now.by })
    now = null
    wake()
    return keep()
  }
  const look = (): void => {
    if (now === null) return
    const left = leftMs(now)
    if (left <= 0) return void end('the time is over')
    if (now.leftMs - left < keptEveryMs) return
    now = { ...now, atMs: clock.now().wallMs, leftMs: left }
    void keep()
  }
  const arm = (): void => {
    wake()
    if (now === null) return
    wake = after(Math.max(1, Math.ceil(Math.min(leftMs(now), keptEveryMs))), () => {
      look()
      arm()
    })
  }

  const before = read(path)
  if (before !== null) {
    const { wallMs, bootMs } = clock.now()
    // A clock that stands before the moment of writing says nothing.
    const passedMs = Math.max(0, wallMs - before.atMs)
    const left = before.bootId === clock.bootId ? before.endsBootMs - bootMs : before.leftMs - passedMs
    begin(before.by, before.sinceMs, Math.min(left, before.leftMs))
    void keep()
    if (left <= 0) void end('its time was over while hubrec was not running')
    else
      say({ note: `verbose records go on into the ring until ${told(now!).until}`, verbosity: 'raised', by: before.by })
  }

  return {
    raised: () => now && told(now),
    async raise(by, forMs) {
      const wanted = Math.min(forMs, raisedMs.max)
      if (now !== null && leftMs(now) >= wanted) return told(now)
      const raised = told(begin(by, now?.sinceMs ?? clock.now().wallMs, wanted))
      say({ note: `verbose records go into the ring until ${raised.until}`, verbosity: 'raised', by })
      await keep()
      return raised
    },
    lower: by => (now?.by === by ? end('who asked for them has what they need') : writing),
    look,
    close: () => wake(),
  }
}

/** What cannot be read raises nothing: the end is what matters. */
function read(path: string): Kept | null {
  try {
    return v.parse(kept, JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
