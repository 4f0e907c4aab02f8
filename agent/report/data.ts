/** Makes a report of records and episodes, piece by piece: how much of it is held at once does not depend on how long it is. */
import type { Episode } from '../evidence/episode.js'
import { type InferredGap, type LogRecord, levels } from '../evidence/record.js'
import { CauseCounts, SessionLengths } from './causes.js'
import { Plotted } from './plots.js'
import type { ReportHead, ReportPiece, ReportSummary, TimelineItem } from './report.js'
import { EpisodeSpans } from './spans.js'
import { isOfUse, Timeline } from './timeline.js'

type AnyRecord = LogRecord | InferredGap

export type ReportSource = Readonly<{
  head: ReportHead
  /** In the order in which they began. */
  episodes(): AsyncIterable<Episode>
  /** How many of them could not be had; asked when all are told. */
  episodesGone(): number
  /** All of the window, oldest first. */
  records(): AsyncIterable<AnyRecord>
  /** Plain data without what must not leave the device: whatever goes into the report goes through here. */
  redacted<T>(value: T): T
}>

/** So many are redacted in one turn of the loop, which has other things to do: on a small device each takes a millisecond. */
const episodesTogether = 4
const recordsTogether = 16

/** @throws what the source throws, after a summary that says so: what came before is a whole report all the same */
export async function* reportData(source: ReportSource): AsyncGenerator<ReportPiece> {
  const { head, redacted } = source
  yield { section: 'head', value: redacted(head) }
  const toMs = Date.parse(head.window.to)
  const causes = new CauseCounts(toMs)
  const spans = new EpisodeSpans()
  const timeline = new Timeline((conn, atMs) => spans.at(conn, atMs))
  const plotted = new Plotted()
  const counts = new Counts()
  const failures: unknown[] = []

  try {
    for await (const episodes of together(source.episodes(), episodesTogether)) {
      const rows = episodes.map(redacted)
      for (const episode of rows) {
        causes.add(episode)
        spans.add(episode)
      }
      yield { section: 'episodes', rows }
    }
  } catch (error) {
    failures.push(error)
  }

  try {
    for await (const records of together(source.records(), recordsTogether)) {
      const rows = records.flatMap(record => {
        counts.record(record)
        if (!isOfUse(record)) return []
        const clean = redacted(record)
        plotted.add(clean)
        return timeline.add(clean)
      })
      counts.items(rows)
      yield { section: 'timeline', rows }
    }
  } catch (error) {
    failures.push(error)
  }
  const rest = timeline.end(toMs)
  counts.items(rest)
  yield { section: 'timeline', rows: rest }

  yield { section: 'series', rows: plotted.all.map(readings => readings.series()) }
  yield { section: 'points', rows: [] }
  for (const readings of plotted.all) for (const row of readings.points()) yield { section: 'points', rows: [row] }

  const incomplete = failures.length === 0 ? null : redacted(String(failures[0]))
  const others = { episodesGone: source.episodesGone(), seriesLeftOut: plotted.leftOut }
  yield { section: 'summary', value: { incomplete, ...counts.summary(causes, others) } }
  if (failures.length > 0) throw failures[0]
}

/** What is counted while records and items pass. */
class Counts {
  readonly #lengths = new SessionLengths()
  #covered: ReportSummary['covered'] = null
  #sessions = 0
  #gaps = 0
  #recordsMissing = 0

  record({ at, level }: AnyRecord): void {
    // What was written down later than it happened stands behind records that are newer.
    if (level > levels.trace) this.#covered = { from: this.#covered?.from ?? at, to: at }
  }

  items(items: readonly TimelineItem[]): void {
    for (const item of items) {
      if (item.kind === 'session') {
        this.#sessions += 1
        if (item.endedAt !== null) this.#lengths.add(item.lastedMs)
      }
      if (item.kind !== 'gap') continue
      this.#gaps += 1
      this.#recordsMissing += item.count
    }
  }

  summary(
    { causes, episodes }: CauseCounts,
    others: Pick<ReportSummary['totals'], 'episodesGone' | 'seriesLeftOut'>,
  ): Omit<ReportSummary, 'incomplete'> {
    const faults = causes.filter(({ isFault }) => isFault)
    const planned = causes.filter(cause => cause.planned)
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
    return {
      covered: this.#covered,
      causes,
      sessionLengths: this.#lengths.all,
      totals: {
        episodes,
        faults: sum(faults.map(({ count }) => count)),
        planned: sum(planned.map(({ count }) => count)),
        awayMs: sum(faults.map(({ awayMs }) => awayMs)),
        sessions: this.#sessions,
        gaps: this.#gaps,
        recordsMissing: this.#recordsMissing,
        ...others,
      },
    }
  }
}

/** What was gathered before a failure comes before it. */
async function* together<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<readonly T[]> {
  let gathered: T[] = []
  try {
    for await (const item of items) {
      gathered.push(item)
      if (gathered.length < count) continue
      yield gathered
      gathered = []
    }
  } catch (error) {
    yield gathered
    throw error
  }
  yield gathered
}
