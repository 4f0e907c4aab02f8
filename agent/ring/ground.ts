/** What upkeep stands on, and what a piece of its work is. */
import type { Disk } from './disk.js'
import type { Files } from './files.js'
import type { Loss, Span } from './gap.js'
import type { RingClass } from './ring.js'
import type { TextSegment } from './text-segment.js'

/** What upkeep needs of the store. */
export interface Ground {
  readonly files: Files
  readonly disk: Disk
  readonly budgetBytes: number
  readonly segmentBytes: number
  readonly classes: readonly RingClass[]
  /** Full segments that are text still, oldest first. */
  readonly full: readonly TextSegment[]
  /** Changes whenever the directory was looked at anew: what was prepared before is void. */
  readonly generation: number
  /** The number with which the segment after this one begins. */
  nextSeqAfter(firstSeq: number): number
  /** Numbers of which gap records have told. */
  readonly told: readonly Span[]
  /** Up to where those by overflow have. */
  readonly goneTo: number
  /** Writes the gap record; throws where that fails. */
  tellOverflow(loss: Loss): Promise<void>
  /** Brings onto the device what was written until now. Not in turn. */
  syncAll(): Promise<void>
  /** The sealed segment is in its place, on the device; its text goes. */
  sealed(text: TextSegment): Promise<void>
  /** Records that were found damaged. */
  lost(spans: readonly Span[]): void
  /** Whether what was in quarantine has been told of, on the device: until then it is all that shows a loss. */
  readonly mayDropQuarantine: boolean
  /** False after a failure, until the directory was looked at anew: nobody may change it before. */
  readonly isKnown: boolean
  /** A change of the directory failed half-way: it is no longer known what it holds. */
  doubt(): void
}

/**
 * One thing after the other. What takes long, as reading, packing and waiting for the device do, is done beside the writing, so
 * that no record waits for it; what changes the directory takes moments, and has its turn between two writes.
 */
export type Job = Readonly<{ steps: readonly JobStep[] }>

export type JobStep = Readonly<{ isInTurn: boolean; act: () => Promise<void> }>
