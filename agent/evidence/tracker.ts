/**
 * From wire events to sessions and episodes, for one connection. Pure: time comes in with the event,
 * what is to be written goes out.
 */
import type { Instant } from '../../transports/clock.js'
import type { ClosedEvent, Failure, LinkRole, Protocol, WireEvent } from '../../transports/wire-event.js'
import { lostForMs } from '../diagnosis/wire-facts.js'
import type { Baseline } from './baseline.js'
import type {
  CredentialUsed,
  Ending,
  Episode,
  Evidence,
  FailedAttempt,
  LinkTrouble,
  PastSession,
  ProtocolChange,
  Verdict,
  WayBack,
} from './episode.js'

/** A `session` record's data. Times are RFC 3339. */
export type SessionData = Readonly<{
  startedAt: string
  endedAt: string
  lastedMs: number
  subscribed: boolean
  /** Which credential was accepted: a fingerprint, so that a later refusal can be told from a new key. */
  credential: string
  closed: ClosedEvent
  /** Of a session that lasted; written beside it. */
  baseline?: Baseline
}>

/** What the pipeline has to write down. */
export type Effect = Readonly<{ do: 'recordSession'; data: SessionData }> | EpisodeEffect

/** Judge the evidence and write the episode's newest version. */
export type EpisodeEffect = Readonly<{
  do: 'recordEpisode'
  facts: EpisodeFacts
  evidence: Omit<Evidence, 'clock' | 'host' | 'probes'>
}>

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
  /** When the attempt that was announced last was to begin; 0 where none was. */
  dueMs: number
  stoodStillMs: number
  /** An application whose process has ended is not there to try, until it dials again. */
  isGone: boolean
  protocolChanges: readonly ProtocolChange[]
  reassignedTo: string | null
}>

/** What an attempt has told so far of its connection, and of its session later. */
type Connection = Readonly<{ credential: CredentialUsed | null; links: readonly DatedTrouble[] }>

type Dialling = Connection &
  Readonly<{
    protocol: Protocol
    host: string
    port: number
    gateway: boolean
    addresses: readonly string[]
    proxy: string | null
    attached: readonly string[]
  }>

type Online = Connection & Readonly<{ since: Instant; subscribed: boolean; renewalRefused: string | null }>

type DatedTrouble = Omit<LinkTrouble, 'beforeEndMs'> & Readonly<{ atMs: number }>

export type Tracker = Readonly<{
  conn: string
  credential: string
  credentialWorked: boolean
  application: boolean
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
  /** The connection is an application's: its SDK decides when to try again, and whether. Left out: it is our own. */
  application?: boolean
  history: readonly PastSession[]
  /** What the last session of a minute or more has left; left out where none is known. */
  baseline?: Baseline | null
  before: Before
}>

export type Step = Readonly<{ tracker: Tracker; effects: readonly Effect[] }>

/** How many sessions a pattern may be seen over. */
export const historyMax = 16

/** How many failed attempts of an episode are kept; above it the middle is left out. */
const failedMax = 64

/** Of what else can grow in one episode or session the newest are kept. */
const fewMax = 8

/** The SDK's retry policy gives up after four minutes, and never waits longer than one between two attempts. */
const sdkPatienceMs = 240_000

/** What follows from a failure is told at once. */
const echoMs = 1_000

/**
 * The start of a run is in an episode until the first session: of what ended the run before, or, at the very
 * first start, of nothing at all, and then it is only worth a record if an attempt fails.
 */
export function begin(remembered: Remembered, now: Instant, newId: () => string): Step {
  const { before, protocol, history, application = false, baseline: _kept, ...identity } = remembered
  const { open, ending } = before
  const episode: OpenEpisode = {
    id: open?.id ?? newId(),
    protocol: open?.protocol ?? protocol,
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
    ...untried(now.bootMs),
  }
  const isGone = application && (ending.kind === 'crash' || ending.kind === 'goodbye')
  const begun = { ...episode, beforeStartMs: durationMs(episode, now), isGone }
  const kept = history.slice(-historyMax)
  const tracker = { ...identity, application, history: kept, dialling: null, online: null, episode: begun }
  return { tracker, effects: ending.kind === 'start' ? [] : [record(tracker, begun, now)] }
}

/** An episode in which nothing was tried yet. */
const untried = (bootMs: number) => ({
  answeredUntilMs: bootMs,
  dueMs: 0,
  stoodStillMs: 0,
  isGone: false,
  protocolChanges: [],
  reassignedTo: null,
})

/**
 * @param newId gives an id to an episode that opens
 * @returns the next state and what to write; an event that says nothing of sessions or episodes changes nothing
 */
export function step(tracker: Tracker, event: WireEvent, now: Instant, newId: () => string): Step {
  switch (event.type) {
    case 'connecting':
      return quiet(connecting(tracker, event, now))
    case 'resolved':
      return quiet(whileDialling(tracker, () => ({ addresses: event.addresses })))
    case 'proxyConnected':
      return quiet(whileDialling(tracker, () => ({ proxy: event.proxy })))
    case 'attached': {
      const { link, role } = event
      const mended = withTroubles(tracker, links => links.filter(trouble => !isDetached(trouble, link, role)))
      return quiet(whileDialling(mended, ({ attached }) => ({ attached: newest([...attached, link]) })))
    }
    case 'detached':
    case 'rejected': {
      const { type: what, link, condition, description } = event
      const role = what === 'detached' ? event.role : null
      const trouble: DatedTrouble = { what, link, role, condition, description, atMs: now.bootMs }
      return quiet(withTroubles(tracker, links => newest([...links, trouble])))
    }
    case 'authorized': {
      const { online } = tracker
      const { status, description } = event
      // The sign-in's own answer is told again as accepted or refused; this is that of a renewal.
      if (online === null) return quiet(tracker)
      const renewalRefused = isGood(status) ? null : `${status} ${description}`.trim()
      return quiet({ ...tracker, online: { ...online, renewalRefused } })
    }
    case 'accepted':
      return accepted(tracker, event.protocol, now)
    case 'refused': {
      const { protocol, code, reason } = event
      // Releases before this one knew only the hub's own refusals, and did not say who had spoken.
      const { step = isMqtt(protocol) ? 'connack' : 'cbs', headers = {} } = event as Partial<typeof event>
      return attemptFailed(tracker, now, {
        stage: step === 'proxy' ? 'tcp' : step === 'upgrade' ? 'upgrade' : 'auth',
        outcome: 'refused',
        step,
        code,
        reason,
        headers: inLowerCase(headers),
      })
    }
    case 'closed':
      if (event.lastedMs !== null) return sessionClosed(tracker, { ...event, lastedMs: event.lastedMs }, now, newId)
      // An attempt that we broke off to stop says nothing about the network.
      if (event.reason === 'shutdown') return quiet({ ...tracker, dialling: null })
      return attemptFailed(tracker, now, {
        stage: event.stage,
        outcome: 'closed',
        closed: event,
        error: event.error,
        certificate: event.certificate,
      })
    case 'subscribed': {
      const { online } = tracker
      return quiet({ ...tracker, online: online && { ...online, subscribed: online.subscribed || event.ok } })
    }
    case 'retryScheduled':
      return quiet(
        withEpisode(tracker, ({ waitedMs }) => ({
          waitedMs: waitedMs + event.delayMs,
          // An application's wait is told when it is over.
          dueMs: now.bootMs + (event.policy === 'application' ? 0 : event.delayMs),
        })),
      )
    case 'protocolChosen': {
      const change = { from: event.from, to: event.protocol, why: event.why }
      return quiet(
        withEpisode(tracker, ({ protocolChanges }) => ({ protocolChanges: newest([...protocolChanges, change]) })),
      )
    }
    case 'provisioningDone': {
      // A question that we broke off to stop says nothing of who was asked.
      if (event.error?.code === 'ABORT_ERR') return quiet(tracker)
      if (!event.ok) return undialled(tracker, 'provisioning', event.protocol, event.error, now)
      return quiet(event.reassigned ? reassigned(tracker, event.hub ?? 'another hub') : tracker)
    }
    case 'sdkError': {
      const { name, message } = event.error
      const said = withEpisode(tracker, ({ sdkSaid }) => ({ sdkSaid: sdkSaid ?? { name, message } }))
      return isUnarmed(tracker, event, now)
        ? undialled(said, 'credential', event.protocol, event.error, now)
        : quiet(said)
    }
    case 'tcpConnected':
    case 'tlsSecured':
    case 'upgraded':
    case 'provisioningStarted':
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
export const openEpisode = (tracker: Tracker, now: Instant): EpisodeEffect | null =>
  tracker.episode && record(tracker, tracker.episode, now)

const quiet = (tracker: Tracker): Step => ({ tracker, effects: [] })

const newest = <T>(values: readonly T[]): readonly T[] => values.slice(-fewMax)

const withEpisode = (tracker: Tracker, change: (episode: OpenEpisode) => Partial<OpenEpisode>): Tracker => ({
  ...tracker,
  episode: tracker.episode && { ...tracker.episode, ...change(tracker.episode) },
})

const whileDialling = (tracker: Tracker, change: (dialling: Dialling) => Partial<Dialling>): Tracker => ({
  ...tracker,
  dialling: tracker.dialling && { ...tracker.dialling, ...change(tracker.dialling) },
})

/** Of the session, or of the attempt that may become one. */
function withTroubles(tracker: Tracker, change: (links: readonly DatedTrouble[]) => readonly DatedTrouble[]): Tracker {
  const { online } = tracker
  if (online !== null) return { ...tracker, online: { ...online, links: change(online.links) } }
  return whileDialling(tracker, ({ links }) => ({ links: change(links) }))
}

const isDetached = (trouble: DatedTrouble, link: string, role: LinkRole): boolean =>
  trouble.what === 'detached' && trouble.link === link && trouble.role === role

const isMqtt = (protocol: Protocol): boolean => protocol === 'mqtt' || protocol === 'mqtt-ws'

const isGood = (status: number): boolean => status >= 200 && status < 300

const inLowerCase = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** There was nothing to sign in with, and so nothing was dialled. */
function isUnarmed(
  { dialling, episode }: Tracker,
  { during, error }: WireEvent & Readonly<{ type: 'sdkError' }>,
  now: Instant,
): boolean {
  if (dialling !== null || episode === null) return false
  const step: string = during
  if (step !== 'identify' && !(step === 'open' && isAboutCredential(error))) return false
  // The provisioning service has failed just now, and this is only what came of it.
  const asked = episode.failed.at(-1)?.outcome === 'provisioning'
  return !(asked && now.bootMs - episode.answeredUntilMs < echoMs)
}

/** How the part that gets the credential names its errors. */
const isAboutCredential = ({ name, from }: Failure): boolean =>
  name === 'CredentialError' || (from !== undefined && isAboutCredential(from))

function connecting(tracker: Tracker, event: WireEvent & Readonly<{ type: 'connecting' }>, now: Instant): Tracker {
  const { protocol, host, port, gateway, credential = null } = event
  const dialling: Dialling = {
    protocol,
    host,
    port,
    gateway,
    credential,
    addresses: [],
    proxy: null,
    attached: [],
    links: [],
  }
  const begun = withEpisode(tracker, episode => {
    const idleMs = idleForMs(tracker, episode, now)
    const first = episode.attempts === 0 && episode.session === null
    return {
      attempts: episode.attempts + 1,
      // Where there was no session to lose, the first attempt says over what.
      protocol: first ? protocol : episode.protocol,
      ...(episode.isGone ? returned(episode, now) : {}),
      // Nobody answers for the time in which nobody tried.
      ...(idleMs === 0
        ? {}
        : {
            stoodStillMs: episode.stoodStillMs + idleMs,
            answeredUntilMs: Math.max(episode.answeredUntilMs, now.bootMs),
          }),
    }
  })
  return { ...begun, dialling }
}

/** The time without a process weighs for what ended it, as that between two runs of our own does. */
const returned = ({ beforeStartMs, answeredUntilMs }: OpenEpisode, now: Instant) => ({
  isGone: false,
  beforeStartMs: beforeStartMs + Math.max(0, now.bootMs - answeredUntilMs),
  answeredUntilMs: now.bootMs,
})

/** How long an application's SDK has not tried although it had announced nothing, if longer than its patience; else 0. */
function idleForMs(
  { application, dialling }: Tracker,
  { answeredUntilMs, dueMs, isGone }: OpenEpisode,
  now: Instant,
): number {
  if (!application || isGone || dialling !== null) return 0
  const idleMs = now.bootMs - Math.max(answeredUntilMs, dueMs)
  return idleMs > sdkPatienceMs ? idleMs : 0
}

function accepted(tracker: Tracker, protocol: Protocol, now: Instant): Step {
  const { episode, dialling } = tracker
  const { credential = null, links = [], host = '', port = 0, proxy = null } = dialling ?? {}
  const next: Tracker = {
    ...tracker,
    credentialWorked: true,
    dialling: null,
    online: { since: now, subscribed: false, renewalRefused: null, credential, links },
    episode: null,
  }
  const nothingHappened = episode === null || (episode.ending.kind === 'start' && episode.failed.length === 0)
  return {
    tracker: next,
    effects: nothingHappened ? [] : [record(tracker, episode, now, { protocol, host, port, proxy })],
  }
}

/** The provisioning service has sent the device elsewhere: that is why what was tried before had failed. */
const reassigned = (tracker: Tracker, hub: string): Tracker =>
  withEpisode(tracker, ({ failed }) => ({
    reassignedTo: hub,
    failed: failed.map(attempt => ({ ...attempt, reassignedTo: attempt.reassignedTo ?? hub })),
  }))

/** What an attempt has met; what is left out was not met. */
type Met = Pick<FailedAttempt, 'stage' | 'outcome'> & Partial<FailedAttempt>

function attemptFailed(tracker: Tracker, now: Instant, met: Met): Step {
  const { dialling } = tracker
  if (dialling === null) return quiet(tracker)
  const { links, ...dialled } = dialling
  return failed(tracker, now, { ...met, ...dialled, links: links.map(trouble => atTheEnd(trouble, now)) })
}

/** The device stays away without dialling: nobody says where to, or it has nothing to sign in with. */
const undialled = (
  tracker: Tracker,
  outcome: 'provisioning' | 'credential',
  protocol: Protocol,
  error: Failure | null,
  now: Instant,
): Step => failed(tracker, now, { stage: null, outcome, protocol, error })

function failed(tracker: Tracker, now: Instant, met: Met & Pick<FailedAttempt, 'protocol'>): Step {
  const { episode } = tracker
  if (episode === null) return quiet(tracker)
  const attempt: FailedAttempt = {
    ...notMet,
    ...met,
    endedMs: now.wallMs,
    answersForMs: Math.max(0, now.bootMs - episode.answeredUntilMs),
  }
  const next: OpenEpisode = {
    ...episode,
    failed: bounded([...episode.failed, attempt]),
    failedCount: episode.failedCount + 1,
    answeredUntilMs: now.bootMs,
  }
  const after = { ...tracker, dialling: null, episode: next }
  return { tracker: after, effects: [record(after, next, now)] }
}

const notMet = {
  step: null,
  code: null,
  reason: '',
  headers: {},
  closed: null,
  error: null,
  certificate: null,
  host: '',
  port: 0,
  gateway: false,
  addresses: [],
  proxy: null,
  attached: [],
  links: [],
  credential: null,
  reassignedTo: null,
} as const

const atTheEnd = ({ atMs, ...trouble }: DatedTrouble, now: Instant): LinkTrouble => ({
  ...trouble,
  beforeEndMs: Math.max(0, now.bootMs - atMs),
})

/** Above the limit the middle goes, but not the time it answers for: a like neighbour takes that on. */
function bounded(failed: readonly FailedAttempt[]): readonly FailedAttempt[] {
  const middle = failedMax / 2
  const left = failed[middle]
  if (failed.length <= failedMax || left === undefined) return failed
  const like = (other: FailedAttempt): boolean =>
    other.outcome === left.outcome &&
    other.stage === left.stage &&
    other.step === left.step &&
    other.code === left.code &&
    other.protocol === left.protocol &&
    other.error?.code === left.error?.code
  const found = failed.findIndex((other, index) => index !== middle && like(other))
  const heir = found === -1 ? middle - 1 : found
  return failed.flatMap((attempt, index) => {
    if (index === middle) return []
    return index === heir ? [{ ...attempt, answersForMs: attempt.answersForMs + left.answersForMs }] : [attempt]
  })
}

/** Deaf from the start, or since the hub took a methods link away. */
function deafForMs({ lastedMs }: Readonly<{ lastedMs: number }>, troubles: readonly LinkTrouble[]): number {
  const lost = troubles.find(({ what, link }) => what === 'detached' && link === 'methods')
  return lost?.beforeEndMs ?? lastedMs
}

function sessionClosed(
  tracker: Tracker,
  event: ClosedEvent & Readonly<{ lastedMs: number }>,
  now: Instant,
  newId: () => string,
): Step {
  const { lastedMs } = event
  const { subscribed = false, credential = null, links = [], renewalRefused = null } = tracker.online ?? {}
  const troubles = links.map(trouble => atTheEnd(trouble, now))
  const lostAgoMs = lostForMs(event)
  const episode: OpenEpisode = {
    id: newId(),
    protocol: event.protocol,
    startedWallMs: now.wallMs - lostAgoMs,
    startedBootMs: now.bootMs - lostAgoMs,
    session: { lastedMs: Math.max(0, Math.round(lastedMs - lostAgoMs)) },
    detectedAfterMs: Math.round(event.reason === 'methods' ? deafForMs(event, troubles) : lostAgoMs),
    attempts: 0,
    waitedMs: 0,
    sdkSaid: null,
    ending: { kind: 'closed', event, subscribed, credential, endedMs: now.wallMs, links: troubles, renewalRefused },
    failed: [],
    failedCount: 0,
    carriedOver: null,
    beforeStartMs: 0,
    ...untried(now.bootMs),
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
  return { tracker: next, effects: [{ do: 'recordSession', data }, record(next, episode, now)] }
}

/** Of the wait that goes on only what has passed of it. */
const waitedUntil = ({ dialling }: Tracker, { waitedMs, dueMs }: OpenEpisode, now: Instant): number =>
  dialling === null ? Math.max(0, waitedMs - Math.max(0, Math.round(dueMs - now.bootMs))) : waitedMs

/** The episode's newest version, closed when it is known how it came back. */
function record(tracker: Tracker, episode: OpenEpisode, now: Instant, cameBack: WayBack | null = null): EpisodeEffect {
  const ended = cameBack === null ? null : now
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
    waitedMs: waitedUntil(tracker, episode, now),
    sdkSaid: episode.sdkSaid,
  }
  const evidence = {
    protocol: episode.protocol,
    ending: episode.ending,
    failed: episode.failed,
    failedCount: episode.failedCount,
    ended: ended !== null,
    cameBack,
    protocolChanges: episode.protocolChanges,
    reassignedTo: episode.reassignedTo,
    application: tracker.application,
    stoodStillMs: episode.stoodStillMs + idleForMs(tracker, episode, now),
    sdkSaid: episode.sdkSaid,
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
