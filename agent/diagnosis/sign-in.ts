/** What the hub's answer to the sign-in says, where it answered at all. */
import type { CredentialUsed, Ending, FailedAttempt } from '../evidence/episode.js'
import { type AmqpWord, toldOf, wordOfAttempt, wordOfEnding } from './amqp-words.js'
import { dialled, moment, quoted } from './words.js'

/** CONNACK's return code of an attempt over MQTT that was refused. */
export const connackOf = (attempt: FailedAttempt): number | null =>
  attempt.outcome === 'refused' && attempt.step === 'connack' ? attempt.code : null

/** A put-token that was refused, at the sign-in or in the session when the token was to be renewed. */
export type CbsRefusal = Readonly<{ status: number; said: string; sentence: string }>

export function cbsRefusalOf(attempt: FailedAttempt): CbsRefusal | null {
  const { outcome, step, code, reason } = attempt
  if (outcome !== 'refused' || step !== 'cbs' || code === null) return null
  const sentence = `${dialled(attempt)} answered the put-token with status ${code}${quoted(reason)}.`
  return { status: code, said: reason, sentence }
}

export function cbsRefusalIn(ending: Ending): CbsRefusal | null {
  if (ending.kind !== 'closed' || ending.event.error?.name !== 'CbsError') return null
  const { code, message } = ending.event.error
  const status = Number(code)
  if (!Number.isInteger(status)) return null
  const sentence = `The hub answered the put-token that was to renew the token in the session with status ${status}${quoted(message)}.`
  return { status, said: message, sentence }
}

/** That a credential was refused: the sentence for it, and what the hub said in its own words. */
export type Refusal = Readonly<{ sentence: string; said: string; credential: CredentialUsed | null; endedMs: number }>

const unauthorized = new Set(['amqp:unauthorized-access'])

/** CONNACK 4 (bad user name or password) and 5 (not authorized), which a hub uses alike, CBS 401, or the AMQP condition. */
export function refusedCredential(attempt: FailedAttempt): Refusal | null {
  const { credential, endedMs } = attempt
  const connack = connackOf(attempt)
  if (connack === 4 || connack === 5) {
    const sentence = `${dialled(attempt)} answered the sign-in and refused it with CONNACK ${connack}.`
    return { sentence, said: '', credential, endedMs }
  }
  const cbs = cbsRefusalOf(attempt)
  if (cbs?.status === 401) return { sentence: cbs.sentence, said: cbs.said, credential, endedMs }
  return refusalOf(wordOfAttempt(attempt), credential, endedMs)
}

/** The same for a credential that had been accepted, and no longer was in the session. */
export function withdrawnCredential(ending: Ending): Refusal | null {
  if (ending.kind !== 'closed') return null
  const { credential, endedMs } = ending
  const cbs = cbsRefusalIn(ending)
  if (cbs?.status === 401) return { sentence: cbs.sentence, said: cbs.said, credential, endedMs }
  return refusalOf(wordOfEnding(ending), credential, endedMs)
}

const refusalOf = (word: AmqpWord | null, credential: CredentialUsed | null, endedMs: number): Refusal | null =>
  word !== null && unauthorized.has(word.condition ?? '')
    ? { sentence: toldOf(word), said: word.description ?? '', credential, endedMs }
    : null

/** What the hub's own words say of a refusal, where it used any. Its texts are not documented, so each is only a hint. */
export const saysExpired = (said: string): boolean => /\bexpir(?:ed|y|ation)/i.test(said)
export const saysDisabled = (said: string): boolean => /\bdisabled\b/i.test(said)
export const saysUnknownDevice = (said: string): boolean =>
  /\bdevice\b.*\bnot (?:be )?(?:found|registered|exist)|does not (?:contain|have) the (?:specified )?device|\bDeviceNotFound\b/i.test(
    said,
  )
export const saysBadSignature = (said: string): boolean => /invalid signature|primary or secondary key/i.test(said)

/** When the credential ended, if that was before `atMs`, by the wall clock; `null` where it had not, or nobody knows. */
export function endedBefore(credential: CredentialUsed | null, atMs: number): number | null {
  if (credential === null || credential.expiresAt === null) return null
  const expiresMs = Date.parse(credential.expiresAt)
  return expiresMs <= atMs ? expiresMs : null
}

export const expiryText = (what: string, expiresMs: number, atMs: number): string =>
  `${what} had ended at ${moment(expiresMs)}; this was at ${moment(atMs)}, by the clock of this device.`
