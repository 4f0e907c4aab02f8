/** From records to the items of a report's timeline. Pure: a record goes in, what is known by it comes out. */
import type { Failure, Protocol, Stage } from '../../transports/wire-event.js'
import { episodeOf } from '../evidence/read.js'
import { type InferredGap, type LogRecord, levels, type RecordType } from '../evidence/record.js'
import { words } from '../evidence/sentence.js'
import type { Attempt, AttemptStep, LeftOut, Session, TimelineItem } from './report.js'

type AnyRecord = LogRecord | InferredGap
type Data = Readonly<Record<string, unknown>>

/** Finds the episode of a connection (of any, for `null`) that went on at a time; `null` where there was none. */
export type EpisodeAt = (conn: string | null, atMs: number) => string | null

/** The first of an episode, and the last; what is between them is counted. */
const firstMax = 60
const lastMax = 20

/** Of what belongs to no outage, which is not much of any report. */
const strayMax = 2_000

/** Bounds what records of a stranger can make us hold. */
const connectionsMax = 1_000

const types: ReadonlySet<RecordType> = new Set<RecordType>([
  'wire',
  'session',
  'episode',
  'log',
  'gap',
  'mark',
  'start',
  'stop',
  'clock',
  'condition',
  'sample',
])

/** Of the wire what is no step of an attempt and would only make a report longer. */
const silentEvents: ReadonlySet<unknown> = new Set(['bytes', 'pingSent', 'packetSent', 'packetReceived'])

/** Whether a report can have a use for it: only then it has to be redacted. */
export function isOfUse({ type, level, data }: AnyRecord): boolean {
  if (type === 'log') return level >= levels.warn
  return types.has(type) && !(type === 'wire' && silentEvents.has(data.type))
}

export class Timeline {
  /** By connection: the attempt that goes on, the outage that is open, the session that is. */
  readonly #attempts = new Map<string | null, Attempt>()
  readonly #open = new Map<string | null, string>()
  readonly #sessions = new Map<string | null, string>()
  readonly #said = new Map<string, Said>()
  #strays = 0

  constructor(private readonly episodeAt: EpisodeAt) {}

  /** @param record redacted */
  add(record: AnyRecord): readonly TimelineItem[] {
    const { type, at, conn, data } = record
    switch (type) {
      case 'wire':
        return this.#wire(record)
      case 'session':
        return [{ kind: 'session', conn, ...sessionOf(record) }]
      case 'episode':
        return this.#episode(record)
      case 'gap':
        return [{ kind: 'gap', at, ...gapOf(data) }]
      case 'mark':
        return [{ kind: 'mark', at, id: textOf(data.id) ?? '', note: textOf(data.note) ?? '' }]
      case 'start':
        // Whatever was under way in the run before has no end but this.
        return [...this.#runEnds(at), { kind: type, at }]
      case 'stop':
        return [{ kind: type, at }]
      case 'sample':
        return Array.isArray(data.probes) ? this.#event(record) : []
      case 'log':
      case 'clock':
      case 'condition':
        return this.#event(record)
      default:
        return []
    }
  }

  /** @param toMs the end of the window */
  end(toMs: number): readonly TimelineItem[] {
    const unfinished = [...this.#attempts.values()].flatMap(attempt => this.#say(attempt, attempt.startedAt))
    const told = [...this.#said.keys()].flatMap(id => this.#finish(id))
    const open = [...this.#sessions].map(
      ([conn, startedAt]): Session => ({
        kind: 'session',
        conn,
        startedAt,
        endedAt: null,
        lastedMs: Math.max(0, toMs - Date.parse(startedAt)),
        how: null,
      }),
    )
    return [...unfinished, ...told, ...open]
  }

  #runEnds(at: string): readonly TimelineItem[] {
    const unfinished = [...this.#attempts.values()]
    this.#attempts.clear()
    this.#sessions.clear()
    return unfinished.flatMap(attempt => this.#say(attempt, at))
  }

  #wire(record: AnyRecord): readonly TimelineItem[] {
    const { at, conn, data } = record
    const begun = this.#attempts.get(conn)
    const episode = this.#episodeOf(conn, at)
    switch (data.type) {
      case 'connecting': {
        if (this.#attempts.size < connectionsMax || begun) this.#attempts.set(conn, begunBy(record, episode))
        return begun ? this.#say(begun, at) : []
      }
      case 'resolved':
      case 'tcpConnected':
      case 'proxyConnected':
      case 'tlsSecured':
      case 'upgraded':
      case 'authorized': {
        const step = stepOf(data)
        if (begun && step) this.#attempts.set(conn, { ...begun, steps: [...begun.steps, step].slice(0, 16) })
        return []
      }
      case 'accepted': {
        if (this.#sessions.size < connectionsMax) this.#sessions.set(conn, at)
        const steps = [...(begun?.steps ?? []), ...[stepOf(data)].filter(step => step !== null)]
        return begun ? this.#ended(conn, { ...begun, endedAt: at, outcome: 'accepted', steps }, at) : []
      }
      case 'refused': {
        const ended = { ...(begun ?? begunBy(record, episode)), endedAt: at, outcome: 'refused' } as const
        const how = said(data.step, data.code)
        return this.#ended(conn, { ...ended, stage: refusedAt(data.step), how, reason: textOf(data.reason) }, at)
      }
      case 'closed': {
        // The end of a session is told by the session.
        if (typeof data.lastedMs === 'number' || data.stage === 'session') {
          this.#sessions.delete(conn)
          return []
        }
        const ended = { ...(begun ?? begunBy(record, episode)), endedAt: at, outcome: 'closed' } as const
        const { stage, error, reason } = data
        const told = {
          stage: textOf(stage) as Stage | null,
          how: howOf(data),
          reason: textOf(reason),
          error: failureOf(error),
        }
        return this.#ended(conn, { ...ended, ...told }, at)
      }
      case 'provisioningDone': {
        if (data.ok === true) return this.#event(record)
        const error = failureOf(data.error)
        return this.#say({ ...begunBy(record, episode), endedAt: at, outcome: 'notDialled', error }, at)
      }
      case 'retryScheduled': {
        const delayMs = typeof data.delayMs === 'number' ? data.delayMs : 0
        return this.#say({ kind: 'wait', episode, conn, at, delayMs, policy: textOf(data.policy) }, at)
      }
      case 'sdkError':
      case 'protocolChosen':
      case 'detached':
      case 'rejected':
        return this.#event(record)
      default:
        return []
    }
  }

  #ended(conn: string | null, attempt: Attempt, at: string): readonly TimelineItem[] {
    this.#attempts.delete(conn)
    return this.#say(attempt, at)
  }

  #episode(record: AnyRecord): readonly TimelineItem[] {
    const episode = episodeOf(record)
    if (!episode) return []
    const before = this.#open.get(episode.conn)
    if (episode.state === 'closed') this.#open.delete(episode.conn)
    else if (this.#open.size < connectionsMax || before !== undefined) this.#open.set(episode.conn, episode.id)
    const isOver = episode.state === 'closed' ? episode.id : before !== episode.id ? before : undefined
    return isOver === undefined ? [] : this.#finish(isOver)
  }

  #event(record: AnyRecord): readonly TimelineItem[] {
    const { at, conn, level, type } = record
    const episode = this.#episodeOf(conn, at)
    // Of a connection nothing is worth a line while it works.
    if (episode === null && conn !== null) return []
    return this.#say({ kind: 'event', episode, conn, at, level, type, text: words(record) }, at)
  }

  #episodeOf(conn: string | null, at: string): string | null {
    const open = conn === null ? ([...this.#open.values()][0] ?? null) : (this.#open.get(conn) ?? null)
    return open ?? this.episodeAt(conn, Date.parse(at))
  }

  /** Not more of an episode than somebody reads. */
  #say(item: TimelineItem & { episode: string | null; conn: string | null }, at: string): readonly TimelineItem[] {
    const { episode: id, conn } = item
    if (id === null) {
      this.#strays += 1
      return this.#strays <= strayMax ? [item] : []
    }
    const said = this.#said.get(id) ?? { conn, count: 0, last: [], leftOut: 0, at }
    said.count += 1
    said.at = at
    this.#said.set(id, said)
    if (said.count <= firstMax) return [item]
    said.last.push(item)
    if (said.last.length <= lastMax) return []
    said.last.shift()
    said.leftOut += 1
    return []
  }

  #finish(id: string): readonly TimelineItem[] {
    const said = this.#said.get(id)
    if (!said) return []
    this.#said.delete(id)
    const { leftOut: count, conn, at, last } = said
    const leftOut: readonly LeftOut[] = count === 0 ? [] : [{ kind: 'leftOut', episode: id, conn, at, count }]
    return [...leftOut, ...last]
  }
}

/** What was told of an episode, and what is held back of it until it is over. */
type Said = { conn: string | null; count: number; last: TimelineItem[]; leftOut: number; at: string }

const begunBy = ({ at, conn, data }: AnyRecord, episode: string | null): Attempt => ({
  kind: 'attempt',
  episode,
  conn,
  startedAt: at,
  endedAt: null,
  protocol: (textOf(data.protocol) as Protocol | null) ?? null,
  host: textOf(data.host),
  port: typeof data.port === 'number' ? data.port : null,
  outcome: 'unfinished',
  steps: [],
  stage: null,
  how: null,
  reason: null,
  error: null,
})

function stepOf(data: Data): AttemptStep | null {
  const [step, result] = steps.get(data.type) ?? []
  return step ? { step, ms: typeof data.ms === 'number' ? data.ms : 0, result: result?.(data) ?? null } : null
}

const steps: ReadonlyMap<unknown, readonly [AttemptStep['step'], ((data: Data) => string | null)?]> = new Map<
  unknown,
  readonly [AttemptStep['step'], ((data: Data) => string | null)?]
>([
  ['resolved', ['dns', ({ addresses }) => (Array.isArray(addresses) ? addresses.slice(0, 8).join(', ') : null)]],
  ['tcpConnected', ['tcp', ({ address }) => textOf(address)]],
  ['proxyConnected', ['proxy', ({ proxy }) => textOf(proxy)]],
  ['tlsSecured', ['tls', ({ version, cipher }) => said(version, cipher)]],
  ['upgraded', ['upgrade', ({ status }) => said(status)]],
  ['authorized', ['auth', ({ status, description }) => said(status, description)]],
  ['accepted', ['accepted']],
])

/** As the tracker of episodes has it: a proxy refuses after TCP, a web server the upgrade, the hub itself the sign-in. */
const refusedAt = (step: unknown): Stage => (step === 'proxy' ? 'tcp' : step === 'upgrade' ? 'upgrade' : 'auth')

const howOf = ({ by, how }: Data): string | null => said(by, how)

function sessionOf({ at, data }: AnyRecord): Omit<Session, 'kind' | 'conn'> {
  const lastedMs = typeof data.lastedMs === 'number' ? data.lastedMs : 0
  const endedAt = isTime(data.endedAt) ? data.endedAt : at
  const startedAt = isTime(data.startedAt) ? data.startedAt : new Date(Date.parse(endedAt) - lastedMs).toISOString()
  return { startedAt, endedAt, lastedMs, how: isObject(data.closed) ? howOf(data.closed) : null }
}

function gapOf(data: Data): { reason: string; count: number; fromSeq: number | null; toSeq: number | null } {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
  const { reason, count, fromSeq, toSeq } = data
  return {
    reason: textOf(reason) ?? 'unknown',
    count: number(count) ?? 0,
    fromSeq: number(fromSeq),
    toSeq: number(toSeq),
  }
}

const isObject = (value: unknown): value is Data => typeof value === 'object' && value !== null

/** The words and numbers among them; `null` where there are none. */
function said(...values: readonly unknown[]): string | null {
  const words = values.filter(value => typeof value === 'number' || (typeof value === 'string' && value !== ''))
  return words.length === 0 ? null : words.join(' ')
}

const isTime = (value: unknown): value is string => typeof value === 'string' && !Number.isNaN(Date.parse(value))

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

const failureOf = (value: unknown): Failure | null => (isObject(value) ? (value as Failure) : null)
