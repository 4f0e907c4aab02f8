/** What the ring promises, to those who write and to those who read. It knows bytes and nothing of Azure. */

/**
 * - `kernel`: the promise resolves once the bytes were handed to the kernel, so `kill -9` cannot lose them.
 * - `disk`: it resolves after fdatasync, so a power cut cannot lose them either.
 */
export type Durability = 'kernel' | 'disk'

/** Stamps the records the ring writes about itself (gaps). */
export type RingStamp = () => Readonly<{ at: string; bootId: string; monoMs: number }>

export type RingOptions = Readonly<{
  dir: string
  /** 262,144 and more: all files of the directory together stay under it. */
  budgetBytes: number
  stamp: RingStamp
}>

export interface RingWriter {
  /**
   * Append one record and return its sequence number: 1 for the first ever written, then +1 each, across restarts.
   *
   * Records are kept in the order of the calls. When the budget is reached the oldest whole segment goes,
   * and a gap record says how many records went with it. While the disk refuses (full, read-only, broken) records
   * wait in memory, bounded; what did not fit is counted and becomes a gap record when it heals.
   *
   * @param json the record as the text of a JSON object without `seq`, at most 256 KiB; the ring never looks inside
   */
  append(json: string, durability: Durability): Promise<number>
  readonly state: RingState
  /** Hands everything to the kernel and syncs it. Later appends are refused. */
  close(): Promise<void>
}

export type RingState = Readonly<{
  bytes: number
  budgetBytes: number
  segments: number
  /** 0 and 0 when it is empty. */
  firstSeq: number
  lastSeq: number
  /** `memory` while the disk refuses. */
  mode: 'disk' | 'memory'
  /** Records that were dropped and of which no gap record could be written yet. */
  lostUnsaid: number
}>

/** What opening found and did; each is also written down as a gap where records were lost. */
export type RingRecovery = Readonly<{
  path: string
  action: 'kept' | 'cut' | 'quarantined' | 'deleted'
  reason: string
  lost: number
}>

/** A line that is sound, as its JSON text, or a stretch that is known to be missing. */
export type RingItem =
  | Readonly<{ kind: 'record'; seq: number; json: string }>
  | Readonly<{ kind: 'gap'; fromSeq: number; toSeq: number; count: number; segment: string }>

/** One line of `hubrec verify --json`. */
export type RingHealth = Readonly<{
  path: string
  status: 'ok' | 'torn' | 'damaged'
  records: number
  lost: number
  reason: string | null
}>
