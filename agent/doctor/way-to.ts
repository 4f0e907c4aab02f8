/** Which way the kernel would take to an address: asked of the kernel, and nothing is sent. */
import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

export type WayTo = Readonly<{ from: string; interface: string | null }> | Readonly<{ code: string }>

/** The discard port: connecting a datagram socket looks for the way, and no more. */
const discardPort = 9

export function wayTo(address: string): Promise<WayTo> {
  const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  return new Promise<WayTo>(resolve => {
    const failed = (error: NodeJS.ErrnoException): void => resolve({ code: error.code ?? 'unknown' })
    socket.once('error', failed)
    socket.connect(discardPort, address, (error?: NodeJS.ErrnoException) => {
      if (error) return failed(error)
      const from = socket.address().address
      resolve({ from, interface: nameOf(from) })
    })
  }).finally(() => socket.close())
}

const nameOf = (own: string): string | null =>
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ address }) => address === own))?.[0] ?? null
