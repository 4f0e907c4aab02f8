/**
 * The only writer of the ring: what the wire, the sampler and the log tell becomes records, sessions, episodes
 * and verdicts, each through the redactor.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../transports/clock.js'
import type { ClosedEvent, WireEvent } from '../transports/wire-event.js'
import { diagnose } from './diagnosis/diagnose.js'
import type { Episode, Evidence } from './evidence/episode.js'
import type { ContextData } from './evidence/read.js'
import { type Draft, levels, type RecordType } from './evidence/record.js'
import {
  begin,
  type Effect,
  type EpisodeEffect,
  openEpisode,
  type Remembered,
  step,
  type Tracker,
} from './evidence/tracker.js'
import type { Redactor } from './redact.js'
import { releasedAtMs } from './release.js'
import type { Durability, RingWriter } from './ring/ring.js'

export type PipelineOptions = Readonly<{
  ring: RingWriter
  redactor: Redactor
  clock: Clock
  /** Whether the host says its clock is synchronised; asked when a verdict is made. */
  synchronised: () => boolean | null
  /** Told of each verdict that is new or has changed. */
  onEpisode?: (episode: Episode) => void
}>

export interface Pipeline {
  /** Starts to follow a connection: what ended its last run opens the first episode. */
  follow(remembered: Remembered): void
  wire(conn: string, event: WireEvent, incarnation: number): void
  /** Anything else that is worth a record. Resolves when it is as durable as its type demands. */
  record(type: RecordType, data: Readonly<Record<string, unknown>>, level?: number): Promise<void>
  /**
   * Writes the newest counts of an open outage, where they have changed: verdicts are written when they change, and
   * attempts and waits count on in between. For a stop, and now and then.
   */
  writeCounts(conn: string): Promise<void>
  /** What a `context` record says of the connection. */
  context(conn: string): Omit<ContextData, 'startedAt'> | null
  /** The connection's state for `status`, with counts as of now. */
  state(conn: string): ConnectionState | null
}

export type ConnectionState = Readonly<{
  state: 'online' | 'offline'
  /** Wall time, RFC 3339. */
  since: string
  subscribed: boolean
  /** `null` before the first of this run. */
  incarnation: number | null
  episode: Episode | null
  lastEpisode: Episode | null
}>

type Followed = {
  tracker: Tracker
  newest: Episode | null
  incarnation: number | null
  attempt: number
  offlineSinceMs: number
}

/** A clock before the release, or 20 years after it, cannot be right. */
const plausibleMs = 20 * 365 * 86_400_000

export function createPipeline({ ring, redactor, clock, synchronised, onEpisode }: PipelineOptions): Pipeline {
  const followed = new Map<string, Followed>()
  const newId = (): string => randomBytes(6).toString('hex')

  const write = async (
    type: RecordType,
    level: number,
    conn: string | null,
    inc: number | null,
    data: object,
  ): Promise<void> => {
    const { wallMs, monoMs } = clock.now()
    const draft: Draft = {
      at: new Date(wallMs).toISOString(),
      bootId: clock.bootId,
      monoMs,
      level,
      type,
      conn,
      inc,
      data: { ...data },
    }
    await ring.append(redactor.json(draft), durabilityOf(type, level))
  }

  const apply = (conn: string, connection: Followed, effects: readonly Effect[]): void => {
    for (const effect of effects) {
      if (effect.do === 'recordSession') {
        void write('session', levels.info, conn, connection.incarnation, effect.data)
        continue
      }
      const episode = judged(effect)
      // While it is open only a new verdict is news; the counts are written with the next one.
      if (connection.newest && sayTheSame(connection.newest, episode)) continue
      connection.newest = episode
      void write('episode', episode.planned ? levels.info : levels.warn, conn, connection.incarnation, episode)
      onEpisode?.(episode)
    }
  }

  const judged = ({ facts, evidence }: EpisodeEffect): Episode => judge(facts, { ...evidence, clock: clockEvidence() })

  /** The open outage as it is now. */
  const current = ({ tracker }: Followed): Episode | null => {
    const effect = openEpisode(tracker)
    return effect && judged(effect)
  }

  const clockEvidence = (): Evidence['clock'] => {
    const { wallMs } = clock.now()
    const plausible = wallMs >= releasedAtMs && wallMs <= releasedAtMs + plausibleMs
    return { wallMs, plausible, synchronised: synchronised() }
  }

  return {
    follow(remembered) {
      const now = clock.now()
      const { tracker, effects } = begin(remembered, now, newId)
      const connection: Followed = { tracker, newest: null, incarnation: null, attempt: 0, offlineSinceMs: now.wallMs }
      followed.set(remembered.conn, connection)
      apply(remembered.conn, connection, effects)
    },

    wire(conn, event, incarnation) {
      void write('wire', levelOf(event), conn, incarnation, event)
      const connection = followed.get(conn)
      if (!connection) return
      connection.incarnation = incarnation
      connection.attempt = event.attempt
      const now = clock.now()
      const wasOnline = connection.tracker.online !== null
      const { tracker, effects } = step(connection.tracker, event, now, newId)
      connection.tracker = tracker
      if (wasOnline && tracker.online === null) connection.offlineSinceMs = now.wallMs
      apply(conn, connection, effects)
    },

    record: (type, data, level = levels.info) => write(type, level, null, null, data),

    async writeCounts(conn) {
      const connection = followed.get(conn)
      if (connection?.newest?.state !== 'open') return
      const { newest, incarnation } = connection
      const episode = current(connection)
      if (!episode || (episode.attempts === newest.attempts && episode.waitedMs === newest.waitedMs)) return
      connection.newest = episode
      await write('episode', levels.info, conn, incarnation, episode)
    },

    context(conn) {
      const connection = followed.get(conn)
      if (!connection) return null
      const { tracker, attempt, newest } = connection
      const { online, credentialWorked } = tracker
      const session = online && {
        conn,
        attempt,
        at: new Date(online.since.wallMs).toISOString(),
        bootId: clock.bootId,
        monoMs: online.since.monoMs,
      }
      const episode = newest?.state === 'open' ? newest : null
      return { session, episode, incarnation: connection.incarnation ?? 0, credentialWorked }
    },

    state(conn) {
      const connection = followed.get(conn)
      if (!connection) return null
      const { tracker, newest, incarnation, offlineSinceMs } = connection
      const { online } = tracker
      const episode = newest?.state === 'open' ? current(connection) : null
      return {
        state: online ? 'online' : 'offline',
        since: new Date(online ? online.since.wallMs : offlineSinceMs).toISOString(),
        subscribed: online?.subscribed ?? false,
        incarnation,
        episode,
        lastEpisode: episode ?? newest,
      }
    },
  }
}

const judge = (facts: Omit<Episode, 'verdict' | 'planned'>, evidence: Evidence): Episode => {
  const { verdict, planned } = diagnose(evidence)
  const { id, conn, state, provisional, ...rest } = facts
  return { id, conn, state, provisional, planned, ...rest, verdict }
}

const sayTheSame = (before: Episode, now: Episode): boolean =>
  now.state === 'open' &&
  before.id === now.id &&
  before.verdict.cause === now.verdict.cause &&
  before.verdict.confidence === now.verdict.confidence

/** What a post-mortem cannot do without is on disk before anything goes on; the rest survives `kill -9`. */
const onDisk: ReadonlySet<RecordType> = new Set(['session', 'episode', 'task', 'start', 'stop', 'mark'])

const durabilityOf = (type: RecordType, level: number): Durability =>
  level >= levels.error || onDisk.has(type) ? 'disk' : 'kernel'

const ownEnds: ReadonlySet<ClosedEvent['reason']> = new Set(['shutdown', 'renewal'])

function levelOf(event: WireEvent): number {
  switch (event.type) {
    case 'closed':
      return ownEnds.has(event.reason) ? levels.info : levels.warn
    case 'refused':
    case 'sdkError':
    case 'detached':
      return levels.warn
    case 'pingSent':
    case 'pongReceived':
    case 'bytes':
      return levels.debug
    default:
      return levels.info
  }
}
