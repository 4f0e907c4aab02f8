/** What `ss` shows of TCP sockets: asked as a bounded child process, and read with an eye for what may be missing. */
import { execFile } from 'node:child_process'
import { childEnvironment } from '../child-environment.js'

/** One socket, as far as the kernel shows it to us. */
export type WatchedSocket = Readonly<{
  /** As `ss` calls it: `ESTAB`, `SYN-SENT`, ... */
  state: string
  /** `address:port`, IPv6 in brackets. */
  local: string
  peer: string
  inode: number
  /** Where the process runs; `null` where there is no cgroup v2, or the kernel does not say. */
  cgroup: string | null
  /** Only with privileges, or of our own user. */
  process: Readonly<{ name: string; pid: number }> | null
  rttMs: number | null
  /** Repeated and not acknowledged now, and since it was opened. */
  retransmitting: number
  retransmitted: number
  /** In segments. */
  congestionWindow: number | null
  bytesSent: number | null
  bytesReceived: number | null
  /** Since the last data from the other side. */
  silentMs: number | null
}>

/** A host has few sockets to its hub; what is longer is cut. */
const outputBytesMax = 1 << 20
const limitMs = 5_000

/**
 * @param addresses of the hub; nothing else is asked for
 * @throws where `ss` is missing, is refused, or takes too long
 */
export function askForSockets(addresses: readonly string[], command = 'ss'): Promise<readonly WatchedSocket[]> {
  if (addresses.length === 0) return Promise.resolve([])
  const filter = addresses.map(address => `dst ${address.includes(':') ? `[${address}]` : address}`).join(' or ')
  // Names of processes cost a walk through /proc, and without privileges there are none.
  const flags = process.getuid?.() === 0 ? '-tinpeH' : '-tineH'
  return new Promise((resolve, reject) => {
    const options = {
      maxBuffer: outputBytesMax,
      timeout: limitMs,
      killSignal: 'SIGKILL',
      env: childEnvironment(),
    } as const
    execFile(command, [flags, filter], options, (error, output) => {
      if (error) reject(error)
      else resolve(parseSockets(output))
    })
  })
}

/** Lines that cannot be read are passed over. */
export function parseSockets(output: string): WatchedSocket[] {
  const found: WatchedSocket[] = []
  let head: string | null = null
  const close = (info: string): void => {
    const socket = head === null ? null : socketOf(head, info)
    if (socket) found.push(socket)
    head = null
  }
  for (const line of output.split('\n')) {
    if (/^\s/.test(line)) close(line)
    else {
      close('')
      head = line
    }
  }
  close('')
  return found
}

const headPattern = /^([A-Z][A-Z0-9-]*)\s+\d+\s+\d+\s+(\S+:\d+)\s+(\S+:\d+)(?:\s|$)/

function socketOf(head: string, info: string): WatchedSocket | null {
  const found = headPattern.exec(head)
  if (!found) return null
  const [, state = '', local = '', peer = ''] = found
  const user = /users:\(\("([^"]{1,64})",pid=(\d+)/.exec(head)
  const number = (pattern: RegExp): number | null => {
    const value = Number(pattern.exec(info)?.[1] ?? Number.NaN)
    return Number.isFinite(value) ? value : null
  }
  const [, now = '0', total = '0'] = /\bretrans:(\d+)\/(\d+)/.exec(info) ?? []
  const backoff = number(/\bbackoff:(\d+)/) ?? 0
  return {
    state,
    local: plain(local),
    peer: plain(peer),
    inode: Number(/\bino:(\d+)/.exec(head)?.[1] ?? 0),
    cgroup: /\bcgroup:(\S{1,300})/.exec(head)?.[1] ?? null,
    process: user ? { name: user[1] ?? '', pid: Number(user[2]) } : null,
    rttMs: number(/\brtt:([\d.]+)\//),
    retransmitting: Math.max(Number(now), backoff),
    retransmitted: Number(total),
    congestionWindow: number(/\bcwnd:(\d+)/),
    bytesSent: number(/\bbytes_sent:(\d+)/),
    bytesReceived: number(/\bbytes_received:(\d+)/),
    silentMs: number(/\blastrcv:(\d+)/),
  }
}

/** An IPv4 address that an IPv6 socket uses is the same address. */
const plain = (address: string): string => address.replace(/^\[::ffff:([\d.]+)\]/i, '$1')

/** The unit that a cgroup belongs to, `telemetry.service`; the path itself where it is none of systemd's. */
export function unitOf(cgroup: string | null): string | null {
  // On older kernels its path takes privileges, and then there is a number only.
  if (cgroup?.startsWith('unreachable:')) return null
  const unit = cgroup?.split('/').findLast(part => /\.(service|scope)$/.test(part))
  return unit ?? cgroup
}
