/** What would go into a bundle, and about how much of it, before anything is done for it. */
import type { RecordType } from '../evidence/record.js'
import { type Extent, extentOf } from '../ring/extent.js'
import { choiceOf } from './choice.js'
import { type BundleOptions, closedWindow, gathered } from './make.js'
import { parts as allParts } from './parts.js'

export type PlannedEntry = Readonly<{
  name: string
  /** Uncompressed; `null` where nobody knows before it is asked. */
  bytes: number | null
  /** Whether `bytes` is an estimate or a limit. */
  is: 'about' | 'atMost' | null
}>

export type Plan = Readonly<{
  window: Readonly<{ since: number; until: number }>
  /** What the records of the window take on the disk, as it is: about what they add to the bundle. */
  recordsPackedBytes: number
  entries: readonly PlannedEntry[]
}>

export type PlanOptions = Pick<BundleOptions, 'window' | 'ringDir' | 'types' | 'collect' | 'nowMs' | 'redactor'> &
  Readonly<{ stateDir: string; signal: AbortSignal }>

/** A reading as a row of a table, beside what it is as JSON. */
const rowShare = 0.4

/** Writes nothing. @throws AgentError `RING_UNREADABLE` */
export async function planBundle(options: PlanOptions): Promise<Plan> {
  const { ringDir, nowMs, collect, redactor, stateDir, signal } = options
  const window = await closedWindow(options.window, ringDir, nowMs)
  const choice = choiceOf(options.types)
  const { types } = choice
  const extent = await extentOf(ringDir, { sinceMs: window.since, untilMs: window.until, ...(types ? { types } : {}) })
  const entries: PlannedEntry[] = []
  for (const { name } of allParts.filter(choice.takesPart)) entries.push(planned(name, extent))
  const { text, stream: textStream } = redactor
  const context = { window, stateDir, signal, text, textStream }
  for await (const { name, bytesMax = null } of gathered(collect, choice, context)) {
    entries.push({ name, bytes: bytesMax, is: bytesMax === null ? null : 'atMost' })
  }
  return { window, recordsPackedBytes: extent.bytes, entries }
}

function planned(name: string, { types }: Extent): PlannedEntry {
  const textOf = (type: RecordType): number => types[type]?.textBytes ?? 0
  const known: Readonly<Record<string, number>> = {
    'records.ndjson': Object.values(types).reduce((sum, { textBytes }) => sum + textBytes, 0),
    'episodes.json': textOf('episode'),
    'samples.csv': Math.round(rowShare * textOf('sample')),
  }
  const bytes = known[name] ?? null
  return { name, bytes, is: bytes === null ? null : 'about' }
}
