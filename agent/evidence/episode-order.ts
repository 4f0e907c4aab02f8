/** The episodes of a ring in the order in which they began, however many there are: only their numbers are held. */
import type { ReadOptions } from '../ring/read.js'
import type { Episode } from './episode.js'
import { episodeOf, overlaps, readRecords } from './read.js'

export interface EpisodeOrder {
  readonly count: number
  /**
   * The newest version of each, as it was when the order was made, by when it started. May be asked again.
   *
   * @param missed told at the end how many have gone meanwhile, because the ring is full and its writer goes on
   */
  read(signal?: AbortSignal, missed?: (count: number) => void): AsyncGenerator<Episode>
}

type Options = Pick<ReadOptions, 'signal' | 'disk' | 'fromSeq'>

/** So many are held at once, and so many others are read for nothing before a piece of the ring is left out. */
const together = 256

/**
 * Reads the episodes of the ring once, to know where the newest version of each is.
 *
 * @param window wall times in ms since 1970, both included; selects what overlaps it, by its newest version
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function orderEpisodes(
  dir: string,
  window: Readonly<{ since: number; until: number }>,
  options: Options = {},
): Promise<EpisodeOrder> {
  const newest = new Map<string, Place>()
  for await (const record of readRecords(dir, { ...options, types: ['episode'] })) {
    const episode = episodeOf(record)
    if (!episode || !('seq' in record)) continue
    const startedMs = Date.parse(episode.startedAt)
    newest.set(episode.id, { seq: record.seq, startedMs, isWanted: overlaps(episode, window) })
  }
  // Those that began at the same time are in the order of their first versions.
  const chosen = [...newest.values()].filter(({ isWanted }) => isWanted).sort((a, b) => a.startedMs - b.startedMs)
  const seqs = Float64Array.from(chosen, ({ seq }) => seq)
  const { disk } = options
  return {
    count: seqs.length,
    read: (signal, missed) => inOrder(dir, seqs, { ...(signal && { signal }), ...(disk && { disk }) }, missed),
  }
}

type Place = Readonly<{ seq: number; startedMs: number; isWanted: boolean }>

async function* inOrder(
  dir: string,
  seqs: Float64Array,
  options: Options,
  missed: ((count: number) => void) | undefined,
): AsyncGenerator<Episode> {
  const ranks = ranksOf(seqs)
  let gone = 0
  for (let from = 0; from < seqs.length; from += together) {
    const places = Array.from(seqs.subarray(from, from + together), (seq, n) => ({ seq, rank: ranks[from + n] ?? 0 }))
    const found = new Map<number, Episode>()
    for (const stretch of stretchesOf(places)) await readInto(found, dir, stretch, options)
    gone += places.length - found.size
    for (const { seq } of places) {
      const episode = found.get(seq)
      if (episode) yield episode
    }
  }
  if (gone > 0) missed?.(gone)
}

/** For each number, how many are smaller. */
function ranksOf(seqs: Float64Array): Uint32Array {
  const ranks = new Uint32Array(seqs.length)
  const ascending = Uint32Array.from(seqs, (_, n) => n).sort((a, b) => (seqs[a] ?? 0) - (seqs[b] ?? 0))
  for (const [rank, n] of ascending.entries()) ranks[n] = rank
  return ranks
}

/**
 * Which numbers are read in one go: an outage that lasted as long as hundreds of another connection's is written far from those
 * that it began with.
 */
function stretchesOf(places: readonly Readonly<{ seq: number; rank: number }>[]): number[][] {
  const stretches: number[][] = []
  let before = Number.NEGATIVE_INFINITY
  for (const { seq, rank } of [...places].sort((a, b) => a.rank - b.rank)) {
    if (rank - before > together) stretches.push([])
    stretches.at(-1)?.push(seq)
    before = rank
  }
  return stretches
}

async function readInto(
  found: Map<number, Episode>,
  dir: string,
  ascending: readonly number[],
  options: Options,
): Promise<void> {
  const wanted = new Set(ascending)
  const lastSeq = ascending.at(-1) ?? 0
  const from = { fromSeq: ascending[0] ?? 1, types: ['episode'] as const }
  for await (const record of readRecords(dir, { ...options, ...from })) {
    if (!('seq' in record)) continue
    const episode = wanted.has(record.seq) ? episodeOf(record) : null
    if (episode) found.set(record.seq, episode)
    if (record.seq >= lastSeq) return
  }
}
