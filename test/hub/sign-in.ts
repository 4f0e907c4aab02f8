/** Whether a CONNECT is who it says it is: user name, client id, registry, signature, expiry. */

import type { IConnectPacket } from 'mqtt-packet'
import { parseUserName } from './dialect.js'
import type { Identities, Registered } from './identities.js'
import { bareHost, faultOfSas, parseSas, sameResource } from './sas.js'

/** @returns when the token expires, or why the client is refused, which IoT Hub would not tell it */
export function checkSignIn(
  packet: IConnectPacket,
  hostName: string,
  identities: Identities,
): { expiresAtMs: number } | { why: string } {
  const user = parseUserName(packet.username ?? '')
  if (!user) return { why: 'the user name is not host/device[/module]/?api-version=...' }
  if (user.host !== bareHost(hostName)) return { why: `the user name is for the host ${user.host}` }
  if (!user.apiVersion) return { why: 'the user name has no api-version' }
  if (user.clientId !== packet.clientId) return { why: 'client id and user name differ' }
  const registered = identities.find(packet.clientId)
  if (!registered) return { why: 'the identity is not registered' }
  if (!registered.enabled) return { why: 'the identity is disabled' }
  const token = parseSas(packet.password?.toString() ?? '')
  if (!token) return { why: 'the password is not a shared access signature' }
  if (!sameResource(token.resource, resourceOf(hostName, registered)))
    return { why: 'the token is for another resource' }
  const fault = faultOfSas(token, registered.key)
  return fault ? { why: fault } : { expiresAtMs: token.expiresAtMs }
}

/** `host/devices/id[/modules/id]`, which a token's `sr` must name. */
export const resourceOf = (hostName: string, { deviceId, moduleId }: Registered): string =>
  `${hostName}/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`
