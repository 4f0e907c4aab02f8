/** The outages of the daemon's own connection in this run, counted for whoever looks at the twin. */
import type { Episode } from '../evidence/episode.js'

export type LastOutage = Readonly<{
  id: string
  cause: string
  confidence: string
  startedAt: string
  endedAt: string
  durationSeconds: number
}>

export type Tally = Readonly<{
  /** RFC 3339: the end of the last outage, or the first session of this run. Planned renewals do not count. */
  since: string | null
  countedSince: string
  outages: number
  awayMs: number
  lastOutage: LastOutage | null
  /** By cause; those that were the last verdict of an outage most recently. */
  lastVerdicts: Readonly<Record<string, Readonly<{ confidence: string; at: string; count: number }>>>
}>

const verdictsMax = 5

export const emptyTally = (countedSince: string): Tally => ({
  since: null,
  countedSince,
  outages: 0,
  awayMs: 0,
  lastOutage: null,
  lastVerdicts: {},
})

/** @param at when the session began, RFC 3339 */
export const accepted = (tally: Tally, at: string): Tally => (tally.since === null ? { ...tally, since: at } : tally)

/** Only what is over and was not planned counts. */
export function counted(tally: Tally, episode: Episode): Tally {
  const { id, state, planned, startedAt, endedAt, durationMs, verdict } = episode
  if (state !== 'closed' || planned || endedAt === null) return tally
  const { cause, confidence } = verdict
  const count = (tally.lastVerdicts[cause]?.count ?? 0) + 1
  const verdicts = Object.entries({ ...tally.lastVerdicts, [cause]: { confidence, at: endedAt, count } })
    .sort(([, a], [, b]) => b.at.localeCompare(a.at))
    .slice(0, verdictsMax)
  return {
    ...tally,
    since: endedAt,
    outages: tally.outages + 1,
    awayMs: tally.awayMs + (durationMs ?? 0),
    lastOutage: { id, cause, confidence, startedAt, endedAt, durationSeconds: Math.round((durationMs ?? 0) / 1e3) },
    lastVerdicts: Object.fromEntries(verdicts),
  }
}
