/**
 * Records, from a ring or a file, through the same tracker and the same rules as when they were made: which episodes and verdicts
 * this release makes of them. What was decided then, and stands in `episode` records, is not looked at. Pure.
 */
import type { Instant } from '../transports/clock.js'
import type { WireEvent } from '../transports/wire-event.js'
import type { Baseline } from './evidence/baseline.js'
import type { Ending, Episode } from './evidence/episode.js'
import { createLookout } from './evidence/lookout.js'
import type { ProbeAnswer } from './evidence/probe-answer.js'
import { probesIn } from './evidence/probed.js'
import { type LogRecord, levels } from './evidence/record.js'
import { begin, type Effect, openEpisode, step, type Tracker } from './evidence/tracker.js'
import { judge } from './judge.js'
import { isPlausible } from './release.js'
import { describeVersions, type Versions } from './versions.js'

export interface Replay {
  /**
   * Records in the order in which they were written.
   *
   * @throws TypeError for a record that says something else than its type promises; the others are not touched by it
   */
  take(record: LogRecord): void
  /** The newest version of each episode, in the order in which they began. */
  episodes(): readonly Episode[]
}

export function createReplay(): Replay {
  const found = new Map<string, Episode>()
  const trackers = new Map<string, Tracker>()
  const baselines = new Map<string, Baseline>()
  /** By the episode in which they were asked. */
  const probed = new Map<string, readonly ProbeAnswer[]>()
  const time = continuousTime()
  let synchronised: boolean | null = null
  let versions = ''
  let credential = ''
  let last: LogRecord | null = null
  let goodbye: string | null = null
  const look = () =>
    createLookout(
      () => versions,
      () => synchronised,
    )
  let lookout = look()
  let ids = 0
  const newId = (): string => `replayed-${++ids}`

  const keep = (conn: string, effects: readonly Effect[], now: Instant): void => {
    for (const effect of effects) {
      if (effect.do !== 'recordEpisode') continue
      const { wallMs } = now
      const clock = { wallMs, plausible: isPlausible(wallMs), synchronised }
      const episode = judge(effect.facts, {
        ...effect.evidence,
        clock,
        host: lookout.around(conn),
        probes: probed.get(effect.facts.id) ?? [],
      })
      found.set(episode.id, episode)
    }
  }

  const follow = (
    conn: string,
    event: WireEvent,
    now: Instant,
    ending: Exclude<Ending, { kind: 'closed' }>,
  ): Tracker => {
    const before = { ending, at: { wallMs: now.wallMs, bootMs: now.bootMs }, session: null, open: null }
    const remembered = { conn, protocol: event.protocol, credential, credentialWorked: false, history: [], before }
    const { tracker, effects } = begin({ ...remembered, application: conn !== ownName }, now, newId)
    trackers.set(conn, tracker)
    keep(conn, effects, now)
    return tracker
  }

  const wire = (conn: string, event: WireEvent, now: Instant): void => {
    const before = trackers.get(conn) ?? follow(conn, event, now, { kind: 'start' })
    const next = step(before, event, now, newId) as ReturnType<typeof step> | undefined
    // Of a release that tells more than this one knows.
    if (next === undefined) return
    const baseline = lookout.wire(conn, event, now.wallMs)
    if (baseline !== null) baselines.set(conn, baseline)
    trackers.set(conn, next.tracker)
    keep(conn, next.effects, now)
  }

  /** What the host tells meanwhile may make another verdict of an outage that is open; and time passes. */
  const judgeAnew = (now: Instant): void => {
    for (const [conn, tracker] of trackers) {
      // Before the first failure there is no episode at the very first start.
      const open = tracker.episode && found.has(tracker.episode.id) ? openEpisode(tracker, now) : null
      if (open) keep(conn, [open], now)
    }
  }

  /** @returns whether probes were answered in an outage that is open */
  const answered = ({ conn, data }: LogRecord): boolean => {
    const answers = conn === null ? null : probesIn(data)
    const id = conn === null ? undefined : trackers.get(conn)?.episode?.id
    if (answers === null || id === undefined) return false
    probed.set(id, [...(probed.get(id) ?? []), ...answers])
    return true
  }

  /** What ended the run before opens, or carries on, an episode of our own connection. */
  const started = (record: LogRecord, now: Instant): void => {
    const { data } = record
    // A new process has seen nothing of the host, and remembers what good sessions have left.
    lookout = look()
    for (const [conn, baseline] of baselines) lookout.recall(conn, baseline)
    const known = trackers.get(ownName)
    synchronised = synchronisedIn(data.clock) ?? synchronised
    if (known !== undefined && last !== null) {
      const ending: Exclude<Ending, { kind: 'closed' }> =
        goodbye === null
          ? { kind: 'crash', rebooted: last.bootId !== record.bootId }
          : { kind: 'goodbye', why: goodbye }
      const at = time.of(last)
      const open =
        known.episode && [...found.values()].findLast(({ conn, state }) => conn === ownName && state === 'open')
      const session = known.online && { lastedMs: Math.max(0, Math.round(at.bootMs - known.online.since.bootMs)) }
      const { history, credentialWorked } = known
      const before = { ending, at: { wallMs: at.wallMs, bootMs: at.bootMs }, session, open: open ?? null }
      const protocol = open?.protocol ?? 'mqtt'
      const { tracker, effects } = begin(
        { conn: ownName, protocol, credential: known.credential, credentialWorked, history, before },
        now,
        newId,
      )
      trackers.set(ownName, tracker)
      keep(ownName, effects, now)
    }
    goodbye = null
  }

  const identified = ({ data }: LogRecord): void => {
    const { credential: fingerprint, versions: told } = data
    if (told !== undefined) versions = describeVersions(told as Versions)
    if (typeof fingerprint !== 'string' || fingerprint === credential) return
    credential = fingerprint
    const own = trackers.get(ownName)
    if (own) trackers.set(ownName, { ...own, credential, credentialWorked: false })
  }

  return {
    take(record) {
      // What was written down later, from the verbose file, is not what verdicts were made of.
      if (record.level <= levels.trace) return
      const now = time.of(record)
      switch (record.type) {
        case 'start':
        case 'context':
          if (record.type === 'start') started(record, now)
          identified(record)
          break
        case 'stop':
          goodbye = typeof record.data.why === 'string' ? record.data.why : 'unknown'
          break
        case 'sample':
          synchronised = synchronisedIn(record.data.clock) ?? synchronised
          if (answered(record) || lookout.sample(record.data, now.wallMs)) judgeAnew(now)
          break
        case 'clock':
          time.suspended(record)
          if (lookout.clock(record.data, now.wallMs)) judgeAnew(now)
          break
        case 'wire':
          if (record.conn !== null) wire(record.conn, record.data as WireEvent, now)
          break
      }
      if (record.type !== 'gap') last = record
    },
    episodes() {
      if (last !== null) judgeAnew(time.of(last))
      return [...found.values()].sort((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt))
    },
  }
}

/** The daemon's own connection; any other is an application's. */
const ownName = 'hubrec'

function synchronisedIn(clock: unknown): boolean | null {
  const { synchronised } = (clock ?? {}) as Readonly<Record<string, unknown>>
  return typeof synchronised === 'boolean' ? synchronised : null
}

/** One axis over several boots: within each the monotonic clock counts, and what it does not count of a sleep is told by a record. */
function continuousTime(): { of(record: LogRecord): Instant; suspended(record: LogRecord): void } {
  const boots = new Map<string, number>()
  return {
    of({ at, bootId, monoMs }) {
      const wallMs = Date.parse(at)
      const offsetMs = boots.get(bootId) ?? wallMs - monoMs
      boots.set(bootId, offsetMs)
      return { wallMs, monoMs, bootMs: monoMs + offsetMs }
    },
    suspended({ bootId, data }) {
      const { suspendedMs } = data
      if (typeof suspendedMs === 'number') boots.set(bootId, (boots.get(bootId) ?? 0) + suspendedMs)
    },
  }
}
