/**
 * One bundle around each long outage, when the device is back: what explains it is in there before anybody asks. It is kept until it
 * is taken on, over restarts too, and at most so many are in a day.
 */
import * as v from 'valibot'
import type { Episode } from './evidence/episode.js'
import { keptFile } from './kept-file.js'
import { timer } from './timer.js'
import type { Request } from './upload/task.js'

export type AfterOutageOptions = Readonly<{
  /** after-outage.json */
  path: string
  /** Of outages that last shorter, none. */
  leastMs: number
  /** Rejects while it cannot be taken on; then it is tried again. */
  accept(request: Request): Promise<unknown>
  /** Whether a task that was asked for by this exists. */
  isAsked(trigger: string): boolean
  /** Wall time. */
  nowMs(): number
  note(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, error?: unknown): void
  /** In place of the real timer. */
  after?: (delayMs: number, act: () => Promise<void>) => () => void
}>

export interface AfterOutage {
  /** Each verdict of the daemon's own connection. */
  told(episode: Episode): void
  /** Stops the timer, and leaves the rest to the next start. Resolves when what is known is on disk. */
  close(): Promise<void>
}

/** What comes after the return belongs to it: verbose records of ten seconds are written down then. */
const settleMs = 20_000
const retryMs = 60_000

const beforeMs = 15 * 60_000
const afterMs = 5 * 60_000

export const perDayMax = 4
const dayMs = 86_400_000

const outage = v.object({ id: v.string(), startedMs: v.number(), endedMs: v.number() })
const kept = v.object({
  version: v.literal(1),
  /** The one that waits to be taken on. */
  waiting: v.nullable(outage),
  /** Of the last day, oldest first. */
  taken: v.array(v.object({ id: v.string(), atMs: v.number() })),
})

type Kept = v.InferOutput<typeof kept>

export function createAfterOutage(options: AfterOutageOptions): AfterOutage {
  const { path, leastMs, accept, isAsked, nowMs, note, warn, after = timer } = options
  const file = keptFile({
    path,
    schema: kept,
    unread: 'after-outage.json cannot be read: a bundle after an outage may be made again',
    unwritten: 'which outages were uploaded cannot be kept over a restart',
    warn,
  })
  let state: Kept = file.read() ?? { version: 1, waiting: null, taken: [] }
  let wake = (): void => undefined
  let isBusy = false

  const keep = (next: Kept): Promise<void> => {
    state = next
    return file.keep(next)
  }
  const arm = (delayMs: number): void => {
    wake()
    wake = after(delayMs, attempt)
  }
  /** A clock that was set back makes old entries look like future ones; they must not count for longer than a day. */
  const recent = (): Kept['taken'] => state.taken.filter(({ atMs }) => Math.abs(nowMs() - atMs) < dayMs)

  const attempt = async (): Promise<void> => {
    const { waiting } = state
    if (waiting === null || isBusy) return
    isBusy = true
    const { id, startedMs, endedMs } = waiting
    try {
      const trigger = triggerOf(id)
      if (!isAsked(trigger)) {
        await accept({
          window: { since: startedMs - beforeMs, until: Math.min(endedMs + afterMs, nowMs()) },
          requestedBy: 'upload.afterOutageMinutes',
          why: `after outage ${id}`,
          trigger,
        })
      }
      const taken = [...recent(), { id, atMs: nowMs() }]
      await keep({ ...state, waiting: state.waiting?.id === id ? null : state.waiting, taken })
    } catch (error) {
      note('the bundle after an outage waits', { episode: id, because: error instanceof Error ? error.message : error })
    } finally {
      isBusy = false
    }
    if (state.waiting !== null) arm(retryMs)
  }

  if (state.waiting !== null) arm(settleMs)

  return {
    told({ id, state: phase, planned, startedAt, endedAt, durationMs }) {
      if (phase !== 'closed' || planned || endedAt === null || (durationMs ?? 0) < leastMs) return
      if (state.waiting?.id === id || state.taken.some(each => each.id === id)) return
      if (recent().length >= perDayMax) {
        note(`no bundle after this outage: ${perDayMax} were taken on within a day`, { episode: id })
        return
      }
      if (state.waiting !== null)
        note('no bundle after an outage: a newer one takes its turn', { episode: state.waiting.id })
      void keep({ ...state, waiting: { id, startedMs: Date.parse(startedAt), endedMs: Date.parse(endedAt) } })
      arm(settleMs)
    },
    close() {
      wake()
      return file.settled()
    },
  }
}

const triggerOf = (id: string): string => `outage:${id}`
