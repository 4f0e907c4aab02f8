/** IoT Hub's dialect of MQTT: user names, and the only topics that it allows. */

import { bareHost } from './sas.js'

export type UserName = Readonly<{ host: string; clientId: string; apiVersion: string | null }>

/** `hub.azure-devices.net[:port]/device[/module]/?api-version=...&DeviceClientType=...` */
export function parseUserName(text: string): UserName | null {
  const [path = '', query = ''] = text.split('/?')
  const [host = '', ...ids] = path.split('/')
  if (host === '' || ids.length < 1 || ids.length > 2 || ids.some(id => id === '')) return null
  return { host: bareHost(host), clientId: ids.join('/'), apiVersion: new URLSearchParams(query).get('api-version') }
}

export const methodsFilter = '$iothub/methods/POST/#'

export const methodTopic = (methodName: string, requestId: string): string =>
  `$iothub/methods/POST/${methodName}/?$rid=${requestId}`

/** @returns the request's id when the topic is one of a method request */
export const methodRequestId = (topic: string): string | undefined =>
  /^\$iothub\/methods\/POST\/.*\/\?\$rid=(.*)$/.exec(topic)?.[1]

/** Where a client may publish. `clientId` is `device` or `device/module`. */
export type Publication =
  | { to: 'events' }
  | { to: 'methodResponse'; status: number; requestId: string }
  | { to: 'twinGet'; requestId: string }
  | { to: 'twinPatch'; requestId: string }

/** @returns `null` for a topic that IoT Hub would answer by closing the connection */
export function parsePublication(topic: string, clientId: string): Publication | null {
  if (topic.startsWith(`${ownTopics(clientId)}/messages/events`)) return { to: 'events' }
  const [path = '', query = ''] = topic.split('/?')
  const requestId = new URLSearchParams(query).get('$rid') ?? ''
  const response = /^\$iothub\/methods\/res\/(\d{1,9})$/.exec(path)
  if (response) return { to: 'methodResponse', status: Number(response[1]), requestId }
  if (path === '$iothub/twin/GET') return { to: 'twinGet', requestId }
  if (path === '$iothub/twin/PATCH/properties/reported') return { to: 'twinPatch', requestId }
  return null
}

export function maySubscribe(filter: string, clientId: string): boolean {
  const own = ownTopics(clientId)
  const allowed = clientId.includes('/')
    ? [`${own}/#`, `${own}/inputs/#`, `${own}/messages/devicebound/#`]
    : [`${own}/messages/devicebound/#`]
  return [methodsFilter, '$iothub/twin/res/#', '$iothub/twin/PATCH/properties/desired/#', ...allowed].includes(filter)
}

const ownTopics = (clientId: string): string => {
  const [deviceId, moduleId] = clientId.split('/')
  return moduleId === undefined ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`
}
