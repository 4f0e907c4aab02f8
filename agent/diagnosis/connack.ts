/** What the hub's answer to the sign-in says, where it answered at all. */
import type { Evidence, FailedAttempt } from '../evidence/episode.js'
import { speaksMqtt } from './wire-facts.js'
import { dialled } from './words.js'

/** CONNACK's return code of an attempt over MQTT that was refused. */
export const connackOf = (attempt: FailedAttempt, evidence: Evidence): number | null =>
  attempt.outcome === 'refused' && speaksMqtt(evidence) ? attempt.code : null

/** The sentence for CONNACK 4 (bad user name or password) and 5 (not authorized), which a hub uses alike; else `null`. */
export function refusedCredential(attempt: FailedAttempt, evidence: Evidence): string | null {
  const code = connackOf(attempt, evidence)
  return code === 4 || code === 5
    ? `${dialled(attempt)} answered the sign-in and refused it with CONNACK ${code}.`
    : null
}
