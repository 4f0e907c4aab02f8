/**
 * From wire events to sessions and episodes, for one connection. Pure: time comes in with the event,
 * what is to be written goes out.
 */
import type { Instant } from '../../transports/clock.js'
import type { ClosedEvent, Protocol, WireEvent } from '../../transports/wire-event.js'
import { wasSilent } from '../diagnosis/wire-facts.js'
import type { Ending, Episode, Evidence, FailedAttempt, PastSession, Verdict } from './episode.js'

/** A `session` record's data. Times are RFC 3339. */
export type SessionData = Readonly<{
  startedAt: string
  endedAt: string
  lastedMs: number
  subscribed: boolean
  /** Which credential was accepted: a fingerprint, so that a later refusal can be told from a new key. */
  credential: string
  closed: ClosedEvent
}>

/** What the pipeline has to write down. */
export type Effect = Readonly<{ do: 'recordSession'; data: SessionData }> | EpisodeEffect

/** Judge the evidence and write the episode's newest version. */
export type EpisodeEffect = Readonly<{ do: 'recordEpisode'; facts: EpisodeFacts; evidence: Omit<Evidence, 'clock'> }>

/** An episode without its verdict. */
export type EpisodeFacts = Omit<Episode, 'verdict' | 'planned'>

type OpenEpisode = Readonly<{
  id: string
  protocol: Protocol
  startedWallMs: number
  /** `null` when it began in another boot: then only the wall clock is left. */
  startedBootMs: number | null
  session: Readonly<{ lastedMs: number }> | null
  detectedAfterMs: number | null
  attempts: number
  waitedMs: number
  sdkSaid: Readonly<{ name: string; message: string }> | null
  ending: Ending
  failed: readonly FailedAttempt[]
  failedCount: number
  carriedOver: Verdict | null
  beforeStartMs: number
  /** When the last attempt ended, or the episode began. */
  answeredUntilMs: number
}>

type Dialling = Readonly<{ host: string; port: number; gateway: boolean; addresses: readonly string[] }>

type Online = Readonly<{ since: Instant; subscribed: boolean }>

export type Tracker = Readonly<{
  conn: string
  credential: string
  credentialWorked: boolean
  history: readonly PastSession[]
  dialling: Dialling | null
  online: Online | null
  episode: OpenEpisode | null
}>

/** What the ring remembers of the run before. */
export type Before = Readonly<{
  ending: Exclude<Ending, { kind: 'closed' }>
  /** When it ended: the last record, or this start where there is none. `bootMs` is null when that was another boot. */
  at: Readonly<{ wallMs: number; bootMs: number | null }>
  /** The session that was open then. */
  session: Readonly<{ lastedMs: number }> | null
  /** An episode that was open then and goes on now. */
  open: Episode | null
}>

export type Remembered = Readonly<{
  conn: string
  protocol: Protocol
  credential: string
  credentialWorked: boolean
  history: readonly PastSession[]
  before: Before
}>

export type Step = Readonly<{ tracker: Tracker; effects: readonly Effect[] }>

/** How many sessions a pattern may be seen over. */
export const historyMax = 16

/** How many failed attempts of an episode are kept; above it the middle is left out. */
const failedMax = 64

/**
 * The start of a run is in an episode until the first session: of what ended the run before, or, at the very
 * first start, of nothing at all, and then it is only worth a record if an attempt fails.
 */
export function begin(remembered: Remembered, now: Instant, newId: () => string): Step {
  const { before, protocol, history, ...identity } = remembered
  const { open, ending } = before
  const episode: OpenEpisode = {
    id: open?.id ?? newId(),
    protocol,
    startedWallMs: open ? Date.parse(open.startedAt) : before.at.wallMs,
    startedBootMs: open ? null : before.at.bootMs,
    session: open ? open.session : before.session,
    detectedAfterMs: open?.detectedAfterMs ?? null,
    attempts: open?.attempts ?? 0,
    waitedMs: open?.waitedMs ?? 0,
    sdkSaid: open?.sdkSaid ?? null,
    ending,
    failed: [],
    failedCount: 0,
    carriedOver: open?.verdict ?? null,
    beforeStartMs: 0,
    answeredUntilMs: now.bootMs,
  }
  const begun = { ...episode, beforeStartMs: durationMs(episode, now) }
  const tracker = { ...identity, history: history.slice(-historyMax), dialling: null, online: null, episode: begun }
  return { tracker, effects: ending.kind === 'start' ? [] : [record(tracker, begun, null)] }
}

/**
 * @param newId gives an id to an episode that opens
 * @returns the next state and what to write; an event that says nothing of sessions or episodes changes nothing
 */
export function step(tracker: Tracker, event: WireEvent, now: Instant, newId: () => string): Step {
  switch (event.type) {
    case 'connecting': {
      const { host, port, gateway } = event
      const dialled = { ...tracker, dialling: { host, port, gateway, addresses: [] } }
      return quiet(withEpisode(dialled, ({ attempts }) => ({ attempts: attempts + 1 })))
    }
    case 'resolved': {
      const { dialling } = tracker
      return quiet({ ...tracker, dialling: dialling && { ...dialling, addresses: event.addresses } })
    }
    case 'accepted':
      return accepted(tracker, now)
    case 'refused':
      return attemptFailed(tracker, now, {
        stage: 'auth',
        outcome: 'refused',
        code: event.code,
        closed: null,
        error: null,
        certificate: null,
      })
    case 'closed':
      if (event.lastedMs !== null) return sessionClosed(tracker, { ...event, lastedMs: event.lastedMs }, now, newId)
      // An attempt that we broke off to stop says nothing about the network.
      if (event.reason === 'shutdown') return quiet({ ...tracker, dialling: null })
      return attemptFailed(tracker, now, {
        stage: event.stage,
        outcome: 'closed',
        code: null,
        closed: event,
        error: event.error,
        certificate: event.certificate,
      })
    case 'subscribed': {
      const { online } = tracker
      return quiet({ ...tracker, online: online && { ...online, subscribed: online.subscribed || event.ok } })
    }
    case 'retryScheduled':
      return quiet(withEpisode(tracker, ({ waitedMs }) => ({ waitedMs: waitedMs + event.delayMs })))
    case 'sdkError': {
      const { name, message } = event.error
      return quiet(withEpisode(tracker, ({ sdkSaid }) => ({ sdkSaid: sdkSaid ?? { name, message } })))
    }
    case 'tcpConnected':
    case 'proxyConnected':
    case 'tlsSecured':
    case 'upgraded':
    case 'authorized':
    case 'attached':
    case 'detached':
    case 'pingSent':
    case 'pongReceived':
    case 'bytes':
    case 'renewalStarted':
    case 'renewalDone':
      return quiet(tracker)
    // No default: a forgotten event then fails to compile.
  }
}

/** The newest version of the outage that is open, with its counts as of now. */
export const openEpisode = (tracker: Tracker): EpisodeEffect | null =>
  tracker.episode && record(tracker, tracker.episode, null)

const quiet = (tracker: Tracker): Step => ({ tracker, effects: [] })

const withEpisode = (tracker: Tracker, change: (episode: OpenEpisode) => Partial<OpenEpisode>): Tracker => ({
  ...tracker,
  episode: tracker.episode && { ...tracker.episode, ...change(tracker.episode) },
})

function accepted(tracker: Tracker, now: Instant): Step {
  const next: Tracker = {
    ...tracker,
    credentialWorked: true,
    dialling: null,
    online: { since: now, subscribed: false },
    episode: null,
  }
  const { episode } = tracker
  const nothingHappened = episode === null || (episode.ending.kind === 'start' && episode.failed.length === 0)
  return { tracker: next, effects: nothingHappened ? [] : [record(tracker, episode, now)] }
}

function attemptFailed(
  tracker: Tracker,
  now: Instant,
  met: Omit<FailedAttempt, 'host' | 'port' | 'gateway' | 'addresses' | 'answersForMs'>,
): Step {
  const { episode, dialling } = tracker
  if (episode === null || dialling === null) return quiet(tracker)
  const answersForMs = Math.max(0, now.bootMs - episode.answeredUntilMs)
  const failed = bounded([...episode.failed, { ...met, ...dialling, answersForMs }])
  const next: OpenEpisode = {
    ...episode,
    failed,
    failedCount: episode.failedCount + 1,
    answeredUntilMs: now.bootMs,
  }
  const after = { ...tracker, dialling: null, episode: next }
  return { tracker: after, effects: [record(after, next, null)] }
}

/** Above the limit the middle goes, but not the time it answers for: a like neighbour takes that on. */
function bounded(failed: readonly FailedAttempt[]): readonly FailedAttempt[] {
  const middle = failedMax / 2
  const left = failed[middle]
  if (failed.length <= failedMax || left === undefined) return failed
  const like = (other: FailedAttempt): boolean =>
    other.stage === left.stage && other.code === left.code && other.error?.code === left.error?.code
  const found = failed.findIndex((other, index) => index !== middle && like(other))
  const heir = found === -1 ? middle - 1 : found
  return failed.flatMap((attempt, index) => {
    if (index === middle) return []
    return index === heir ? [{ ...attempt, answersForMs: attempt.answersForMs + left.answersForMs }] : [attempt]
  })
}

function sessionClosed(
  tracker: Tracker,
  event: ClosedEvent & Readonly<{ lastedMs: number }>,
  now: Instant,
  newId: () => string,
): Step {
  const { lastedMs, silentMs } = event
  const subscribed = tracker.online?.subscribed ?? false
  const lostAgoMs = wasSilent(event) ? silentMs : 0
  const episode: OpenEpisode = {
    id: newId(),
    protocol: event.protocol,
    startedWallMs: now.wallMs - lostAgoMs,
    startedBootMs: now.bootMs - lostAgoMs,
    session: { lastedMs: Math.max(0, Math.round(lastedMs - lostAgoMs)) },
    detectedAfterMs: Math.round(event.reason === 'methods' ? lastedMs : lostAgoMs),
    attempts: 0,
    waitedMs: 0,
    sdkSaid: null,
    ending: { kind: 'closed', event, subscribed },
    failed: [],
    failedCount: 0,
    carriedOver: null,
    beforeStartMs: 0,
    answeredUntilMs: now.bootMs,
  }
  const data: SessionData = {
    startedAt: new Date(now.wallMs - lastedMs).toISOString(),
    endedAt: new Date(now.wallMs).toISOString(),
    lastedMs,
    subscribed,
    credential: tracker.credential,
    closed: event,
  }
  const past = { startedMs: now.wallMs - lastedMs, endedMs: now.wallMs, lastedMs, subscribed, closed: event }
  const history = [...tracker.history, past].slice(-historyMax)
  const next = { ...tracker, history, dialling: null, online: null, episode }
  return { tracker: next, effects: [{ do: 'recordSession', data }, record(next, episode, null)] }
}

/** The episode's newest version, closed when `ended` is given. */
function record(tracker: Tracker, episode: OpenEpisode, ended: Instant | null): EpisodeEffect {
  const facts: EpisodeFacts = {
    id: episode.id,
    conn: tracker.conn,
    state: ended ? 'closed' : 'open',
    provisional: ended === null,
    protocol: episode.protocol,
    startedAt: new Date(episode.startedWallMs).toISOString(),
    endedAt: ended && new Date(ended.wallMs).toISOString(),
    durationMs: ended && durationMs(episode, ended),
    session: episode.session,
    detectedAfterMs: episode.detectedAfterMs,
    attempts: episode.attempts,
    waitedMs: episode.waitedMs,
    sdkSaid: episode.sdkSaid,
  }
  const evidence = {
    protocol: episode.protocol,
    ending: episode.ending,
    failed: episode.failed,
    failedCount: episode.failedCount,
    ended: ended !== null,
    history: tracker.history,
    credentialWorked: tracker.credentialWorked,
    carriedOver: episode.carriedOver,
    beforeStartMs: episode.beforeStartMs,
  }
  return { do: 'recordEpisode', facts, evidence }
}

/** By the clock that counts suspended time; over a reboot only the wall clock is left. */
const durationMs = ({ startedBootMs, startedWallMs }: OpenEpisode, ended: Instant): number =>
  Math.max(0, Math.round(startedBootMs === null ? ended.wallMs - startedWallMs : ended.bootMs - startedBootMs))
