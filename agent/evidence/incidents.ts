/** Consecutive outages of one cause with sessions under a minute between them are one incident to a person. */
import type { Episode } from './episode.js'

export type Incident = readonly [Episode, ...Episode[]]

export const apartMs = 60_000

/** @param episodes of any connections, ordered by their start; the incidents come in the order of their last episode */
export function incidents(episodes: readonly Episode[]): Incident[] {
  const found: Incident[] = []
  for (const episode of episodes) {
    const before = found.findLastIndex(([{ conn }]) => conn === episode.conn)
    const open = found[before]
    if (open && belongs(open.at(-1), episode)) {
      found.splice(before, 1)
      found.push([...open, episode])
    } else found.push([episode])
  }
  return found
}

const belongs = (last: Episode | undefined, next: Episode): boolean =>
  last?.verdict.cause === next.verdict.cause &&
  !next.planned &&
  next.session !== null &&
  next.session.lastedMs < apartMs
