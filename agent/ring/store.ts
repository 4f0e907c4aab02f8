/** The files of a ring while it is written: the active segment, what goes when the budget is reached, what recovery does. */
import { join } from 'node:path'
import { codeOf, type Disk, type DiskFile } from './disk.js'
import { type Gap, gapJson, type Loss, type Span, sizeOf, without } from './gap.js'
import { lineOverheadBytes, recordBytesMax, writeLine } from './line.js'
import { look } from './look.js'
import type { Queued } from './queue.js'
import { type Plan, planRecovery, type Step } from './recovery.js'
import type { RingOptions, RingRecovery, RingState } from './ring.js'
import { readName, segmentBytesOf, segmentName } from './segment.js'

/** As much as one write hands over at once, unless a single line is longer. */
export const batchBytesMax = 256 * 1024

/** Kept free at a segment's end for the gap record that tells of the segments about to be deleted. */
const gapLineBytes = 512

type Kept = Readonly<{ name: string; bytes: number }>
type Segment = { readonly name: string; readonly firstSeq: number; bytes: number }
type Active = Segment & { readonly file: DiskFile }

/** Lines in the store's buffer, ready to be written. */
export type Batch = Readonly<{ entries: readonly Queued[]; ends: readonly number[] }>

/** What opening found, filled as it goes, so that a failure half-way leaves what was done until then. */
export type Told = { recovery: RingRecovery[]; lastRecord: string | null }

/** Told when a sync ends: everything up to a number is on the device, or nobody knows what is. */
export type SyncListener = Readonly<{ synced(toSeq: number): void; syncFailed(error: unknown): void }>

/**
 * Nothing in here decides what to do when the disk refuses: every failure is thrown to the one who waits, and leaves things
 * so that `heal` can go on from there. One call at a time, except for `sync`.
 */
export class Store {
  readonly recordBytesMax: number
  readonly #options: RingOptions
  readonly #disk: Disk
  readonly #listener: SyncListener
  readonly #segmentBytes: number

  /** Oldest first; the active segment is the last of them. */
  #segments: Segment[] = []
  #active: Active | null = null
  #quarantined: Kept[] = []
  #indexes: (Kept & { firstSeq: number })[] = []
  #nextSeq = 1
  /** Numbers that gap records by damage have told of, and up to where those by overflow have. */
  #told: Span[] = []
  #goneTo = 0

  /** False until the directory was looked at, and again when it can no longer be what was seen. */
  #known = false
  /** Set when a sync failed: the kernel may forget what it could not write, so the segment moves to fresh blocks. */
  #suspect = false
  #dirty = false
  #directoryDirty = false
  #syncing: Promise<void> | null = null
  #buffer = Buffer.allocUnsafeSlow(64 * 1024)

  constructor(options: RingOptions, disk: Disk, listener: SyncListener) {
    this.#options = options
    this.#disk = disk
    this.#listener = listener
    this.#segmentBytes = segmentBytesOf(options.budgetBytes)
    this.recordBytesMax = Math.min(recordBytesMax, Math.floor(options.budgetBytes / 2))
  }

  get size(): Pick<RingState, 'bytes' | 'segments' | 'firstSeq' | 'lastSeq'> {
    const first = this.#segments.find(({ bytes }) => bytes > 0)
    return {
      bytes: this.#totalBytes(),
      segments: this.#segments.length,
      firstSeq: first?.firstSeq ?? 0,
      lastSeq: first ? this.#nextSeq - 1 : 0,
    }
  }

  get dirty(): boolean {
    return this.#dirty
  }

  get syncing(): boolean {
    return this.#syncing !== null
  }

  // ---- opening

  /** @returns what was lost, to be written down before anything else */
  async open(told: Told): Promise<readonly Loss[]> {
    this.#known = false
    await this.letGo()
    const found = await this.#lookOrMake()
    told.lastRecord = found.lastRecord
    const plan = planRecovery({ ...found, givenOut: this.#nextSeq - 1 })

    const segments = new Map(found.segments.map(({ name, firstSeq, bytes }) => [name, { name, firstSeq, bytes }]))
    for (const step of plan.steps) {
      await this.#do(step)
      const { name, reason, lost } = step
      told.recovery.push({ path: this.#path(name), action: pastTense[step.action], reason, lost })
      const segment = segments.get(name)
      if (segment && step.action === 'cut') segment.bytes = step.toBytes
      if (step.action === 'delete' || step.action === 'quarantine') segments.delete(name)
    }
    await this.#syncDirectory()
    await this.#remember(plan, [...segments.values()], found.gaps)

    const newest = found.segments.at(-1)
    if (newest && segments.has(newest.name) && !newest.sealed && newest.unreadable === null) await this.#openNewest()
    this.#suspect = false
    this.#known = true
    if (this.#active) await this.#makeRoom(Math.max(0, this.#segmentBytes - this.#active.bytes))
    return plan.losses
  }

  /** Finds the way back after a failure. @returns what was lost meanwhile */
  async heal(): Promise<readonly Loss[]> {
    if (this.#known && (await this.#reopen())) return []
    await this.#probe()
    return this.open({ recovery: [], lastRecord: null })
  }

  /** Whether somebody deleted the active segment: the kernel goes on taking its bytes, and nobody will read them. */
  async isDeleted(): Promise<boolean> {
    return this.#active !== null && (await this.#active.file.stat()).links === 0
  }

  /** The short way: the directory is as it was, only the active segment may end in half a line. */
  async #reopen(): Promise<boolean> {
    const active = this.#active
    if (!active) return true
    const file = await this.#disk.open(this.#path(active.name), 'modify').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    })
    await this.letGo()
    const bytes = (await file?.stat())?.bytes ?? 0
    if (!file || bytes < active.bytes) {
      // Somebody else was here. What is left is for recovery to say.
      await file?.close()
      return false
    }
    this.#setActive({ ...active, file })
    if (bytes > active.bytes) await file.truncate(active.bytes)
    return true
  }

  /** Whether the directory takes and syncs a file at all: looking at all segments every other second would be dear. */
  async #probe(): Promise<void> {
    await this.#disk.makeDirectory(this.#options.dir)
    const path = this.#path('probe.tmp')
    const file = await this.#disk.open(path, 'create')
    try {
      await writeWhole(file, Buffer.from('probe\n'), 6, 0)
      await file.datasync()
    } finally {
      await file.close()
    }
    await this.#disk.remove(path)
  }

  async #lookOrMake() {
    try {
      return await look(this.#disk, this.#options.dir)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#disk.makeDirectory(this.#options.dir)
      return look(this.#disk, this.#options.dir)
    }
  }

  async #do(step: Step): Promise<void> {
    switch (step.action) {
      case 'keep':
        return
      case 'cut': {
        const file = await this.#disk.open(this.#path(step.name), 'modify')
        try {
          await file.truncate(step.toBytes)
          await file.datasync()
        } finally {
          await file.close()
        }
        return
      }
      case 'quarantine':
        this.#directoryDirty = true
        return this.#disk.rename(this.#path(step.name), this.#path(step.to))
      case 'delete':
        return this.#remove(step.name)
    }
  }

  async #remember(plan: Plan, segments: Segment[], gaps: readonly Gap[]): Promise<void> {
    this.#segments = segments
    this.#nextSeq = plan.nextSeq
    this.#told = gaps.filter(({ reason }) => reason === 'damage')
    this.#goneTo = Math.max(0, ...gaps.filter(({ reason }) => reason === 'overflow').map(({ toSeq }) => toSeq))

    const files = (await this.#disk.list(this.#options.dir)).map(file => ({ ...readName(file.name), ...file }))
    this.#quarantined = files.filter(({ kind }) => kind === 'quarantined')
    this.#indexes = files.flatMap(file =>
      file.kind === 'index' && file.firstSeq !== null ? [{ ...file, firstSeq: file.firstSeq }] : [],
    )
  }

  async #openNewest(): Promise<void> {
    const newest = this.#segments.at(-1)
    if (!newest) return
    if (this.#suspect) await this.#copyToFreshBlocks(newest)
    this.#setActive({ ...newest, file: await this.#disk.open(this.#path(newest.name), 'modify') })
  }

  /** After a failed sync nobody knows which blocks are on the device; a copy that syncs settles it. */
  async #copyToFreshBlocks({ name, bytes }: Segment): Promise<void> {
    const copy = this.#path(`${name}.tmp`)
    const content = Buffer.alloc(bytes)
    const source = await this.#disk.open(this.#path(name), 'read')
    try {
      for (let at = 0; at < bytes; ) {
        const read = await source.read(content, at, bytes - at, at)
        if (read === 0) throw Object.assign(new Error(`${name} is shorter than it was`), { code: 'EIO' })
        at += read
      }
    } finally {
      await source.close()
    }
    const target = await this.#disk.open(copy, 'create')
    try {
      await writeWhole(target, content, bytes, 0)
      await target.datasync()
    } finally {
      await target.close()
    }
    this.#directoryDirty = true
    await this.#disk.rename(copy, this.#path(name))
    await this.#syncDirectory()
  }

  #setActive(active: Active): void {
    this.#active = active
    this.#segments = [...this.#segments.filter(({ name }) => name !== active.name), active]
  }

  // ---- writing

  /** Sees to it that the active segment takes this entry, rotating and deleting where it must. */
  async makeRoomFor(entry: Queued): Promise<void> {
    const bytes = lineBytesOf(entry)
    if (this.#active && this.#fits(this.#active, bytes)) return
    // A record longer than a segment has one of its own: better a larger segment than no record.
    const capacity = Math.max(this.#segmentBytes, bytes + gapLineBytes)
    if (this.#active) {
      await this.#makeRoom(capacity)
      await this.finish()
      await this.#create()
    } else {
      await this.#create()
      await this.#makeRoom(capacity)
    }
  }

  /** As many of the entries, from the first, as one write to the active segment takes; none when it has no room for the first. */
  compose(waiting: readonly Queued[]): Batch {
    const active = this.#active
    const entries: Queued[] = []
    const ends: number[] = []
    let end = 0
    for (const entry of waiting) {
      const bytes = lineBytesOf(entry)
      if (!active || !this.#fits(active, bytes, end) || (end > 0 && end + bytes > batchBytesMax)) break
      this.#reserve(end + bytes, end)
      const json = entry.kind === 'gap' ? gapJson(this.#options.stamp, entry.loss) : entry.json
      end = writeLine(this.#buffer, end, this.#nextSeq + entries.length, json)
      entries.push(entry)
      ends.push(end)
    }
    return { entries, ends }
  }

  /**
   * Hands the batch that was composed last to the kernel.
   *
   * @returns how many of its entries are there, numbered from `firstSeq`, and what kept the others from it
   */
  async write({ entries, ends }: Batch): Promise<{ count: number; firstSeq: number; failure: unknown }> {
    const active = this.#active!
    const firstSeq = this.#nextSeq
    const { written, failure } = await writeAsMuch(active.file, this.#buffer, ends.at(-1) ?? 0, active.bytes)
    const count = ends.filter(end => end <= written).length
    const wholeBytes = ends[count - 1] ?? 0
    active.bytes += wholeBytes
    this.#nextSeq += count
    this.#dirty ||= count > 0
    for (const entry of entries.slice(0, count)) {
      if (entry.kind === 'gap' && entry.loss.fromSeq !== null && entry.loss.toSeq !== null)
        this.#told.push({ fromSeq: entry.loss.fromSeq, toSeq: entry.loss.toSeq })
    }
    // Half a line must not stand before the next. Where even this is refused, healing does it.
    if (written > wholeBytes) await active.file.truncate(active.bytes).catch(toldAlready)
    return { count, firstSeq, failure }
  }

  /** An empty segment takes whatever comes; else there stays room for a gap record. */
  #fits(active: Active, lineBytes: number, usedBytes = 0): boolean {
    const before = active.bytes + usedBytes
    return before === 0 || before + lineBytes + gapLineBytes <= this.#segmentBytes
  }

  #reserve(bytes: number, usedBytes: number): void {
    if (bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, usedBytes)
    this.#buffer = larger
  }

  async #create(): Promise<void> {
    const name = segmentName(this.#nextSeq)
    const file = await this.#disk.open(this.#path(name), 'create').catch((error: unknown) => {
      // The directory is gone: it must be made, and looked at, anew.
      if (codeOf(error) === 'ENOENT') this.#known = false
      throw error
    })
    this.#directoryDirty = true
    this.#setActive({ name, firstSeq: this.#nextSeq, bytes: 0, file })
    await this.#syncDirectory()
  }

  // ---- the budget

  /** Deletes the oldest, quarantine first, until that many bytes more fit into the budget. */
  async #makeRoom(neededBytes: number): Promise<void> {
    const overBytes = () => this.#totalBytes() + neededBytes + gapLineBytes - this.#options.budgetBytes
    for (const { name } of this.#quarantined) {
      if (overBytes() <= 0) return
      await this.#remove(name)
      this.#quarantined = this.#quarantined.filter(kept => kept.name !== name)
    }
    const victims: Segment[] = []
    let freedBytes = 0
    for (const segment of this.#segments) {
      if (freedBytes >= overBytes() || segment.name === this.#active?.name) break
      victims.push(segment)
      freedBytes += segment.bytes + sumBytes(this.#indexes.filter(({ firstSeq }) => firstSeq === segment.firstSeq))
    }
    if (victims.length === 0) return

    await this.#tellOverflow(victims)
    for (const victim of victims) {
      for (const index of this.#indexes.filter(({ firstSeq }) => firstSeq === victim.firstSeq))
        await this.#remove(index.name)
      this.#indexes = this.#indexes.filter(({ firstSeq }) => firstSeq !== victim.firstSeq)
      await this.#remove(victim.name)
      this.#segments = this.#segments.filter(segment => segment !== victim)
    }
    this.#told = this.#told.filter(({ toSeq }) => toSeq > this.#goneTo)
  }

  /** The gap record comes before the deed, and onto the device, so that no crash can make a loss silent. */
  async #tellOverflow(victims: readonly Segment[]): Promise<void> {
    const active = this.#active!
    const after = this.#segments[victims.length]!
    const span = { fromSeq: Math.max(victims[0]!.firstSeq, this.#goneTo + 1), toSeq: after.firstSeq - 1 }
    if (span.fromSeq > span.toSeq) return
    const count = sizeOf(without(span, this.#told))
    const json = gapJson(this.#options.stamp, { reason: 'overflow', count, ...span })
    this.#reserve(Buffer.byteLength(json) + lineOverheadBytes, 0)
    const bytes = writeLine(this.#buffer, 0, this.#nextSeq, json)
    await writeWhole(active.file, this.#buffer, bytes, active.bytes)
    active.bytes += bytes
    this.#nextSeq++
    this.#goneTo = span.toSeq
    this.#dirty = true
    await this.#syncAll()
  }

  async #remove(name: string): Promise<void> {
    this.#directoryDirty = true
    try {
      await this.#disk.remove(this.#path(name))
    } catch (error) {
      // That it is gone is all that was wanted.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  #totalBytes(): number {
    return sumBytes(this.#segments) + sumBytes(this.#quarantined) + sumBytes(this.#indexes)
  }

  // ---- syncing

  /**
   * Everything that was written before the call is on the device when it resolves. It may run beside a write, so that records
   * on their way to the kernel need not wait for the device, but not beside another sync.
   */
  sync(): Promise<void> {
    this.#syncing = this.#syncOnce().finally(() => {
      this.#syncing = null
    })
    return this.#syncing
  }

  async #syncOnce(): Promise<void> {
    const toSeq = this.#nextSeq - 1
    this.#dirty = false
    try {
      if (!this.#active) throw Object.assign(new Error('the active segment is not open'), { code: 'EIO' })
      await this.#active.file.datasync()
      await this.#syncDirectory()
    } catch (error) {
      this.#dirty = true
      this.#suspect = true
      this.#known = false
      this.#listener.syncFailed(error)
      throw error
    }
    this.#listener.synced(toSeq)
  }

  async #syncAll(): Promise<void> {
    await this.#syncing
    if (this.#dirty) await this.sync()
  }

  async #syncDirectory(): Promise<void> {
    if (!this.#directoryDirty) return
    this.#directoryDirty = false
    try {
      await this.#disk.syncDirectory(this.#options.dir)
    } catch (error) {
      this.#directoryDirty = true
      throw error
    }
  }

  // ---- the end

  /** Syncs and closes the active segment. */
  async finish(): Promise<void> {
    const active = this.#active
    if (!active) return
    await this.#syncAll()
    this.#active = null
    await active.file.close()
    await this.#syncDirectory()
  }

  /** Closes it as it is. */
  async letGo(): Promise<void> {
    await this.#syncing?.catch(toldAlready)
    const file = this.#active?.file
    this.#active = null
    await file?.close().catch(toldAlready)
  }

  #path(name: string): string {
    return join(this.#options.dir, name)
  }
}

const pastTense = { keep: 'kept', cut: 'cut', quarantine: 'quarantined', delete: 'deleted' } as const

/** At most. */
const lineBytesOf = (entry: Queued): number => (entry.kind === 'gap' ? gapLineBytes : entry.bytes + lineOverheadBytes)

const sumBytes = (files: readonly { bytes: number }[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

/** For what fails after a failure that is on its way to be dealt with: it has no more to say. */
const toldAlready = (): void => undefined

async function writeWhole(file: DiskFile, bytes: Buffer, length: number, position: number): Promise<void> {
  const { failure } = await writeAsMuch(file, bytes, length, position)
  if (failure !== null) throw failure
}

/** A disk that takes only a part says why at the next try. */
async function writeAsMuch(
  file: DiskFile,
  bytes: Buffer,
  length: number,
  position: number,
): Promise<{ written: number; failure: unknown }> {
  let written = 0
  while (written < length) {
    try {
      const more = await file.write(bytes, written, length - written, position + written)
      if (more === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' })
      written += more
    } catch (failure) {
      return { written, failure }
    }
  }
  return { written, failure: null }
}
