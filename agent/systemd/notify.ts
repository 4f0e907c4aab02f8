/**
 * What a service tells systemd, see sd_notify(3). Node has no datagram sockets of the unix family, so whoever starts us connects one and
 * hands it on as a file descriptor (`deploy/package/beside/notify-exec.pl`).
 */
import { fstatSync, writeSync } from 'node:fs'

export interface Notify {
  /** How often systemd wants to hear `WATCHDOG=1`, at least; `null` where it has no watchdog. */
  readonly watchdogMs: number | null
  /** Never throws and never waits: a message that systemd does not take now is dropped, as the next one is newer. */
  send(state: Readonly<Record<string, string | number>>): void
}

/** @returns `null` where nobody listens, `unreachable` where somebody does and we were not given the way there */
export function openNotify(env: NodeJS.ProcessEnv): Notify | 'unreachable' | null {
  const { NOTIFY_SOCKET, HUBREC_NOTIFY_FD = '', WATCHDOG_USEC = '', WATCHDOG_PID } = env
  if (!NOTIFY_SOCKET) return null
  const fd = Number(HUBREC_NOTIFY_FD)
  if (!/^\d{1,5}$/.test(HUBREC_NOTIFY_FD) || fd < 3 || !isSocket(fd)) return 'unreachable'
  const isOurs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid
  const watchdogMs = isOurs && /^\d{1,15}$/.test(WATCHDOG_USEC) ? Number(WATCHDOG_USEC) / 1e3 : 0
  return {
    watchdogMs: watchdogMs > 0 ? watchdogMs : null,
    send(state) {
      const lines = Object.entries(state).map(([name, value]) => `${name}=${String(value).replaceAll('\n', ' ')}`)
      try {
        writeSync(fd, lines.join('\n'))
      } catch (error) {
        // The socket is never waited for, and a systemd that was restarted has another one for whoever starts next.
        if (!(error instanceof Error && 'code' in error)) throw error
      }
    },
  }
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}
