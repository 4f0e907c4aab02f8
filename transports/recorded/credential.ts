/** What an application signs in with, as far as the SDK's object for it shows without being asked for a secret. */
import { isoTime } from '../iso-time.js'
import type { Destination } from './attempt.js'

/** The SDK's providers: one with a token of somebody else's takes new ones, one with a key makes them and can be stopped. */
type Provider = Readonly<{
  type?: unknown
  stop?: unknown
  updateSharedAccessSignature?: unknown
  _credentials?: Readonly<{ sharedAccessSignature?: unknown; gatewayHostName?: unknown }>
}>

export function credentialOf(authentication: unknown): Destination['credential'] {
  const provider = providerOf(authentication)
  if (typeof provider.updateSharedAccessSignature === 'function') return { kind: 'sas', expiresAt: expiryOf(provider) }
  return { kind: typeof provider.stop === 'function' ? 'key' : 'x509', expiresAt: null }
}

export const hasGateway = (authentication: unknown): boolean =>
  typeof providerOf(authentication)._credentials?.gatewayHostName === 'string'

const providerOf = (authentication: unknown): Provider =>
  typeof authentication === 'object' && authentication !== null ? authentication : {}

function expiryOf({ _credentials }: Provider): string | null {
  const token = _credentials?.sharedAccessSignature
  const seconds = typeof token === 'string' ? Number(/(?:^|[ &])se=(\d{1,11})(?:&|$)/.exec(token)?.[1]) : Number.NaN
  return Number.isFinite(seconds) ? isoTime(seconds * 1e3) : null
}
