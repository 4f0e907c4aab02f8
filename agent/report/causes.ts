/** What the episodes of a report come to, counted while they pass. */
import { findCause } from '../diagnosis/catalogue.js'
import type { Family } from '../diagnosis/cause.js'
import { countsAsFault } from '../diagnosis/faults.js'
import type { Confidence, Episode } from '../evidence/episode.js'
import type { CauseSummary, ReportSummary } from './report.js'

/** A bundle is read that a stranger may have made. */
const causesMax = 500

type Counted = {
  newest: Episode
  count: number
  open: number
  awayMs: number
  longestMs: number
  confidence: Partial<Record<Confidence, number>>
}

export class CauseCounts {
  readonly #causes = new Map<string, Counted>()
  episodes = 0

  /** @param toMs the end of the window, until which what is open is counted */
  constructor(private readonly toMs: number) {}

  /** In the order in which they began. */
  add(episode: Episode): void {
    this.episodes += 1
    const { verdict, planned, state } = episode
    const key = `${planned ? 'planned' : 'not'} ${verdict.cause}`
    const before = this.#causes.get(key)
    if (!before && this.#causes.size >= causesMax) return
    const counted = before ?? { newest: episode, count: 0, open: 0, awayMs: 0, longestMs: 0, confidence: {} }
    const awayMs = episode.durationMs ?? Math.max(0, this.toMs - Date.parse(episode.startedAt))
    counted.newest = episode
    counted.count += 1
    counted.open += state === 'open' ? 1 : 0
    counted.awayMs += awayMs
    counted.longestMs = Math.max(counted.longestMs, awayMs)
    counted.confidence[verdict.confidence] = (counted.confidence[verdict.confidence] ?? 0) + 1
    this.#causes.set(key, counted)
  }

  get causes(): readonly CauseSummary[] {
    return [...this.#causes.values()].map(summaryOf).sort((a, b) => b.awayMs - a.awayMs || b.count - a.count)
  }
}

function summaryOf({ newest, confidence, ...counts }: Counted): CauseSummary {
  const { verdict, planned, id, startedAt } = newest
  const { cause, title, nextSteps, docs } = verdict
  const isFault = countsAsFault(newest)
  const about = { cause, title, family: familyOf(cause), planned, isFault }
  return { ...about, ...counts, confidence: { ...confidence }, newestId: id, newestAt: startedAt, nextSteps, docs }
}

/** A cause of a newer release is one that we know nothing of. */
export const familyOf = (cause: string): Family => findCause(cause)?.family ?? 'unknown'

const lengths = [1e3, 10e3, 60e3, 10 * 60e3, 3_600e3, 6 * 3_600e3, 86_400e3, 7 * 86_400e3]

export class SessionLengths {
  readonly #counts = new Array<number>(lengths.length + 1).fill(0)

  add(lastedMs: number): void {
    const at = lengths.findIndex(length => lastedMs < length)
    const place = at === -1 ? lengths.length : at
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
  }

  get all(): ReportSummary['sessionLengths'] {
    return this.#counts.map((count, n) => ({ fromMs: lengths[n - 1] ?? 0, toMs: lengths[n] ?? null, count }))
  }
}
