/** What a bundle says of itself: its last entry, by which all others are checked. */
import type { InferredGap, LogRecord } from '../evidence/record.js'
import type { Versions } from '../versions.js'

export const bundleFormat = 'hubrec-bundle/1'
export const manifestName = 'manifest.json'

export type EntryStatus = 'complete' | 'truncated' | 'skipped' | 'timedOut' | 'failed'

export type Entry = Readonly<{
  name: string
  /** Uncompressed, as is what `sha256` is of. */
  bytes: number
  sha256: string
  durationMs: number
  status: EntryStatus
  /** Why it is not complete. */
  reason: string | null
}>

/** Wall times, RFC 3339. */
export type Span = Readonly<{ from: string; to: string }>

export type Legend = Readonly<Record<string, Readonly<Record<string, string>>>>

export type Manifest = Readonly<{
  format: typeof bundleFormat
  device: string
  createdAt: string
  requestedBy: string
  why: string
  /** What was asked for. */
  window: Span
  /** The first and the last record that are in it; `null` when there is none. */
  covered: Span | null
  versions: Versions
  entries: readonly Entry[]
  /** How many pieces were taken out, by kind; `planted` are those of the self-test. */
  redactions: Readonly<Record<string, number>>
  /** The gap records of the window, and the gaps a reader infers. */
  gaps: readonly (LogRecord | InferredGap)[]
  /** Gaps that are in `records.ndjson` and not listed here, because there are so many. */
  gapsLeftOut: number
  /** What would have belonged in it, and is not even an entry, or not all of one. */
  leftOut: readonly LeftOut[]
  legend: Legend
  /** What was left out afterwards, by `hubrec scrub`; oldest first. */
  scrubbed?: readonly Scrubbed[]
}>

export type Scrubbed = Readonly<{
  /** Wall time, RFC 3339. */
  at: string
  /** As it was asked for: record types, entries, folders. */
  excluded: readonly string[]
  /** Entries that are not in it any more. */
  entriesLeftOut: readonly string[]
}>

export type LeftOut = Readonly<{
  /** Of an entry. */
  name: string
  /** `null` where nobody has counted. */
  records: number | null
  /** Uncompressed. */
  bytes: number | null
  /** When they happened. */
  window: Span | null
  reason: string
}>

/** @returns `null` when it is not a manifest that this version can check a bundle by */
export function readManifest(text: string): Manifest | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  if (!isObject(value) || value.format !== bundleFormat || !Array.isArray(value.entries)) return null
  return value.entries.every(isEntry) ? (value as unknown as Manifest) : null
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false
  const { name, bytes, sha256 } = value
  return typeof name === 'string' && Number.isSafeInteger(bytes) && Number(bytes) >= 0 && typeof sha256 === 'string'
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)
