/** What the ring promises, to those who write and to those who read. It knows bytes and nothing of Azure. */
import type { Disk } from './disk.js'

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
  /** The `data` of the `context` record that opens each segment: whatever explains the records after it. Must not throw. */
  context?: () => Readonly<Record<string, unknown>>
  /** Records that are worth more than their age. Left out: whatever is oldest goes first. */
  classes?: readonly RingClass[]
  limits?: Partial<RingLimits>
  /** Told when something begins or ends that an operator should know of. Must not throw; it may append. */
  onNotice?: (notice: RingNotice) => void
  /** The real one where it is left out. */
  disk?: Disk
  /** Node's own where it is left out. */
  timers?: Timers
}>

/**
 * Records whose `type` is one of these keep a share of the budget (0 to 1): while those that are newer take less than it, they
 * survive the rest of their segment. All shares together are at most 3/4.
 */
export type RingClass = Readonly<{ types: readonly string[]; share: number }>

export type RingLimits = Readonly<{
  /** How long a record that nobody waits for may be with the kernel and not on the device. Default 5,000. */
  syncEveryMs: number
  /** What may be written in 24 hours, by the ring's own count, before syncs are put together. Default 200,000,000. */
  dailyWriteBytesMax: number
  /** `syncEveryMs` for as long as more was written, for those who wait too. Default 60,000. */
  groupedSyncEveryMs: number
}>

/** `writeBudget`: syncs are put together from now on, or no longer, because the day's bytes are used up, or no longer. */
export type RingNotice = Readonly<{
  notice: 'writeBudget'
  exceeded: boolean
  writtenBytes: number
  limitBytes: number
}>

/** Monotonic time and waiting, so that a test need not wait. */
export interface Timers {
  nowMs(): number
  /** @param holds whether the process waits for it before it ends by itself. @returns what cancels it */
  after(delayMs: number, act: () => void, holds?: boolean): () => void
}

/** Why records are missing, as the ring itself says it. Callers' own gap records may know more reasons. */
export type GapReason = 'overflow' | 'queue' | 'damage' | 'diskFull' | 'readOnly' | 'ioError'

export interface RingWriter {
  /**
   * Append one record and return its sequence number: 1 for the first ever written, then +1 each, across restarts.
   *
   * Records are kept in the order of the calls. When the budget is reached the oldest segment goes, but for what is protected
   * in it, and a gap record says how many records went. While the disk refuses (full, read-only, broken) records
   * wait in memory, at most 1 MiB and 2,000 of them, and the oldest go first; what went is counted and becomes
   * a gap record when it heals.
   *
   * Never throws, never rejects, never waits for a disk to heal: it resolves to 0 when the record is not as safe as was asked.
   * While the disk refuses that means "in memory, to be written under a number of its own once it heals". Otherwise the record
   * was dropped: because more than 4 MiB or 10,000 records were waiting, because it cannot be a line, or because the ring is
   * closed. Every drop but the last is counted in a gap record.
   *
   * @param json the record as the text of a JSON object without `seq`, on one line, at most 256 KiB in UTF-8 and at most
   *   half the budget; the ring looks at nothing in it but `"at"` and `"type"`, and does without them
   */
  append(json: string, durability: Durability): Promise<number>
  readonly state: RingState
  /** Resolves when whoever writes has come by: it has nothing left to do of what was asked before. Never rejects. */
  turn(): Promise<void>
  /** Hands everything to the kernel and syncs it, trying once more where the disk refused. Later appends are refused. */
  close(): Promise<void>
}

/** A ring whose budget may change while it is written. */
export interface Ring extends RingWriter {
  /**
   * Room for a smaller one is made at once: the oldest goes, and is told of, as on reaching any budget. Resolves when that is done, or
   * when the disk refuses it; then it is made when it heals.
   *
   * @param bytes as `budgetBytes` of the options
   */
  setBudget(bytes: number): Promise<void>
}

export type RingState = Readonly<{
  /** Of all files as they are. */
  bytes: number
  budgetBytes: number
  segments: number
  /** 0 and 0 when it is empty. */
  firstSeq: number
  lastSeq: number
  /** `memory` while the disk refuses. */
  mode: 'disk' | 'memory'
  /** What the disk said, in memory mode only. */
  refusal?: string
  /** Records that were dropped and of which no gap record could be written yet. */
  lostUnsaid: number
  /** In the last 24 hours of this process, by the ring's own count. */
  writtenDayBytes: number
  /** Whether that is over the limit, and so syncs are put together. */
  writesAreGrouped: boolean
}>

/**
 * What opening found and did, one for each file. `lost` is how many records are gone by what was done or by what was found
 * instead of a segment; those, and what is missing in text, are also written down as gaps. Damage in a sealed segment is left
 * to its readers.
 */
export type RingRecovery = Readonly<{
  path: string
  action: 'kept' | 'cut' | 'quarantined' | 'deleted'
  reason: string
  lost: number
}>

/**
 * A line that is sound, as its JSON text, or a stretch that is known to be missing and of which no gap record speaks.
 * `segment` is the name of the file where the stretch should have been, or after it.
 */
export type RingItem =
  | Readonly<{ kind: 'record'; seq: number; json: string }>
  | Readonly<{ kind: 'gap'; fromSeq: number; toSeq: number; count: number; segment: string }>

/**
 * One segment, as `hubrec verify --json` prints it. `torn`: it ends in the beginning of a line, and nothing is known to be lost.
 * `damaged`: it holds what is no record. `lost`: records that are missing and of which no gap record speaks.
 */
export type RingHealth = Readonly<{
  path: string
  status: 'ok' | 'torn' | 'damaged'
  records: number
  lost: number
  reason: string | null
}>
