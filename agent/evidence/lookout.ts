/**
 * Keeps together what is around the connections: the host, which they share, and for each what its last good session left. Fed with
 * what is recorded, live or from a ring, it tells what a verdict may look at.
 */
import type { WireEvent } from '../../transports/wire-event.js'
import { type Baseline, baselineOf, differences, goodSessionMs, nothingShown, type Shown, show } from './baseline.js'
import { nothingWatched, watchClock, watchSample } from './host-watch.js'
import type { Surroundings } from './surroundings.js'

export interface Lookout {
  /** A `sample` record's data. @returns whether something has changed that a verdict may look at */
  sample(data: unknown, wallMs: number): boolean
  /** A `clock` record's data. @returns the same */
  clock(data: unknown, wallMs: number): boolean
  /** @returns what a session that lasted leaves, when it ends */
  wire(conn: string, event: WireEvent, wallMs: number): Baseline | null
  /** What an earlier run, or an earlier record, says of a connection. */
  recall(conn: string, baseline: Baseline): void
  around(conn: string): Surroundings
}

type Connection = { shown: Shown; baseline: Baseline | null }

/** @param versions what runs here, as one text */
export function createLookout(versions: () => string, synchronised: () => boolean | null): Lookout {
  let host = nothingWatched
  const connections = new Map<string, Connection>()
  const of = (conn: string): Connection => {
    const known = connections.get(conn) ?? { shown: nothingShown, baseline: null }
    connections.set(conn, known)
    return known
  }
  const here = () => ({ host: host.state, synchronised: synchronised(), versions: versions() })
  const see = (next: typeof host): boolean => {
    const isNews = next.changes.at(-1) !== host.changes.at(-1)
    host = next
    return isNews
  }

  return {
    sample: (data, wallMs) => see(watchSample(host, data, wallMs)),
    clock: (data, wallMs) => see(watchClock(host, data, wallMs)),
    wire(conn, event, wallMs) {
      const connection = of(conn)
      const { shown } = connection
      connection.shown = show(shown, event)
      if (event.type !== 'closed' || event.lastedMs === null || event.lastedMs < goodSessionMs) return null
      connection.baseline = baselineOf(shown, here(), wallMs)
      return connection.baseline
    },
    recall(conn, baseline) {
      of(conn).baseline = baseline
    },
    around(conn) {
      const { shown, baseline } = of(conn)
      return {
        changes: host.changes,
        state: host.state,
        lastGood: baseline && { endedMs: baseline.endedMs, differs: differences(baseline, shown, here()) },
      }
    },
  }
}
