/** What `hubrec status` and the method GetStatus answer: of a running daemon, or of what its ring remembers. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Condition } from './conditions.js'
import { AgentError } from './errors.js'
import type { Episode } from './evidence/episode.js'
import { noMemory, readEpisodes, readMemory } from './evidence/read.js'
import { isMissing } from './exists.js'
import type { ConnectionState } from './pipeline.js'
import type { RingState } from './ring/ring.js'
import { type OutboxState, readOutbox } from './upload/outbox.js'
import type { Versions } from './versions.js'

/** `hub` is `null` until a provisioning service has assigned one. */
export type Device = Readonly<{ hub: string | null; deviceId: string; moduleId: string | null }>

export type Status = Readonly<{
  /** `silent`: it runs and does not answer; all else is then from the disk, as where it is down. */
  daemon: 'running' | 'down' | 'silent'
  /** Of one that is silent, where it can be found out. */
  pid?: number | null
  /** RFC 3339; of the last start where the daemon does not answer. */
  startedAt: string | null
  /** The newest record's time, where the daemon does not answer. */
  lastRecordAt?: string | null
  device: Device | null
  connection: Readonly<{
    name: string
    protocol: string
    state: 'online' | 'offline' | 'unknown'
    since: string | null
    sessionAgeMs: number | null
    /** Whether the hub has granted the subscription to methods. */
    methods: boolean
    /** `null` before the first. */
    incarnation: number | null
  }>
  /** The connections of applications that record theirs. */
  applications: readonly ApplicationStatus[]
  /** Sockets of other applications, as they were seen from outside up to half a minute ago. */
  watched: readonly WatchedStatus[]
  /** The outage that goes on. */
  episode: Episode | null
  lastEpisode: Episode | null
  /** Lasting conditions: what does not end by itself and is not an outage. */
  conditions: readonly Condition[]
  ring: (RingState | Readonly<{ bytes: number; budgetBytes: number | null; segments: number }>) &
    Readonly<{ dir: string }>
  outbox: OutboxState
  versions: Partial<Versions>
}>

export type WatchedStatus = Readonly<{
  host: string
  unit: string | null
  state: string
  peer: string
  rttMs: number | null
}>

export type ApplicationStatus = Readonly<{
  conn: string
  name: string
  pid: number
  protocol: string
  state: 'online' | 'offline'
  since: string | null
  episode: Episode | null
  lastEpisode: Episode | null
}>

/** `device` or `device/module`. */
export const deviceName = ({ deviceId, moduleId }: Device): string =>
  moduleId === null ? deviceId : `${deviceId}/${moduleId}`

export type LiveParts = Readonly<{
  startedAtMs: number
  nowMs: number
  device: Device
  conditions: readonly Condition[]
  protocol: string
  state: ConnectionState | null
  applications: readonly Readonly<{ conn: string; name: string; pid: number; state: ConnectionState | null }>[]
  watched: Status['watched']
  ring: RingState
  ringDir: string
  outbox: Status['outbox']
  versions: Status['versions']
}>

export function liveStatus({
  startedAtMs,
  nowMs,
  device,
  conditions,
  protocol,
  state,
  applications,
  watched,
  ring,
  ringDir,
  outbox,
  versions,
}: LiveParts): Status {
  return {
    daemon: 'running',
    startedAt: new Date(startedAtMs).toISOString(),
    device,
    connection: {
      name: 'hubrec',
      protocol,
      state: state?.state ?? 'offline',
      since: state?.since ?? null,
      sessionAgeMs: state?.state === 'online' ? Math.max(0, nowMs - Date.parse(state.since)) : null,
      methods: state?.subscribed ?? false,
      incarnation: state?.incarnation ?? null,
    },
    applications: applications.map(applicationStatus),
    watched,
    episode: state?.episode ?? null,
    lastEpisode: state?.lastEpisode ?? null,
    conditions,
    ring: { dir: ringDir, ...ring },
    outbox,
    versions,
  }
}

const applicationStatus = ({ conn, name, pid, state }: LiveParts['applications'][number]): ApplicationStatus => ({
  conn,
  name,
  pid,
  protocol: state?.protocol ?? 'unknown',
  state: state?.state ?? 'offline',
  since: state?.since ?? null,
  episode: state?.episode ?? null,
  lastEpisode: state?.lastEpisode ?? null,
})

/**
 * What is known without a daemon.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory may not be read, or cannot be
 */
export async function statusFromRing(stateDir: string): Promise<Status> {
  const dir = join(stateDir, 'ring')
  const files = await sizesIn(dir)
  // Before the first start there is no ring, and that is an answer too.
  const memory = files.length === 0 ? noMemory : await readMemory(dir)
  const episodes = files.length === 0 ? [] : await readEpisodes(dir)
  const { lastFacts, lastRecord, openEpisodes } = memory
  const told = (lastFacts?.data ?? {}) as Partial<StartData>
  return {
    daemon: 'down',
    startedAt: memory.startedAt,
    lastRecordAt: lastRecord?.at ?? null,
    device: told.device ?? null,
    connection: {
      name: 'hubrec',
      protocol: told.protocol ?? 'unknown',
      state: 'offline',
      since: lastRecord?.at ?? null,
      sessionAgeMs: null,
      methods: false,
      incarnation: memory.nextInc > 1 ? memory.nextInc - 1 : null,
    },
    applications: [],
    watched: [],
    episode: openEpisodes.findLast(isOurs) ?? null,
    lastEpisode: episodes.findLast(isOurs) ?? null,
    conditions: [],
    ring: {
      dir,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      budgetBytes: told.ringBudgetBytes ?? null,
      segments: files.filter(({ name }) => name.endsWith('.log') || name.endsWith('.gz')).length,
    },
    outbox: await readOutbox(join(stateDir, 'outbox')),
    versions: told.versions ?? {},
  }
}

const isOurs = ({ conn }: Episode): boolean => conn === 'hubrec'

/** A `start` record's data, which each `context` record repeats. */
export type StartData = Readonly<{
  pid: number
  device: Device
  protocol: string
  /** Fingerprint of the credential. */
  credential: string
  configHash: string
  ringBudgetBytes: number
  versions: Versions
  clock: object
}>

async function sizesIn(dir: string): Promise<{ name: string; bytes: number }[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    // Before the first start there is nothing, and below what is no directory there never was.
    if (isMissing(error)) return []
    throw new AgentError('RING_UNREADABLE', `${dir} cannot be read: ${error.code}`, [], { cause: error })
  })
  return Promise.all(
    names.map(async name => ({ name, bytes: await stat(join(dir, name)).then(({ size }) => size, gone) })),
  )
}

/** A file that went while we looked has no size. */
function gone(error: NodeJS.ErrnoException): number {
  if (error.code === 'ENOENT') return 0
  throw error
}
