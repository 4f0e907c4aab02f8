/** The time around what somebody points at: a mark, or an outage. */
import { episodeOf } from './read.js'
import type { InferredGap, LogRecord } from './record.js'
import type { Window } from './window.js'

const beforeMs = 15 * 60_000
const afterMs = 5 * 60_000

/** The types of which one can have such an id. */
export const pointedAt = ['mark', 'episode'] as const

/**
 * @param id a mark's, or an episode's; the newest of them counts
 * @returns from a quarter of an hour before it until five minutes after its end, `null` where no record has that id
 */
export async function windowAround(
  records: AsyncIterable<LogRecord | InferredGap>,
  id: string,
  nowMs: number,
): Promise<Window | null> {
  let found: Readonly<{ fromMs: number; toMs: number }> | null = null
  for await (const record of records) {
    if (record.type === 'mark' && record.data.id === id) {
      const atMs = Date.parse(record.at)
      found = { fromMs: atMs, toMs: atMs }
    }
    const episode = record.type === 'episode' ? episodeOf(record) : null
    if (episode?.id !== id) continue
    const { startedAt, endedAt } = episode
    found = { fromMs: Date.parse(startedAt), toMs: endedAt === null ? nowMs : Date.parse(endedAt) }
  }
  return found && { since: found.fromMs - beforeMs, until: found.toMs + afterMs }
}
