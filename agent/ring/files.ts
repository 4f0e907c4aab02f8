/** What lies in a ring's directory: its files in order, what they take, how much room there is, and what is not on the device yet. */
import { join } from 'node:path'
import { codeOf, type Disk, toldAlready, writeWhole } from './disk.js'
import type { Kept } from './gap.js'
import { indexIn } from './members.js'
import { segmentOrder } from './segment.js'
import type { SegmentIndex } from './segment-index.js'

/** A sealed segment, or a text segment that is not written to any more. */
export type SegmentFile = {
  readonly name: string
  readonly firstSeq: number
  readonly sealed: boolean
  bytes: number
  /** `undefined` until it was read, `null` where there is none that is sound. */
  index?: SegmentIndex | null
  /** A gap record has told that it goes, but a crash came between. */
  isTold?: boolean
  /** What was told to stay of it then: `null` for nothing; absent where nobody knows. */
  kept?: Kept | null
}

export type Quarantined = Readonly<{ name: string; bytes: number }>

export type FilesOptions = Readonly<{
  dir: string
  budgetBytes: number
  filesMax: number
  disk: Disk
  /** Told of what is about to be written to the device, roughly. */
  onWrite: (bytes: number) => void
}>

/** What a change of the directory costs on the device, roughly: a block of it and of its journal. */
const directoryWriteBytes = 4096

/** Of the file system's free bytes, what the ring leaves to others: the smaller of the two. */
const reserveBytesMax = 10 * 1024 * 1024
const reservePart = 0.05

export class Files {
  readonly #options: FilesOptions
  #budgetBytes: number
  #filesMax: number
  /** Oldest first, without the one that is written. */
  segments: SegmentFile[] = []
  quarantined: Quarantined[] = []
  /** Of the segment that is written: all that it may grow to. */
  activeBytes = 0
  /** Of those, what is not written yet. */
  activeRoom = 0
  #temporary = new Map<string, number>()
  /** What all files together may take, as far as the disk goes; only as new as the last look. */
  #diskMax = Number.POSITIVE_INFINITY
  /** While others have taken from the reserve: what the ring had when it first saw that. It does not grow, and need not shrink. */
  #shortMax: number | null = null
  #dirty = false
  #syncing: Promise<void> | null = null

  constructor(options: FilesOptions) {
    this.#options = options
    this.#budgetBytes = options.budgetBytes
    this.#filesMax = options.filesMax
  }

  setBudget(bytes: number, filesMax: number): void {
    this.#budgetBytes = bytes
    this.#filesMax = filesMax
  }

  get disk(): Disk {
    return this.#options.disk
  }

  path(name: string): string {
    return join(this.#options.dir, name)
  }

  /** All files together, the active segment as large as it may become. */
  get reservedBytes(): number {
    return this.activeBytes + sumBytes(this.segments) + sumBytes(this.quarantined) + sum(this.#temporary.values())
  }

  /** How much more may be written: within the budget, and without touching the disk's reserve. */
  get room(): number {
    return Math.min(this.#budgetBytes, this.#diskMax) - this.reservedBytes
  }

  /** Whether there are as many as there may be, with the one that is written and one that is being made. */
  get isCrowded(): boolean {
    return this.segments.length + this.quarantined.length + 2 >= this.#filesMax
  }

  /** Asks the disk how much room there is. One that does not say has enough, until it refuses. */
  async lookForRoom(): Promise<void> {
    const { disk, dir } = this.#options
    const space = await disk.space(dir).catch((error: unknown) => {
      if (codeOf(error) === '') throw error
      return null
    })
    if (!space) {
      this.#diskMax = Number.POSITIVE_INFINITY
      return
    }
    const spareBytes = space.freeBytes - Math.min(reserveBytesMax, Math.floor(space.totalBytes * reservePart))
    const writtenBytes = this.reservedBytes - this.activeRoom - sum(this.#temporary.values())
    if (spareBytes >= 0) this.#shortMax = null
    // Not what it has now: each segment that goes to make room for the next would leave it with less.
    else this.#shortMax ??= writtenBytes
    this.#diskMax = this.#shortMax ?? writtenBytes + spareBytes
  }

  /** Read when it is asked for first; `null` where there is none that is sound. */
  async indexOf(segment: SegmentFile): Promise<SegmentIndex | null> {
    if (segment.index === undefined) segment.index = segment.sealed ? await this.#readIndex(segment.name) : null
    return segment.index
  }

  async #readIndex(name: string): Promise<SegmentIndex | null> {
    try {
      return await indexIn(this.#options.disk, this.path(name))
    } catch (error) {
      if (codeOf(error) === '') throw error
      return null
    }
  }

  add(segment: SegmentFile): void {
    this.segments = [...this.segments.filter(({ name }) => name !== segment.name), segment].sort(segmentOrder)
  }

  /** Keeps room for a temporary file that is being made, so that nothing else takes it meanwhile; until it is written or given up. */
  reserve(name: string, bytes: number): void {
    this.#temporary.set(name, bytes)
  }

  giveUp(name: string): void {
    this.#temporary.delete(name)
  }

  /** Writes a file that nobody sees yet, onto the device. */
  async writeTemporary(name: string, pieces: readonly Buffer[]): Promise<void> {
    const { disk } = this.#options
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    this.#temporary.set(name, bytes)
    try {
      const file = await disk.open(this.path(name), 'create')
      try {
        let position = 0
        for (const piece of pieces) {
          await writeWhole(file, piece, piece.length, position)
          position += piece.length
        }
        await file.datasync()
      } finally {
        await file.close()
      }
      this.#options.onWrite(bytes + directoryWriteBytes)
    } catch (error) {
      await this.removeTemporary(name).catch(toldAlready)
      throw error
    }
  }

  async removeTemporary(name: string): Promise<void> {
    await this.remove(name)
    this.#temporary.delete(name)
  }

  /** Of those that nobody works on any more, and that did not go when they should have. What does not go now goes at the next open. */
  async tidy(): Promise<void> {
    for (const name of [...this.#temporary.keys()]) await this.removeTemporary(name).catch(toldAlready)
  }

  /** Gives a temporary file its name, in place of what had it. What goes because of it has to wait until that is on the device. */
  async putInPlace(temporary: string, segment: SegmentFile): Promise<void> {
    this.#dirty = true
    await this.#options.disk.rename(this.path(temporary), this.path(segment.name))
    this.#temporary.delete(temporary)
    this.add(segment)
  }

  async rename(from: string, to: string): Promise<void> {
    this.#dirty = true
    await this.#options.disk.rename(this.path(from), this.path(to))
    this.#temporary.delete(from)
  }

  /** That it is gone is all that is wanted: one that was not there is fine. */
  async remove(name: string): Promise<void> {
    this.#dirty = true
    try {
      await this.#options.disk.remove(this.path(name))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    this.segments = this.segments.filter(segment => segment.name !== name)
    this.quarantined = this.quarantined.filter(file => file.name !== name)
  }

  created(): void {
    this.#dirty = true
  }

  /** Makes what was created, renamed and removed before the call survive a power cut. */
  async syncDirectory(): Promise<void> {
    // One that is under way may have begun before; what it fails at is still to be done.
    while (this.#syncing) await this.#syncing.catch(toldAlready)
    if (!this.#dirty) return
    this.#dirty = false
    this.#syncing = this.#syncOnce().finally(() => {
      this.#syncing = null
    })
    await this.#syncing
  }

  async #syncOnce(): Promise<void> {
    try {
      await this.#options.disk.syncDirectory(this.#options.dir)
      this.#options.onWrite(directoryWriteBytes)
    } catch (error) {
      this.#dirty = true
      throw error
    }
  }

  /** Before looking anew. What another process created or removed before it was killed need not be on the device either. */
  forget(): void {
    this.#dirty = true
    this.segments = []
    this.quarantined = []
    this.activeBytes = 0
    this.activeRoom = 0
    this.#temporary.clear()
  }
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)
const sumBytes = (files: readonly { bytes: number }[]): number => files.reduce((total, { bytes }) => total + bytes, 0)
