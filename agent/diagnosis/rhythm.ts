/** What repeats itself: sessions as long as one another, and losses at the same time of day. A chance does not keep time. */
import type { ClosedEvent } from '../../transports/wire-event.js'
import type { Ending, Evidence, PastSession } from '../evidence/episode.js'
import { duration } from './words.js'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Two may be alike by chance. */
const runMin = 3

/** Sessions that a timer ends differ by what opening and closing take. */
const apartMs = 30_000
const apartShare = 0.02

/** What comes back sooner is no timer of a token or of a day, and has rules of its own. */
const lengthMinMs = 2 * minuteMs

/** By default a token of the SDK lives for an hour and is renewed after three quarters of it. */
const renewedAfterMs = 45 * minuteMs
const livesMs = 60 * minuteMs

/** Hubs have been seen to close as late as this after the end of a token. */
const closesWithinMs = 10 * minuteMs

/** @returns the newest sessions in a row that ended alike after the same time, oldest first; none where they are fewer than three */
export function equalRun(history: readonly PastSession[]): readonly PastSession[] {
  const newest = history.at(-1)
  if (newest === undefined || newest.lastedMs < lengthMinMs) return []
  const mayDifferMs = Math.max(apartMs, newest.lastedMs * apartShare)
  const isAlike = ({ lastedMs, closed }: PastSession): boolean =>
    Math.abs(lastedMs - newest.lastedMs) <= mayDifferMs &&
    closed.by === newest.closed.by &&
    closed.how === newest.closed.how
  const run = history.slice(history.findLastIndex(session => !isAlike(session)) + 1)
  return run.length < runMin ? [] : run
}

/** Whether sessions end again and again when a token of the SDK would that nobody has renewed. */
export function endsWithToken(history: readonly PastSession[]): boolean {
  const run = equalRun(history)
  return (
    run.length > 0 &&
    run.every(({ lastedMs }) => lastedMs >= livesMs - minuteMs && lastedMs <= livesMs + closesWithinMs)
  )
}

/** @returns the newest losses in a row that are a day apart, oldest first; none where they are fewer than three */
function dailyRun(history: readonly PastSession[]): readonly PastSession[] {
  const daily: PastSession[] = []
  for (const session of [...history].reverse()) {
    if (isMeant(session.closed)) continue
    const next = daily[0]
    const distanceMs = next === undefined ? dayMs : next.endedMs - session.endedMs
    // Between two of them there may be other losses.
    if (distanceMs < dayMs - closesWithinMs) continue
    if (!(distanceMs <= dayMs + closesWithinMs)) break
    daily.unshift(session)
  }
  return daily.length < runMin ? [] : daily
}

/** Whether a day of the hub, which begins at 00:00 UTC, began among them and was some minutes old at the end. */
export function overMidnight(sessions: readonly PastSession[]): boolean {
  const [first, last] = [sessions[0], sessions.at(-1)]
  if (first === undefined || last === undefined) return false
  return Math.floor(first.endedMs / dayMs) < Math.floor((last.endedMs - closesWithinMs) / dayMs)
}

/** Our own renewals and stops keep time by themselves. */
const isMeant = ({ reason }: ClosedEvent): boolean => reason === 'renewal' || reason === 'shutdown'

/** Sentences for a reader, whatever the verdict is. */
export function tellRhythm(ending: Ending, { history }: Evidence): string[] {
  if (ending.kind !== 'closed' || isMeant(ending.event)) return []
  return [...tellLengths(history), ...tellTimeOfDay(history)]
}

function tellLengths(history: readonly PastSession[]): string[] {
  const run = equalRun(history)
  const length = run.at(-1)?.lastedMs
  if (length === undefined) return []
  const meaning =
    Math.abs(length - renewedAfterMs) <= 2 * minuteMs
      ? ' That is the age at which the SDK renews its token.'
      : endsWithToken(history)
        ? ' That is as long as a token of the SDK lives.'
        : ' What ends them keeps time: a setting, a timer, a lease.'
  return [`The last ${run.length} sessions ended alike after the same time, about ${duration(length)}.${meaning}`]
}

function tellTimeOfDay(history: readonly PastSession[]): string[] {
  const run = dailyRun(history)
  const last = run.at(-1)
  // A broken clock may read what no date can say.
  if (last === undefined || !(Math.abs(last.endedMs) <= 8.64e15)) return []
  const at = new Date(last.endedMs).toISOString().slice(11, 16)
  const fromMidnightMs = Math.min(last.endedMs % dayMs, dayMs - (last.endedMs % dayMs))
  const meaning =
    fromMidnightMs <= closesWithinMs
      ? 'A day of the hub ends then: look for jobs that start at 00:00 UTC, here and in the cloud.'
      : 'Look for what happens then: a router that dials anew, a scheduled job, a time switch.'
  return [`The last ${run.length} days had a loss at this time of day, about ${at} UTC. ${meaning}`]
}
