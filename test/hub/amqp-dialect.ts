/** IoT Hub's dialect of AMQP: the addresses that links may have. */

import type { Identity } from './events.js'

/** Links by what they carry. `messages` brings messages to the device. */
export const linkNames = ['$cbs', 'methods', 'events', 'messages', 'twin'] as const
export type LinkName = (typeof linkNames)[number]

/** The device's: what it sends goes through a sender. */
export type LinkRole = 'sender' | 'receiver'

export type LinkAddress = Readonly<{ link: LinkName; identity: Identity | null }>

/** @returns `null` for an address that IoT Hub does not serve */
export function parseAddress(address: string, role: LinkRole): LinkAddress | null {
  if (address === '$cbs') return { link: '$cbs', identity: null }
  const found = /^(?:amqps?:\/\/[^/]+)?\/devices\/([^/]+)(?:\/modules\/([^/]+))?\/(.+)$/.exec(address)
  const link = found && linkOf(found[3]!, role, found[2] !== undefined)
  if (!link) return null
  const [deviceId = '', moduleId] = [found[1], found[2]].map(decode)
  return { link, identity: { deviceId, moduleId } }
}

function linkOf(path: string, role: LinkRole, isModule: boolean): LinkName | null {
  switch (path) {
    case 'methods/devicebound':
      return 'methods'
    case 'twin':
      return 'twin'
    case 'messages/devicebound':
      return role === 'receiver' ? 'messages' : null
    case 'messages/events':
      if (role === 'sender') return 'events'
      // A module's inputs.
      return isModule ? 'messages' : null
    default:
      return null
  }
}

const decode = (text: string | undefined): string | undefined => {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}
