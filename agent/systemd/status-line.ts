/** The one line that `systemctl status` shows of the daemon. */
import type { ConnectionState } from '../pipeline.js'

export function serviceStatus(connection: ConnectionState | null): string {
  if (connection === null) return 'starting'
  const { state, protocol, since, episode, lastEpisode } = connection
  if (state === 'online') {
    const last = lastEpisode ? `; the last outage: ${lastEpisode.verdict.title}` : ''
    return `online over ${protocol} since ${since}${last}`
  }
  return `offline since ${since}${episode ? `: ${episode.verdict.title} (${episode.verdict.confidence})` : ''}`
}
