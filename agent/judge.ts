/** An episode's facts and what is known around them become the episode as it is recorded, live and when it is replayed. */
import { diagnose } from './diagnosis/diagnose.js'
import type { Episode, Evidence } from './evidence/episode.js'
import type { EpisodeFacts } from './evidence/tracker.js'

export function judge({ id, conn, state, provisional, ...facts }: EpisodeFacts, evidence: Evidence): Episode {
  const { verdict, planned } = diagnose(evidence)
  return { id, conn, state, provisional, planned, ...facts, verdict }
}
