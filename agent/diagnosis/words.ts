/** How values read in a sentence of evidence. */
import type { Failure, ServerCertificate } from '../../transports/wire-event.js'
import type { Evidence, FailedAttempt } from '../evidence/episode.js'
import { innermost } from './wire-facts.js'

/** Longer error texts are cut: a sentence of evidence is read on a telephone. */
const textMax = 200

export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'an unknown time'
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Wall time, as far as there is one: a broken clock may read what no date can say. */
export const moment = (wallMs: number): string =>
  Math.abs(wallMs) <= 8.64e15 ? new Date(wallMs).toISOString() : 'an impossible time'

/** Whom the attempt dialled. */
export const dialled = ({ gateway, host, port }: FailedAttempt): string =>
  `${gateway ? 'the gateway ' : ''}${host}:${port}`

/** Where it was dialled: the addresses that errors name, else those the name led to. */
export function addressesOf(attempt: FailedAttempt, error: Failure | null): string {
  const met = innermost(error).flatMap(({ address }) => (address === undefined ? [] : [address]))
  const addresses = met.length > 0 ? met : attempt.addresses.map(address => withPort(address, attempt.port))
  return addresses.length > 0 ? [...new Set(addresses)].join(', ') : dialled(attempt)
}

const withPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** The errors at bottom, as the system said them. */
export function errorText(error: Failure | null): string {
  const texts = innermost(error).map(({ name, code, message }) => {
    const told = message === '' ? name : message
    return code === undefined || told.includes(code) ? told : `${code}: ${told}`
  })
  // OpenSSL ends its texts with a line feed.
  const text = [...new Set(texts)].join('; ').replace(/\s+/g, ' ').trim()
  if (text === '') return 'no error was reported'
  return text.length > textMax ? `${text.slice(0, textMax)}...` : text
}

/** What somebody else said, cut to what a sentence of evidence can hold; nothing for nothing. */
export function quoted(said: string): string {
  const text = said.replace(/\s+/g, ' ').trim()
  if (text === '') return ''
  return ` ("${text.length > textMax ? `${text.slice(0, textMax)}...` : text}")`
}

export function certificateText(certificate: ServerCertificate | null): string {
  if (certificate === null) return 'The certificate that was shown is not known.'
  const { subject, issuer, validFrom, validTo } = certificate
  return `The server showed a certificate for ${subject}, issued by ${issuer}, valid from ${validFrom} to ${validTo}.`
}

export function clockText({ clock }: Evidence): string {
  const state =
    clock.synchronised === null
      ? 'the host does not say whether it is synchronised'
      : clock.synchronised
        ? 'the host says it is synchronised'
        : 'the host says it is not synchronised'
  const doubt = clock.plausible ? '' : ', which cannot be true'
  return `The clock of this device read ${moment(clock.wallMs)}${doubt}; ${state}.`
}

/** `1 attempt`, `3 attempts`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`
