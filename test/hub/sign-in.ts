/** Whether a CONNECT or a put-token is who it says it is: names, registry, signature, expiry. */

import type { IConnectPacket } from 'mqtt-packet'
import { faultOfCertificate, type Shown } from './client-certificates.js'
import { parseUserName } from './dialect.js'
import type { Identity } from './events.js'
import { clientIdOf, type Identities, type Registered } from './identities.js'
import { bareHost, faultOfSas, parseSas, type SasToken, sameResource } from './sas.js'

/**
 * @returns when the token expires, or why the client is refused, which IoT Hub would not tell it; `silently` where it
 *   hangs up without a CONNACK
 */
export function checkSignIn(
  packet: IConnectPacket,
  hostName: string,
  identities: Identities,
  shown: Shown | null,
): { expiresAtMs: number } | { why: string; silently?: true } {
  const user = parseUserName(packet.username ?? '')
  if (!user) return { why: 'the user name is not host/device[/module]/?api-version=...' }
  if (user.host !== bareHost(hostName)) return { why: `the user name is for the host ${user.host}` }
  if (!user.apiVersion) return { why: 'the user name has no api-version' }
  if (user.clientId !== packet.clientId) return { why: 'client id and user name differ' }
  const registered = identities.find(packet.clientId)
  if (!registered) return { why: 'the identity is not registered' }
  if (!registered.enabled) return { why: 'the identity is disabled' }
  if (registered.x509) {
    const fault = faultOfCertificate(shown, registered.x509, registered.deviceId)
    return fault ? { why: fault, silently: true } : { expiresAtMs: Number.POSITIVE_INFINITY }
  }
  const token = parseSas(packet.password?.toString() ?? '')
  if (!token) return { why: 'the password is not a shared access signature' }
  return checkToken(token, hostName, registered)
}

/** Over AMQP the token alone says who signs in. `name` is the resource once more, as the client encodes it. */
export function checkPutToken(
  name: string,
  text: string,
  hostName: string,
  identities: Identities,
): { identity: Identity; expiresAtMs: number } | { why: string } {
  const token = parseSas(text)
  if (!token) return { why: 'the body is not a shared access signature' }
  const [, deviceId = '', moduleId] = /^[^/]+\/devices\/([^/]+)(?:\/modules\/([^/]+))?$/.exec(token.resource) ?? []
  if (deviceId === '') return { why: 'the token is not for a device or a module' }
  if (name !== token.resource && name !== token.encodedResource) return { why: 'name and token differ' }
  const identity: Identity = { deviceId, moduleId }
  const registered = identities.find(clientIdOf(identity))
  if (!registered) return { why: 'the identity is not registered' }
  if (!registered.enabled) return { why: 'the identity is disabled' }
  if (registered.x509) return { why: 'the identity signs in by certificate' }
  const checked = checkToken(token, hostName, registered)
  return 'why' in checked ? checked : { identity, ...checked }
}

function checkToken(
  token: SasToken,
  hostName: string,
  registered: Registered,
): { expiresAtMs: number } | { why: string } {
  if (!sameResource(token.resource, resourceOf(hostName, registered)))
    return { why: 'the token is for another resource' }
  const fault = faultOfSas(token, registered.key)
  return fault ? { why: fault } : { expiresAtMs: token.expiresAtMs }
}

/** `host/devices/id[/modules/id]`, which a token's `sr` must name. */
export const resourceOf = (hostName: string, { deviceId, moduleId }: Registered): string =>
  `${hostName}/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`
