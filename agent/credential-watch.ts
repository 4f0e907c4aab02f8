/** What about the credential is worth telling before it becomes an outage: it ends soon, has ended, or cannot be read. */
import type { Clock } from '../transports/clock.js'
import type { Identity } from '../transports/identity.js'
import type { WireEvent } from '../transports/wire-event.js'
import type { FoundCondition } from './conditions.js'

/** What is known of it now. */
export type CredentialState = Readonly<{
  identity: Pick<Identity, 'kind' | 'expiresAt' | 'warnings'> | null
  /** Since when, RFC 3339, this identity, or that there is none. */
  since: string
  /** Why we do not know who we are; `null` when we do. */
  unknown: string | null
}>

export interface CredentialWatch {
  found(identity: Identity): void
  heard(event: WireEvent): void
  state(): CredentialState
}

const day = 86_400_000

/** A certificate is renewed by people or by a service that may have stopped; a token by a program, every hour. */
const noticeMs = 30 * day

/** @param changed told when there may be another condition than before */
export function watchCredential(clock: Clock, changed: () => void): CredentialWatch {
  const nowMs = (): number => clock.now().wallMs
  let state: CredentialState = { identity: null, since: isoTime(nowMs()), unknown: null }
  const change = (next: CredentialState): void => {
    state = next
    changed()
  }

  return {
    found: ({ kind, expiresAt, warnings }) => {
      const known = state.identity
      const same = known?.expiresAt === expiresAt && known.kind === kind && state.unknown === null
      const since = same ? state.since : isoTime(nowMs())
      change({ identity: { kind, expiresAt, warnings }, since, unknown: null })
    },
    heard: event => {
      if (event.type !== 'sdkError' || event.during !== 'identify') return
      const since = state.unknown === null ? isoTime(nowMs()) : state.since
      change({ ...state, since, unknown: event.error.message })
    },
    state: () => state,
  }
}

/** Lasting conditions of the credential. By a clock that cannot be right nothing has ended, nor is about to. */
export function credentialConditions({ identity, since, unknown }: CredentialState, nowMs: number): FoundCondition[] {
  const found: FoundCondition[] = []
  if (unknown !== null) {
    found.push({
      code: 'credential-unavailable',
      since,
      severity: 'error',
      text: `who we are is not known: ${unknown}`,
      dependsOn: [],
    })
  }
  if (identity === null) return found
  const { kind, expiresAt, warnings } = identity
  const what = kind === 'x509' ? 'client certificate' : 'SAS token'
  const leftMs = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - nowMs
  if (leftMs <= 0) {
    const text = `the ${what} ended at ${expiresAt}: the hub will refuse it, unless our clock is wrong`
    found.push({
      code: 'credential-expired',
      since: expiresAt ?? since,
      severity: 'error',
      text,
      dependsOn: byTheClock,
    })
  } else if (kind === 'x509' && leftMs <= noticeMs) {
    const days = Math.floor(leftMs / day)
    const text = `the ${what} ends in ${days === 1 ? '1 day' : `${days} days`}, at ${expiresAt}`
    const noticedAt = isoTime(Date.parse(expiresAt ?? since) - noticeMs)
    found.push({ code: 'credential-expiring', since: noticedAt, severity: 'warning', text, dependsOn: byTheClock })
  }
  if (warnings.length > 0) {
    found.push({ code: 'credential-doubtful', since, severity: 'warning', text: warnings.join('; '), dependsOn: [] })
  }
  return found
}

const byTheClock = ['clock-impossible'] as const

const isoTime = (ms: number): string => new Date(ms).toISOString()
