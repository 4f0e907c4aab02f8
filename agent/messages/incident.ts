/** When an incident is over, and what is said of it. Pure. */
import type { Episode } from '../evidence/episode.js'
import { apartMs, incidents } from '../evidence/incidents.js'

/** The outages of an incident that may go on. */
export type OpenIncident = readonly [Episode, ...Episode[]]

export type Told = Readonly<{ open: OpenIncident | null; over: readonly OpenIncident[] }>

/** @param episode one that is over and was not planned */
export function withEpisode(open: OpenIncident | null, episode: Episode): Told {
  const rest = open?.filter(({ id }) => id !== episode.id) ?? []
  const found = incidents([...rest, episode]) as OpenIncident[]
  return { open: found.at(-1) ?? null, over: found.slice(0, -1) }
}

/** How long a session has to last after the last outage for the incident to be over. */
export const calmMs = apartMs

/** At most 512 bytes: in IoT Hub's free tier a message is counted by half kilobytes. */
export function bodyOf(incident: OpenIncident): string {
  const [first] = incident
  const last = incident.at(-1) ?? first
  const { cause, confidence } = last.verdict
  return JSON.stringify({
    kind: 'incident',
    id: first.id,
    cause,
    confidence,
    protocol: last.protocol,
    startedAt: first.startedAt,
    endedAt: last.endedAt,
    outages: incident.length,
    awaySeconds: Math.round(incident.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0) / 1e3),
    attempts: incident.reduce((sum, { attempts }) => sum + attempts, 0),
  })
}
