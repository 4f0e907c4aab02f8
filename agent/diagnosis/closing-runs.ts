/** Patterns over several sessions: MQTT 3.1.1 cannot say why it closes, but how often and after what tells something. */
import type { PastSession } from '../evidence/episode.js'
import { isFin, wasSilent } from './wire-facts.js'

/** A session shorter than this was not left in peace. */
export const shortMs = 60_000

/** We wait for up to 15 minutes when a rival throws us out; sessions further apart have nothing to do with each other. */
const apartMs = 20 * 60_000

/** Sessions in a row, up to the newest, that the other side ended alike. */
export type ClosingRun = Readonly<{
  /** Oldest first. The first may have lasted long: it is the one that was disturbed. */
  lengthsMs: readonly number[]
  /** Of all but the oldest: how many the hub had served normally, as its answer to the subscription shows. */
  served: number
}>

/** Sessions that ended by a bare FIN with no publish under way, and, but for the oldest, soon. */
export function quietRun(history: readonly PastSession[]): ClosingRun {
  const run: PastSession[] = []
  for (const session of [...history].reverse()) {
    if (!endedByFin(session) || !isQuiet(session)) break
    const next = run[0]
    if (next && next.startedMs - session.endedMs > apartMs) break
    run.unshift(session)
    if (session.lastedMs >= shortMs) break
  }
  return {
    lengthsMs: run.map(({ lastedMs }) => lastedMs),
    served: run.slice(1).filter(({ subscribed }) => subscribed).length,
  }
}

/** Sessions in a row, up to the newest, that fell silent: oldest first. */
export function silentRun(history: readonly PastSession[]): readonly PastSession[] {
  const others = history.findLastIndex(session => !wasSilent(session.closed))
  return history.slice(others + 1)
}

/** The sessions in a row, up to the newest, that ended by a bare FIN upon a publish: oldest first. */
export function publishRun(history: readonly PastSession[]): readonly PastSession[] {
  const other = history.findLastIndex(session => !endedByFin(session) || !isUponPublish(session))
  return history.slice(other + 1)
}

const endedByFin = ({ closed }: PastSession): boolean => isFin({ closed, stage: closed.stage, error: closed.error })

const isUponPublish = ({ closed }: PastSession): boolean => closed.afterPublish || closed.inFlightPublishes > 0

const isQuiet = (session: PastSession): boolean => !isUponPublish(session) && !wasSilent(session.closed)
