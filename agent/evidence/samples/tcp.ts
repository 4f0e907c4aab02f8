/** What the kernel knows of the socket to the hub: the round trip, what it had to repeat, how much may be under way. */
import { askForSockets, type WatchedSocket } from '../../watch/ss.js'
import { seldom } from './seldom.js'

export type TcpState = Readonly<{
  rttMs: number
  /** Segments, since the socket was opened. */
  retransmitted: number
  /** Segments that are being repeated now. */
  retransmitting: number
  /** In segments; `null` where the kernel does not say. */
  congestionWindow: number | null
}>

export const tcp = seldom('tcp', async ({ hubAddress }) => {
  const address = hubAddress?.() ?? null
  if (address === null) return null
  // A host without `ss` has no such reading, and that is no failure.
  const sockets = await askForSockets([address]).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return tcpStateOf(sockets, process.pid)
})

/** Ours by its process; where that cannot be seen, the only one there is. */
export function tcpStateOf(sockets: readonly WatchedSocket[], pid: number): TcpState | null {
  const open = sockets.filter(({ state }) => state === 'ESTAB')
  const ours = open.filter(({ process }) => process?.pid === pid)
  const [socket, ...others] = ours.length > 0 ? ours : open
  if (socket === undefined || others.length > 0 || socket.rttMs === null) return null
  const { rttMs, retransmitted, retransmitting, congestionWindow } = socket
  return { rttMs, retransmitted, retransmitting, congestionWindow }
}
