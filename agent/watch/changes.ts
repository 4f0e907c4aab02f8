/** From one look at the sockets to the next: what is there, what is gone, and what has trouble. Pure. */
import { unitOf, type WatchedSocket } from './ss.js'

/** A `condition` record's data. It is looked at now and then only, so times are as coarse as `everyMs`, and it says so. */
export type WatchedChange = Readonly<{
  condition: 'watched-socket'
  coarse: true
  what: 'seen' | 'connecting' | 'retransmitting' | 'recovered' | 'gone' | 'still there'
  host: string
  local: string
  peer: string
  /** The systemd unit, or the cgroup; `null` where the kernel does not say. */
  unit: string | null
  process: WatchedSocket['process']
  rttMs: number | null
  retransmitted: number
  silentMs: number | null
  /** Since it was first seen; `null` then. */
  seenForMs: number | null
  everyMs: number
}>

export type Seen = Readonly<{ socket: WatchedSocket; firstMs: number; toldMs: number; isInTrouble: boolean }>
export type Look = ReadonlyMap<string, Seen>

/** A long session is told of so often, for its round-trip time. */
const remindMs = 600_000

/** What is more is not watched, and so not told. */
export const watchedMax = 64

const open: ReadonlySet<string> = new Set([
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'CLOSE-WAIT',
  'LAST-ACK',
  'CLOSING',
])

/** @param hostOf the name that led to an address, `null` for one that is not watched */
export function compareLooks(
  before: Look,
  sockets: readonly WatchedSocket[],
  hostOf: (address: string) => string | null,
  nowMs: number,
  everyMs: number,
): { look: Look; changes: readonly WatchedChange[] } {
  const look = new Map<string, Seen>()
  const changes: WatchedChange[] = []
  const tell = (what: WatchedChange['what'], { socket, firstMs }: Seen, isNew: boolean): void => {
    const { local, peer, process, rttMs, retransmitted, silentMs, cgroup } = socket
    const host = hostOf(addressOf(peer)) ?? addressOf(peer)
    const seenForMs = isNew ? null : Math.round(nowMs - firstMs)
    const who = { unit: unitOf(cgroup), process }
    const numbers = { rttMs, retransmitted, silentMs, seenForMs, everyMs }
    changes.push({ condition: 'watched-socket', coarse: true, what, host, local, peer, ...who, ...numbers })
  }

  for (const socket of sockets) {
    if (look.size >= watchedMax || !open.has(socket.state) || hostOf(addressOf(socket.peer)) === null) continue
    const key = `${socket.local} ${socket.peer} ${socket.inode}`
    const known = before.get(key)
    const wasConnecting = known?.socket.state === 'SYN-SENT'
    const isConnecting = socket.state === 'SYN-SENT'
    const isInTrouble = !isConnecting && socket.retransmitting > 0
    const isDue = known !== undefined && nowMs - known.toldMs >= remindMs
    const seen: Seen = { socket, firstMs: known?.firstMs ?? nowMs, toldMs: known?.toldMs ?? nowMs, isInTrouble }
    const what = ((): WatchedChange['what'] | null => {
      if (!known || wasConnecting !== isConnecting) return isConnecting ? 'connecting' : 'seen'
      if (isInTrouble !== known.isInTrouble) return isInTrouble ? 'retransmitting' : 'recovered'
      return isDue ? 'still there' : null
    })()
    look.set(key, what === null ? seen : { ...seen, toldMs: nowMs })
    if (what !== null) tell(what, seen, !known)
  }
  for (const [key, seen] of before) if (!look.has(key)) tell('gone', seen, false)
  return { look, changes }
}

/** Without its port. */
export const addressOf = (peer: string): string =>
  peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .split('%', 1)[0] ?? ''
