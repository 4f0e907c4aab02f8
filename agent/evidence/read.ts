/** The ring's lines as typed records, and what is asked of them again and again: a window, the episodes, how the last run ended. */
import { lastRecords, newestOpening } from '../ring/last.js'
import { followRing, type ReadOptions, readRing } from '../ring/read.js'
import type { RingItem } from '../ring/ring.js'
import type { Episode } from './episode.js'
import { type InferredGap, type LogRecord, levels, type RecordType, recordTypes, type Stamp } from './record.js'

export type RecordFilter = Readonly<{
  /** Wall time in ms since 1970, both included. */
  since?: number
  until?: number
  /** Left out: all of them. */
  types?: readonly RecordType[]
  /** Records of this connection. Gaps come whatever the connection: what is missing may have been of this one. */
  conn?: string
}>

/** With `follow` it goes on with what will be written, until the signal aborts. */
export type RecordOptions = RecordFilter & Omit<ReadOptions, 'types'> & Readonly<{ follow?: boolean }>

/**
 * The records that pass the filter, oldest first, and the gaps a reader infers in their places.
 *
 * A line that is sound but is no record (its JSON cannot be parsed, or has another shape) becomes a gap too.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function* readRecords(dir: string, options: RecordOptions = {}): AsyncGenerator<LogRecord | InferredGap> {
  const hints = { ...options, ...hintsOf(options) }
  const items = options.follow ? followRing(dir, { fromSeq: 1, ...hints }) : readRing(dir, hints)
  for await (const record of typed(items)) if (passes(record, options)) yield record
}

/** What need not be read for it. Who asks for gaps has to be told of damage, and that shows only where it is read. */
function hintsOf({ since, until, types }: RecordFilter): Pick<ReadOptions, 'sinceMs' | 'untilMs' | 'types'> {
  return {
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(types === undefined || types.includes('gap') ? {} : { types }),
  }
}

/**
 * The newest version of each episode that overlaps the window, ordered by when it started.
 *
 * @param window wall time in ms since 1970, both included
 */
export async function readEpisodes(
  dir: string,
  window: Pick<RecordFilter, 'since' | 'until'> & Omit<ReadOptions, 'types'> = {},
): Promise<Episode[]> {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY, ...options } = window
  const newest = new Map<string, Episode>()
  for await (const record of readRecords(dir, { ...options, types: ['episode'] })) {
    const episode = episodeOf(record)
    if (episode) newest.set(episode.id, episode)
  }
  return [...newest.values()]
    .filter(episode => overlaps(episode, { since, until }))
    .sort((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt))
}

/** Whether any of it was in the window; one that is open goes on for ever. */
export const overlaps = (
  { startedAt, endedAt }: Pick<Episode, 'startedAt' | 'endedAt'>,
  { since, until }: Readonly<{ since: number; until: number }>,
): boolean => Date.parse(startedAt) <= until && (endedAt === null || Date.parse(endedAt) >= since)

/** What the ring remembers of the runs before. */
export type Memory = Readonly<{
  /** Of any type, the newest; `null` in an empty ring. */
  lastRecord: LogRecord | null
  /** When the last run began; `null` where nothing says so. */
  startedAt: string | null
  /** The newest `start` or `context`: what is known of the last run, also when the ring no longer holds its start. */
  lastFacts: LogRecord | null
  /** The goodbye of that run: `null` when there was none, and then the run ended by a crash if it ever began. */
  lastStop: LogRecord | null
  /** The newest version of each episode whose newest version is open, at most one for each connection. */
  openEpisodes: readonly Episode[]
  /** The `accepted` of each session of the last run that no `closed` followed. */
  openSessions: readonly LogRecord[]
  /** The newest 16 `session` records of each connection, oldest first. */
  sessions: readonly LogRecord[]
  /** Greater than any incarnation's number. */
  nextInc: number
}>

export type OpenSession = Readonly<{ conn: string; attempt: number; at: string; bootId: string; monoMs: number }>

/** What a `context` record says beside the facts of a `start`: enough to go on from, whatever the ring has dropped. */
export type ContextData = Readonly<{
  /** The session that was open, and when it was accepted. */
  session: OpenSession | null
  /** The outage that was open. */
  episode: Episode | null
  /** The same of the connections of applications; left out by releases that knew of none. */
  applications?: readonly Readonly<{ session: OpenSession | null; episode: Episode | null }>[]
  /** The greatest incarnation so far, 0 before the first. */
  incarnation: number
  /** When the run began. */
  startedAt: string
  /** Whether the credential of the facts was ever accepted. */
  credentialWorked: boolean
}>

/** Of a ring that is empty, or that nobody can read. */
export const noMemory: Memory = {
  lastRecord: null,
  startedAt: null,
  lastFacts: null,
  lastStop: null,
  openEpisodes: [],
  openSessions: [],
  sessions: [],
  nextInc: 1,
}

const sessionsKept = 16

/** A share of the ring may hold many sessions of one connection only; more than this many are not looked through for another's. */
const sessionsRead = 4 * sessionsKept

/**
 * Reads the newest segment, because it opens with a context that says what is to be known of those before it, and of those only
 * the newest sessions. A ring without such a context is read as a whole.
 */
export async function readMemory(dir: string, options: Omit<ReadOptions, 'types'> = {}): Promise<Memory> {
  const { disk } = options
  const opening = parseRecord((await newestOpening(dir, disk))?.json ?? '')
  const isKnown = opening !== null && isFacts(opening)
  const recent = readRecords(dir, isKnown ? { ...options, fromSeq: opening.seq } : options)
  const sessions = isKnown
    ? await lastRecords(dir, sessionsRead, { types: ['session'], ...(disk ? { disk } : {}) })
    : []
  return memoryOf(
    recent,
    sessions.flatMap(({ json }) => parseRecord(json) ?? []),
  )
}

/** Whether a context says what this program says in it, and not only what the ring itself does. */
const isFacts = ({ type, data }: LogRecord): boolean => type === 'context' && 'session' in data

async function memoryOf(
  records: AsyncIterable<LogRecord | InferredGap>,
  pastSessions: readonly LogRecord[],
): Promise<Memory> {
  let lastRecord: LogRecord | null = null
  let startedAt: string | null = null
  let lastFacts: LogRecord | null = null
  let lastStop: LogRecord | null = null
  let nextInc = 1
  const newestEpisode = new Map<string, Episode>()
  const sessions = new Map<number, LogRecord>(pastSessions.map(record => [record.seq, record]))
  const accepted = new Map<string | null, LogRecord>()

  for await (const record of records) {
    if (!('seq' in record)) continue
    // What a ring writes of itself while it is opened belongs to the run that opens it.
    // And what was written down later than it happened does not tell when the run was last alive.
    if (record.type !== 'gap' && record.level > levels.trace) lastRecord = record
    nextInc = Math.max(nextInc, (record.inc ?? 0) + 1)
    if (record.type === 'start') {
      startedAt = record.at
      lastFacts = record
      lastStop = null
      accepted.clear()
    } else if (record.type === 'wire') {
      const { type, attempt } = record.data
      if (type === 'accepted') accepted.set(record.conn, record)
      if (type === 'closed' && accepted.get(record.conn)?.data.attempt === attempt) accepted.delete(record.conn)
    } else if (isFacts(record)) {
      lastFacts = record
      const {
        session,
        episode,
        applications = [],
        incarnation = 0,
        startedAt: said,
      } = record.data as Partial<ContextData>
      startedAt = said ?? startedAt
      nextInc = Math.max(nextInc, incarnation + 1)
      // The context says again what the ring may have dropped by now.
      for (const open of [{ session, episode }, ...applications]) {
        const { attempt, monoMs } = open.session ?? {}
        if (open.session) accepted.set(open.session.conn, { ...record, ...open.session, data: { attempt, monoMs } })
        if (open.episode && !newestEpisode.has(open.episode.conn)) newestEpisode.set(open.episode.conn, open.episode)
      }
    } else if (record.type === 'stop') lastStop = record
    else if (record.type === 'session') sessions.set(record.seq, record)
    else if (record.type === 'episode') {
      const episode = episodeOf(record)
      // A connection has one episode at a time: what a newer one finds open was never closed in writing.
      if (episode) newestEpisode.set(episode.conn, episode)
    }
  }
  return {
    lastRecord,
    startedAt,
    lastFacts,
    lastStop,
    openEpisodes: [...newestEpisode.values()].filter(({ state }) => state === 'open'),
    openSessions: [...accepted.values()],
    sessions: newestOfEach([...sessions.values()].sort((a, b) => a.seq - b.seq)),
    nextInc,
  }
}

/** @param sessions oldest first */
function newestOfEach(sessions: readonly LogRecord[]): LogRecord[] {
  const kept = new Map<string | null, LogRecord[]>()
  for (const record of sessions) {
    kept.set(record.conn, [...(kept.get(record.conn) ?? []), record].slice(-sessionsKept))
  }
  return [...kept.values()].flat().sort((a, b) => a.seq - b.seq)
}

/** Each gap gets the stamp of the record before it, or after it at the very beginning. */
async function* typed(items: AsyncIterable<RingItem>): AsyncGenerator<LogRecord | InferredGap> {
  let before: Stamp | null = null
  let waiting: Numbers[] = []
  for await (const item of items) {
    const record = item.kind === 'record' ? parseRecord(item.json) : null
    if (record) {
      for (const numbers of waiting) yield inferredGap(numbers, record)
      waiting = []
      before = record
      yield record
      continue
    }
    const numbers = item.kind === 'gap' ? item : { fromSeq: item.seq, toSeq: item.seq, count: 1 }
    if (before) yield inferredGap(numbers, before)
    else waiting.push(numbers)
  }
  for (const numbers of waiting) yield inferredGap(numbers, unknownTime)
}

type Numbers = Readonly<{ fromSeq: number; toSeq: number; count: number }>

/** A ring that holds nothing but damage tells no time. */
const unknownTime: Stamp = { at: '1970-01-01T00:00:00.000Z', bootId: '', monoMs: 0 }

const inferredGap = ({ fromSeq, toSeq, count }: Numbers, { at, bootId, monoMs }: Stamp): InferredGap => ({
  at,
  bootId,
  monoMs,
  level: 40,
  type: 'gap',
  conn: null,
  inc: null,
  data: { reason: 'damage', count, fromSeq, toSeq },
})

export function passes(record: LogRecord | InferredGap, { since, until, types, conn }: RecordFilter): boolean {
  if (types && !types.includes(record.type)) return false
  if (conn !== undefined && record.conn !== conn && record.type !== 'gap') return false
  const atMs = Date.parse(record.at)
  return (since === undefined || atMs >= since) && (until === undefined || atMs <= until)
}

const knownTypes: ReadonlySet<unknown> = new Set(recordTypes)

export function parseRecord(json: string): LogRecord | null {
  const value = parse(json)
  if (!isObject(value)) return null
  const { seq, at, bootId, monoMs, level, type, conn, inc, data } = value
  const isRecord =
    Number.isSafeInteger(seq) &&
    typeof at === 'string' &&
    !Number.isNaN(Date.parse(at)) &&
    typeof bootId === 'string' &&
    typeof monoMs === 'number' &&
    typeof level === 'number' &&
    knownTypes.has(type) &&
    (conn === null || typeof conn === 'string') &&
    (inc === null || Number.isSafeInteger(inc)) &&
    isObject(data)
  return isRecord ? (value as unknown as LogRecord) : null
}

/** What a reader relies on to order and choose episodes; the rest is handed through as it was written. */
export function episodeOf({ data }: LogRecord | InferredGap): Episode | null {
  const { id, conn, state, startedAt, endedAt } = data
  const isEpisode =
    typeof id === 'string' &&
    typeof conn === 'string' &&
    (state === 'open' || state === 'closed') &&
    isTime(startedAt) &&
    (endedAt === null || isTime(endedAt))
  return isEpisode ? (data as unknown as Episode) : null
}

const isTime = (x: unknown): boolean => typeof x === 'string' && !Number.isNaN(Date.parse(x))

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not a record, and the caller says so by a gap.
    return null
  }
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)
