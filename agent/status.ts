/** What `hubrec status` and the method GetStatus answer: of a running daemon, or of what its ring remembers. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Episode } from './evidence/episode.js'
import { noMemory, readEpisodes, readMemory } from './evidence/read.js'
import type { ConnectionState } from './pipeline.js'
import type { RingState } from './ring/ring.js'
import type { Versions } from './versions.js'

export type Status = Readonly<{
  daemon: 'running' | 'down'
  /** RFC 3339; of the last start where the daemon is down. */
  startedAt: string | null
  /** The newest record's time, where the daemon is down. */
  lastRecordAt?: string | null
  device: Readonly<{ hub: string; deviceId: string; moduleId: string | null }> | null
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
  /** The outage that goes on. */
  episode: Episode | null
  lastEpisode: Episode | null
  /** Lasting conditions: what does not end by itself and is not an outage. */
  conditions: readonly Condition[]
  ring: (RingState | Readonly<{ bytes: number; budgetBytes: number | null; segments: number }>) &
    Readonly<{ dir: string }>
  outbox: Readonly<{ waiting: number; bytes: number }>
  versions: Partial<Versions>
}>

/** `device` or `device/module`. */
export const deviceName = ({ deviceId, moduleId }: NonNullable<Status['device']>): string =>
  moduleId === null ? deviceId : `${deviceId}/${moduleId}`

export type Condition = Readonly<{ code: string; since: string; severity: 'warning' | 'error'; text: string }>

export type LiveParts = Readonly<{
  startedAtMs: number
  nowMs: number
  device: NonNullable<Status['device']>
  protocol: string
  state: ConnectionState | null
  ring: RingState
  ringDir: string
  outbox: Status['outbox']
  versions: Status['versions']
}>

export function liveStatus({
  startedAtMs,
  nowMs,
  device,
  protocol,
  state,
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
    episode: state?.episode ?? null,
    lastEpisode: state?.lastEpisode ?? null,
    conditions: conditionsOf(ring, nowMs),
    ring: { dir: ringDir, ...ring },
    outbox,
    versions,
  }
}

/** Those that a status can tell from what it holds. */
function conditionsOf(ring: RingState, nowMs: number): Condition[] {
  const since = new Date(nowMs).toISOString()
  const found: Condition[] = []
  if (ring.mode === 'memory') {
    const text = `the disk refuses (${ring.refusal ?? 'unknown error'}): records are kept in memory, ${ring.lostUnsaid} are lost so far`
    found.push({ code: 'ring-in-memory', since, severity: 'error', text })
  }
  if (ring.writesAreGrouped) {
    const megabytes = Math.round(ring.writtenDayBytes / 1e6)
    const text = `${megabytes} MB were written in a day, more than flash should bear: records reach the disk up to a minute later`
    found.push({ code: 'ring-writes-grouped', since, severity: 'warning', text })
  }
  return found
}

/** What is known without a daemon. */
export async function statusFromRing(stateDir: string): Promise<Status> {
  const dir = join(stateDir, 'ring')
  const files = await sizesIn(dir)
  // Before the first start there is no ring, and that is an answer too.
  const memory = files.length === 0 ? noMemory : await readMemory(dir)
  const waiting = await sizesIn(join(stateDir, 'outbox'))
  const bundles = waiting.filter(({ name }) => name.endsWith('.zip'))
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
    episode: openEpisodes.at(-1) ?? null,
    lastEpisode: episodes.at(-1) ?? null,
    conditions: [],
    ring: {
      dir,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      budgetBytes: told.ringBudgetBytes ?? null,
      segments: files.filter(({ name }) => name.endsWith('.log') || name.endsWith('.gz')).length,
    },
    outbox: { waiting: bundles.length, bytes: bundles.reduce((sum, { bytes }) => sum + bytes, 0) },
    versions: told.versions ?? {},
  }
}

/** A `start` record's data, which each `context` record repeats. */
export type StartData = Readonly<{
  pid: number
  device: NonNullable<Status['device']>
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
    if (error.code === 'ENOENT') return []
    throw error
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
