/** What a run that starts knows of the runs before, from what the ring remembers. Pure. */
import type { Instant } from '../../transports/clock.js'
import type { Protocol } from '../../transports/wire-event.js'
import { type Baseline, baselineIn } from './baseline.js'
import type { PastSession } from './episode.js'
import type { ContextData, Memory } from './read.js'
import type { LogRecord } from './record.js'
import type { Before, Remembered, SessionData } from './tracker.js'

export type Present = Readonly<{
  conn: string
  protocol: Protocol
  /** The fingerprint of the credential in use now. */
  credential: string
  now: Instant
  bootId: string
}>

export function remember(memory: Memory, present: Present): Remembered {
  const { conn, protocol, credential } = present
  const records = memory.sessions.filter(record => record.conn === conn)
  const sessions = records.map(sessionOf)
  return {
    conn,
    protocol,
    credential,
    credentialWorked: sessions.some(session => session.credential === credential) || workedBy(memory, credential),
    history: sessions.map(pastOf),
    baseline: records.reduce<Baseline | null>((newest, { data }) => baselineIn(data) ?? newest, null),
    before: beforeOf(memory, present),
  }
}

function workedBy({ lastFacts }: Memory, credential: string): boolean {
  const facts = lastFacts?.data as Partial<ContextData & { credential: string }> | undefined
  return facts?.credentialWorked === true && facts.credential === credential
}

function beforeOf(memory: Memory, present: Present): Before {
  const { lastRecord, lastStop, openEpisodes, openSessions } = memory
  const open = openEpisodes.find(({ conn }) => conn === present.conn) ?? null
  // Records without a start are of a run so long that the ring no longer holds its beginning.
  if (lastRecord === null) {
    return { ending: { kind: 'start' }, at: momentOf(present.now), session: null, open: null }
  }
  if (lastStop !== null) {
    const why = typeof lastStop.data.why === 'string' ? lastStop.data.why : 'unknown'
    return { ending: { kind: 'goodbye', why }, at: recorded(lastStop, present), session: null, open }
  }
  const accepted = openSessions.find(({ conn }) => conn === present.conn)
  return {
    ending: { kind: 'crash', rebooted: lastRecord.bootId !== present.bootId },
    at: recorded(lastRecord, present),
    session: accepted ? { lastedMs: between(accepted, lastRecord) } : null,
    open,
  }
}

const momentOf = ({ wallMs, bootMs }: Instant): Before['at'] => ({ wallMs, bootMs })

/** Within one boot the monotonic clock says how long ago it was; over a reboot only the wall clock is left. */
function recorded(record: LogRecord, { now, bootId }: Present): Before['at'] {
  const bootMs = record.bootId === bootId ? record.monoMs + (now.bootMs - now.monoMs) : null
  return { wallMs: Date.parse(record.at), bootMs }
}

const between = (from: LogRecord, to: LogRecord): number =>
  Math.max(0, Math.round(from.bootId === to.bootId ? to.monoMs - from.monoMs : Date.parse(to.at) - Date.parse(from.at)))

const pastOf = ({ startedAt, endedAt, lastedMs, subscribed, closed }: SessionData): PastSession => ({
  startedMs: Date.parse(startedAt),
  endedMs: Date.parse(endedAt),
  lastedMs,
  subscribed,
  closed,
})

/** Written by some version of hubrec as a session's data. */
const sessionOf = ({ data }: LogRecord): SessionData => data as unknown as SessionData
