/** Addresses as the kernel's tables in /proc/net have them. */
import { SocketAddress } from 'node:net'
import { endianness } from 'node:os'

/** Four bytes, printed as one number of the machine's own order. `null` for anything else. */
export function address4(text: string | undefined): string | null {
  if (text === undefined || !/^[0-9a-f]{8}$/i.test(text)) return null
  return [...inOrder(Buffer.from(text, 'hex'))].join('.')
}

/** Sixteen bytes in the order of the network, as routes have them. `null` for anything else. */
export function address6(text: string | undefined): string | null {
  if (text === undefined || !/^[0-9a-f]{32}$/i.test(text)) return null
  const groups = text.match(/.{4}/g) ?? []
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}

/** Four numbers of the machine's own order, as sockets have them. */
export function socketAddress6(text: string | undefined): string | null {
  if (text === undefined || !/^[0-9a-f]{32}$/i.test(text)) return null
  const words = text.match(/.{8}/g) ?? []
  return address6(words.map(word => inOrder(Buffer.from(word, 'hex')).toString('hex')).join(''))
}

export const hexadecimal = (text: string | undefined): number | null =>
  text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : null

const inOrder = (bytes: Buffer): Buffer => (endianness() === 'LE' ? bytes.reverse() : bytes)
