/** Shared access signatures: making them, and checking them as IoT Hub does. */

import { createHmac, timingSafeEqual } from 'node:crypto'

export type SasToken = Readonly<{
  /** As it stood in the token, still encoded: the signature is over this text. */
  encodedResource: string
  resource: string
  signature: string
  expiresAtMs: number
  policy: string | null
}>

/** IoT Hub lets a token live a little longer, because clocks differ. */
export const clockGraceMs = 5 * 60_000

/** @param key base64 */
export function signSas(resource: string, key: string, expiresAtSeconds: number, policy?: string): string {
  const encoded = encodeURIComponent(resource)
  const signature = encodeURIComponent(hmac(key, `${encoded}\n${expiresAtSeconds}`).toString('base64'))
  const skn = policy === undefined ? '' : `&skn=${encodeURIComponent(policy)}`
  return `SharedAccessSignature sr=${encoded}&sig=${signature}&se=${expiresAtSeconds}${skn}`
}

/** @returns `null` when it is no token at all */
export function parseSas(text: string): SasToken | null {
  const scheme = 'SharedAccessSignature '
  if (!text.startsWith(scheme)) return null
  const raw = new Map(
    text
      .slice(scheme.length)
      .split('&')
      .map(pair => {
        const at = pair.indexOf('=')
        return [pair.slice(0, at), pair.slice(at + 1)] as const
      }),
  )
  const encodedResource = raw.get('sr')
  const [resource, signature, policy] = ['sr', 'sig', 'skn'].map(name => decode(raw.get(name)))
  const se = raw.get('se') ?? ''
  if (!encodedResource || !resource || !signature || !/^\d+$/.test(se)) return null
  return { encodedResource, resource, signature, expiresAtMs: Number(se) * 1000, policy: policy ?? null }
}

const decode = (text: string | undefined): string | null => {
  try {
    return text === undefined ? null : decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

/** @returns what is wrong with it, or `null` */
export function faultOfSas(token: SasToken, key: string, nowMs = Date.now()): string | null {
  const expected = hmac(key, `${token.encodedResource}\n${token.expiresAtMs / 1000}`)
  const given = Buffer.from(token.signature, 'base64')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'the signature is wrong'
  if (token.expiresAtMs + clockGraceMs < nowMs) return 'the token has expired'
  return null
}

/** Host names are compared without port and case, what follows exactly. */
export function sameResource(given: string, expected: string): boolean {
  const [givenHost, givenPath] = splitHost(given)
  const [expectedHost, expectedPath] = splitHost(expected)
  return givenHost === expectedHost && givenPath === expectedPath
}

const splitHost = (resource: string): [string, string] => {
  const slash = resource.indexOf('/')
  const host = slash < 0 ? resource : resource.slice(0, slash)
  return [bareHost(host), slash < 0 ? '' : resource.slice(slash)]
}

/** `HUB.azure-devices.net:8883` -> `hub.azure-devices.net` */
export const bareHost = (host: string): string => host.replace(/:\d+$/, '').toLowerCase()

const hmac = (key: string, text: string): Buffer =>
  createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest()
