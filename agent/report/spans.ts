/** When the episodes of each connection were, so that what happened at a time finds its episode. */
import type { Episode } from '../evidence/episode.js'

type Spans = { ids: string[]; startedMs: number[]; endedMs: number[] }

export class EpisodeSpans {
  readonly #byConn = new Map<string, Spans>()

  /** In the order in which they began. */
  add({ id, conn, startedAt, endedAt }: Pick<Episode, 'id' | 'conn' | 'startedAt' | 'endedAt'>): void {
    const spans = this.#byConn.get(conn) ?? { ids: [], startedMs: [], endedMs: [] }
    spans.ids.push(id)
    spans.startedMs.push(Date.parse(startedAt))
    spans.endedMs.push(endedAt === null ? Number.POSITIVE_INFINITY : Date.parse(endedAt))
    this.#byConn.set(conn, spans)
  }

  /** @param conn `null` for any */
  at(conn: string | null, atMs: number): string | null {
    const asked = conn === null ? [...this.#byConn.values()] : [this.#byConn.get(conn)]
    for (const spans of asked) {
      const n = spans ? lastAtOrBefore(spans.startedMs, atMs) : -1
      if (spans && n >= 0 && (spans.endedMs[n] ?? 0) >= atMs) return spans.ids[n] ?? null
    }
    return null
  }
}

function lastAtOrBefore(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] ?? 0) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
