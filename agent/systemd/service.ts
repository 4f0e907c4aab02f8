/** The daemon as a service of systemd: says that it runs and how it is, and feeds the watchdog while everything that matters turns. */
import { setInterval as every } from 'node:timers/promises'
import type { Part } from '../run-together.js'
import type { Notify } from './notify.js'

export type Watched = Readonly<{ name: string; stuckMs(): number; patienceMs: number }>

export type ServiceOptions = Readonly<{
  notify: Notify
  watched: readonly Watched[]
  /** One line for `systemctl status`. */
  status(): string
  /** Told once, when the watchdog is fed no more. */
  onStuck(names: readonly string[]): void
}>

/** Without a watchdog the line for `systemctl status` is still kept fresh. */
const statusEveryMs = 20_000

/**
 * That the loop turns is shown by the timer itself. What is stuck is not repaired here: systemd ends the process and starts another one,
 * which is why nothing may count as stuck that only waits for a disk or a network.
 */
export function servicePart({ notify, watched, status, onStuck }: ServiceOptions): Part {
  const everyMs = notify.watchdogMs === null ? statusEveryMs : notify.watchdogMs / 3
  return {
    name: 'service',
    async run(signal) {
      notify.send({ READY: 1, STATUS: status() })
      try {
        for await (const _ of every(everyMs, undefined, { signal, ref: false })) {
          const stuck = watched.filter(each => each.stuckMs() > each.patienceMs).map(({ name }) => name)
          if (stuck.length > 0) {
            onStuck(stuck)
            await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
            return
          }
          notify.send({ ...(notify.watchdogMs === null ? {} : { WATCHDOG: 1 }), STATUS: status() })
        }
      } finally {
        notify.send({ STOPPING: 1 })
      }
    },
  }
}
