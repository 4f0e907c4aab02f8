/** A part of the daemon that lives from session to session. */
import type { ServedSession } from '../transports/supervisor.js'
import { createDoorbell } from './doorbell.js'
import type { Part } from './run-together.js'

/** @param live resolves when the session has ended, or the signal has aborted */
export function eachSession(
  name: string,
  live: (session: ServedSession, signal: AbortSignal) => Promise<void>,
): Readonly<{ part: Part; served(session: ServedSession): void }> {
  const arrival = createDoorbell()
  const sessions: ServedSession[] = []
  return {
    part: {
      name,
      async run(signal) {
        while (!signal.aborted) {
          const session = sessions.shift()
          if (session) await live(session, signal)
          else await arrival.rung(signal)
        }
      },
    },
    served(session) {
      sessions.push(session)
      arrival.ring()
    },
  }
}
