/** A ready-made SAS token, read as far as we need it: for whom it is, and until when. The SDK parses it. */
import sdk from 'azure-iot-common'
import type { Name } from './identity.js'

export type Token = Readonly<{
  text: string
  /** What it is for, decoded: `hub/devices/id[/modules/id]`. */
  resource: string
  /** Whether it is of one of the hub's policies, which may stand for many devices. */
  policy: boolean
  expiresMs: number
}>

const shape = 'SharedAccessSignature sr=...&sig=...&se=...'

/** @returns what is wrong with it otherwise, without any part of it */
export function readToken(text: string): { token: Token } | { problem: string } {
  try {
    const parsed = sdk.SharedAccessSignature.parse(text, ['sr', 'sig', 'se']) as unknown as Record<string, string>
    const { sr = '', sig = '', se = '', skn } = parsed
    // What cannot be decoded is no token: the tap decodes it too, where nothing may throw.
    decodeURIComponent(sig)
    const expiresMs = Number(se) * 1e3
    if (!/^\d{1,11}$/.test(String(se))) return { problem: `found a time (se) that is no number; expected ${shape}` }
    return { token: { text, resource: decodeURIComponent(sr), policy: skn !== undefined, expiresMs } }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { problem: `found something that is no SAS token; expected ${shape}` }
  }
}

/** The names in a token of one device or module; `null` for one of a policy. */
export function namesIn({ resource }: Token): { host: string; deviceId: string; moduleId: string | undefined } | null {
  const [host = '', devices, deviceId, modules, moduleId, ...rest] = resource.split('/')
  if (devices !== 'devices' || !deviceId || rest.length > 0) return null
  if (modules !== undefined && (modules !== 'modules' || !moduleId)) return null
  return { host, deviceId, moduleId }
}

/** @returns what the token is for, where that is not who we are */
export function mismatch({ resource, policy }: Token, { hub, deviceId, moduleId }: Name): string | null {
  const path = `/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`
  const slash = resource.indexOf('/')
  const host = (slash < 0 ? resource : resource.slice(0, slash)).replace(/:\d+$/, '').toLowerCase()
  const given = slash < 0 ? '' : resource.slice(slash)
  const sameHost = host === hub.host.toLowerCase()
  if (sameHost && (given === path || (policy && `${path}/`.startsWith(`${given}/`)))) return null
  return `found a token for ${JSON.stringify(resource.slice(0, 300))}; expected one for ${JSON.stringify(hub.host + path)}`
}
