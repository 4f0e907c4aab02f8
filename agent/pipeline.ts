/**
 * The only writer of the ring: what the wire, the sampler and the log tell becomes records, sessions, episodes
 * and verdicts, each through the redactor.
 */
import { randomBytes } from 'node:crypto'
import type { Clock, Instant } from '../transports/clock.js'
import type { ClosedEvent, Protocol, WireEvent } from '../transports/wire-event.js'
import type { Baseline } from './evidence/baseline.js'
import type { Ending, Episode, Evidence } from './evidence/episode.js'
import { createLookout } from './evidence/lookout.js'
import type { ProbeAnswer } from './evidence/probe-answer.js'
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
import { judge as judgeByRules } from './judge.js'
import type { Redactor } from './redact.js'
import { isPlausible } from './release.js'
import type { Durability, RingWriter } from './ring/ring.js'

export type PipelineOptions = Readonly<{
  ring: RingWriter
  redactor: Redactor
  clock: Clock
  /** Whether the host says its clock is synchronised; asked when a verdict is made. */
  synchronised: () => boolean | null
  /** What runs here, as one text: a device that was updated since its last good session is another device. */
  versions?: string
  /** Default: by the rules. */
  judge?: typeof judgeByRules
  /** Told of each verdict that is new or has changed. */
  onEpisode?: (episode: Episode) => void
}>

export interface Pipeline {
  /** Starts to follow a connection: what ended its last run opens the first episode. */
  follow(remembered: Remembered): void
  /** @param told where it was told elsewhere: when it happened, and whether it is in the ring already */
  wire(conn: string, event: WireEvent, incarnation: number, told?: ToldElsewhere): void
  /** With which credential, by its fingerprint, the connection tries from now on. */
  identity(conn: string, fingerprint: string): void
  /**
   * An application has ended: `ending` opens the next episode, or carries an open one on.
   *
   * @param closed what ended with it, where an attempt or a session was open
   */
  end(conn: string, ending: Exclude<Ending, { kind: 'closed' }>, at: Instant, closed: ClosedEvent | null): void
  /** Anything else that is worth a record. Resolves when it is as durable as its type demands. */
  record(type: RecordType, data: Readonly<Record<string, unknown>>, level?: number, conn?: string): Promise<void>
  /**
   * What probes were answered in the open outage of a connection: may make another verdict of it. Without one it is only
   * recorded.
   *
   * @param isRecorded it is in the ring already
   */
  probed(conn: string, answers: readonly ProbeAnswer[], isRecorded?: boolean): void
  /**
   * Writes down what was recorded elsewhere, with the stamps it got there, and counts in no episode. Resolves when the
   * kernel has it.
   */
  recall(drafts: readonly Draft[]): Promise<void>
  /**
   * Writes the newest counts of an open outage, where they have changed: verdicts are written when they change, and
   * attempts and waits count on in between. For a stop, and now and then.
   */
  writeCounts(conn: string, isLast?: boolean): Promise<void>
  /** What a `context` record says of the connection. */
  context(conn: string): Omit<ContextData, 'startedAt'> | null
  /** The names of what is followed, in the order in which it began. */
  connections(): readonly string[]
  /** The connection's state for `status`, with counts as of now. */
  state(conn: string): ConnectionState | null
}

export type ToldElsewhere = Readonly<{ at: Instant; isRecorded?: boolean }>

export type ConnectionState = Readonly<{
  protocol: Protocol
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
  protocol: Protocol
  newest: Episode | null
  incarnation: number | null
  attempt: number
  offlineSinceMs: number
  probed: Readonly<{ episodeId: string; answers: readonly ProbeAnswer[] }> | null
}

export function createPipeline({
  ring,
  redactor,
  clock,
  synchronised,
  versions = '',
  judge = judgeByRules,
  onEpisode,
}: PipelineOptions): Pipeline {
  const lookout = createLookout(() => versions, synchronised)
  const followed = new Map<string, Followed>()
  const newId = (): string => randomBytes(6).toString('hex')

  const write = async (
    type: RecordType,
    level: number,
    conn: string | null,
    inc: number | null,
    data: object,
    { wallMs, monoMs }: Instant = clock.now(),
  ): Promise<void> => {
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

  const apply = (
    conn: string,
    connection: Followed,
    effects: readonly Effect[],
    at: Instant = clock.now(),
    baseline: Baseline | null = null,
  ): void => {
    for (const effect of effects) {
      if (effect.do === 'recordSession') {
        void write(
          'session',
          levels.info,
          conn,
          connection.incarnation,
          baseline ? { ...effect.data, baseline } : effect.data,
          at,
        )
        continue
      }
      const episode = judged(effect)
      // While it is open only a new verdict is news; the counts are written with the next one.
      if (connection.newest && sayTheSame(connection.newest, episode)) continue
      connection.newest = episode
      void write('episode', episode.planned ? levels.info : levels.warn, conn, connection.incarnation, episode, at)
      onEpisode?.(episode)
    }
  }

  const judged = ({ facts, evidence }: EpisodeEffect): Episode =>
    judge(facts, {
      ...evidence,
      clock: clockEvidence(),
      host: lookout.around(facts.conn),
      probes: probesOf(facts),
    })

  const probesOf = ({ conn, id }: Pick<Episode, 'conn' | 'id'>): readonly ProbeAnswer[] => {
    const probed = followed.get(conn)?.probed
    return probed?.episodeId === id ? probed.answers : []
  }

  /** The open outage as it is now. */
  const current = ({ tracker }: Followed): Episode | null => {
    const effect = openEpisode(tracker, clock.now())
    return effect && judged(effect)
  }

  /** What the host has told meanwhile may make another verdict of an outage that is open. */
  const writeNews = async (conn: string, connection: Followed): Promise<void> => {
    const episode = connection.newest?.state === 'open' ? current(connection) : null
    if (!episode || !connection.newest || sayTheSame(connection.newest, episode)) return
    connection.newest = episode
    await write('episode', levels.warn, conn, connection.incarnation, episode)
    onEpisode?.(episode)
  }

  const clockEvidence = (): Evidence['clock'] => {
    const { wallMs } = clock.now()
    return { wallMs, plausible: isPlausible(wallMs), synchronised: synchronised() }
  }

  const openOf = (conn: string, { tracker, attempt, newest }: Followed): Pick<ContextData, 'session' | 'episode'> => {
    const { online } = tracker
    const { bootId } = clock
    const since = online && { at: new Date(online.since.wallMs).toISOString(), bootId, monoMs: online.since.monoMs }
    return { session: since && { conn, attempt, ...since }, episode: newest?.state === 'open' ? newest : null }
  }

  const follow = (remembered: Remembered, at: Instant): void => {
    const { conn, protocol, baseline = null } = remembered
    if (baseline !== null) lookout.recall(conn, baseline)
    const { tracker, effects } = begin(remembered, at, newId)
    const { incarnation = null, attempt = 0, probed = null } = followed.get(conn) ?? {}
    const offlineSinceMs = at.wallMs
    const connection: Followed = { tracker, protocol, newest: null, incarnation, attempt, offlineSinceMs, probed }
    followed.set(conn, connection)
    apply(conn, connection, effects, at)
  }

  return {
    follow: remembered => follow(remembered, clock.now()),

    end(conn, ending, at, closed) {
      const connection = followed.get(conn)
      if (!connection) return
      const { protocol, newest, incarnation } = connection
      const open = newest?.state === 'open' ? current(connection) : null
      if (closed) void write('wire', levelOf(closed), conn, incarnation, closed, at)
      // Of the end of the session only the session is kept: the application's own end is what the episode is about.
      const { tracker, effects } = closed ? step(connection.tracker, closed, at, newId) : { ...connection, effects: [] }
      const baseline = closed && lookout.wire(conn, closed, at.wallMs)
      const sessions = effects.filter(effect => effect.do === 'recordSession')
      apply(conn, connection, sessions, at, baseline)
      const [session = null] = sessions.map(({ data }) => ({ lastedMs: data.lastedMs }))
      const { credential, credentialWorked, history } = tracker
      const before = { ending, at: { wallMs: at.wallMs, bootMs: at.bootMs }, session, open }
      follow({ conn, protocol, credential, credentialWorked, application: true, history, before }, at)
    },

    wire(conn, event, incarnation, { at: now, isRecorded = false } = { at: clock.now() }) {
      if (!isRecorded) void write('wire', levelOf(event), conn, incarnation, event, now)
      const connection = followed.get(conn)
      if (!connection) return
      connection.incarnation = incarnation
      connection.attempt = event.attempt
      connection.protocol = event.protocol
      const wasOnline = connection.tracker.online !== null
      const baseline = lookout.wire(conn, event, now.wallMs)
      const { tracker, effects } = step(connection.tracker, event, now, newId)
      connection.tracker = tracker
      if (wasOnline && tracker.online === null) connection.offlineSinceMs = now.wallMs
      apply(conn, connection, effects, now, baseline)
    },

    identity(conn, fingerprint) {
      const connection = followed.get(conn)
      if (!connection || connection.tracker.credential === fingerprint) return
      connection.tracker = { ...connection.tracker, credential: fingerprint, credentialWorked: false }
    },

    async record(type, data, level = levels.info, conn) {
      const written = write(type, level, conn ?? null, null, data)
      const { wallMs } = clock.now()
      const isNews =
        (type === 'sample' && lookout.sample(data, wallMs)) || (type === 'clock' && lookout.clock(data, wallMs))
      if (isNews) for (const [name, connection] of followed) void writeNews(name, connection)
      await written
    },

    probed(conn, answers, isRecorded = false) {
      if (!isRecorded) void write('sample', levels.info, conn, null, { probes: answers })
      const connection = followed.get(conn)
      if (connection?.newest?.state !== 'open') return
      const { id: episodeId } = connection.newest
      const before = probesOf({ conn, id: episodeId })
      connection.probed = { episodeId, answers: [...before, ...answers] }
      void writeNews(conn, connection)
    },

    async recall(drafts) {
      await Promise.all(drafts.map(draft => ring.append(redactor.json(draft), 'kernel')))
    },

    async writeCounts(conn, isLast = false) {
      const connection = followed.get(conn)
      if (connection?.newest?.state !== 'open') return
      const { newest, incarnation } = connection
      const episode = current(connection)
      if (!episode) return
      // What was waited goes on growing, and is no reason to write but the end.
      const counted = episode.attempts !== newest.attempts || (isLast && episode.waitedMs !== newest.waitedMs)
      // That nothing happens is news too: an application's SDK may have stopped trying.
      const isNews = !sayTheSame(newest, episode)
      if (!counted && !isNews) return
      connection.newest = episode
      await write('episode', isNews ? levels.warn : levels.info, conn, incarnation, episode)
      if (isNews) onEpisode?.(episode)
    },

    context(conn) {
      const connection = followed.get(conn)
      if (!connection) return null
      const { credentialWorked } = connection.tracker
      const others = [...followed].filter(([name]) => name !== conn)
      const applications = others.map(([name, other]) => openOf(name, other)).filter(isAnything)
      const incarnation = Math.max(...[...followed.values()].map(each => each.incarnation ?? 0))
      const said = { ...openOf(conn, connection), incarnation, credentialWorked }
      return applications.length === 0 ? said : { ...said, applications }
    },

    connections: () => [...followed.keys()],

    state(conn) {
      const connection = followed.get(conn)
      if (!connection) return null
      const { tracker, newest, incarnation, offlineSinceMs } = connection
      const { online } = tracker
      const episode = newest?.state === 'open' ? current(connection) : null
      return {
        protocol: connection.protocol,
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

const isAnything = ({ session, episode }: Pick<ContextData, 'session' | 'episode'>): boolean =>
  session !== null || episode !== null

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
    case 'rejected':
    case 'protocolChosen':
      return levels.warn
    case 'provisioningDone':
      return event.ok ? levels.info : levels.warn
    case 'pingSent':
    case 'pongReceived':
    case 'bytes':
      return levels.debug
    default:
      return levels.info
  }
}
