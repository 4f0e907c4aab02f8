/** The end of a token is the end of the session that it let in. */

import { clockGraceMs } from './sas.js'

/** The longest that a timer of Node can wait. */
const timerLimitMs = 2 ** 31 - 1

/** A token that had expired already when it was let in lives to the end of its grace. */
export function endAtExpiry(expiresAtMs: number, end: () => void): NodeJS.Timeout {
  const endsAtMs = expiresAtMs > Date.now() ? expiresAtMs + 1_000 : expiresAtMs + clockGraceMs
  return setTimeout(end, Math.min(endsAtMs - Date.now(), timerLimitMs))
}
