/** The files of a ring while it is written: lines and their numbers, the active segment, what goes to the device when. */

import { contextJson, type RingFacts } from './context.js'
import { codeOf, type Disk, ioError, toldAlready } from './disk.js'
import { Files } from './files.js'
import { damageOf, gapJson, type Loss, type Span } from './gap.js'
import type { Ground } from './ground.js'
import { lineOverheadBytes, recordBytesMax, writeLine } from './line.js'
import { type Look, look } from './look.js'
import { carryOut, writeAnew } from './mend.js'
import type { Queued, QueuedGap } from './queue.js'
import { type Plan, planRecovery, type Step } from './recovery.js'
import type { RingOptions, RingRecovery, RingState } from './ring.js'
import { filesMaxOf, readName, segmentBytesMin, segmentBytesOf, segmentName } from './segment.js'
import { TextSegment } from './text-segment.js'
import { Upkeep } from './upkeep.js'

/** As much as one write hands over at once, unless a single line is longer. */
export const batchBytesMax = 256 * 1024

/** More than a gap record's line ever is. */
const gapLineBytes = 512

/** What a sync costs on the device beside the bytes: the block that was half full, and the journal's. */
const syncWriteBytes = 4096

/** Lines in the store's buffer, ready to be written. The first may be the record that opens the segment: it is no entry. */
export type Batch = Readonly<{ entries: readonly Queued[]; ends: readonly number[]; opens: boolean }>

/** What opening found, filled as it goes, so that a failure half-way leaves what was done until then. */
export type Told = { recovery: RingRecovery[]; lastRecord: string | null }

export type StoreListener = Readonly<{
  /** Everything up to a number is on the device. */
  synced(toSeq: number): void
  /** A sync ended, and nobody knows what is on the device. */
  syncFailed(error: unknown): void
  /** Records were found damaged, of which no gap record speaks. */
  lost(losses: readonly Loss[]): void
  /** That many bytes go to the device, roughly. */
  wrote(bytes: number): void
}>

/**
 * Nothing in here decides what to do when the disk refuses: every failure is thrown to the one who waits, and leaves things
 * so that `heal` can go on from there. One call at a time, except for `sync`.
 */
export class Store implements Ground {
  readonly files: Files
  readonly #options: RingOptions
  readonly #disk: Disk
  readonly #listener: StoreListener
  readonly #upkeep: Upkeep
  #budgetBytes: number

  #active: TextSegment | null = null
  /** Not written to any more and not sealed yet, oldest first. */
  #full: TextSegment[] = []
  /** Of those that were sealed. */
  #closing: Promise<unknown> = Promise.resolve()
  #nextSeq = 1
  /** Numbers that gap records by damage have told of, and up to where those by overflow have. */
  #told: Span[] = []
  #goneTo = 0

  /** Found lost and not written yet, and the number of the last that was, until it is synced. */
  #owed: Loss[] = []
  #owedSeq = 0

  /** False until the directory was looked at, and again when it can no longer be what was seen. */
  #known = false
  #generation = 0
  /** Set when a sync failed: the kernel may forget what it could not write, so the segment moves to fresh blocks. */
  #suspect = false
  #syncing: Promise<void> | null = null
  #buffer = Buffer.allocUnsafeSlow(64 * 1024)

  /** @param exclusively runs upkeep's changes in turn with the calls of this class */
  constructor(
    options: RingOptions,
    disk: Disk,
    listener: StoreListener,
    exclusively: (task: () => Promise<void>) => Promise<void>,
  ) {
    const { dir, budgetBytes } = options
    this.#options = options
    this.#disk = disk
    this.#listener = listener
    this.#budgetBytes = budgetBytes
    this.files = new Files({ dir, budgetBytes, filesMax: filesMaxOf(budgetBytes), disk, onWrite: listener.wrote })
    this.#upkeep = new Upkeep(this, exclusively)
  }

  get size(): Pick<RingState, 'bytes' | 'segments' | 'firstSeq' | 'lastSeq'> {
    const active = this.#active
    const oldest = this.files.segments.find(({ bytes }) => bytes > 0) ?? (active && active.bytes > 0 ? active : null)
    return {
      bytes: this.files.reservedBytes - this.files.activeRoom,
      segments: this.files.segments.length + (active ? 1 : 0),
      firstSeq: oldest?.firstSeq ?? 0,
      lastSeq: oldest ? this.#nextSeq - 1 : 0,
    }
  }

  get dirty(): boolean {
    return this.#texts().some(({ dirty }) => dirty)
  }

  get syncing(): boolean {
    return this.#syncing !== null
  }

  #texts(): TextSegment[] {
    return this.#active ? [...this.#full, this.#active] : this.#full
  }

  // ---- what upkeep stands on

  get disk(): Disk {
    return this.#disk
  }

  get budgetBytes(): number {
    return this.#budgetBytes
  }

  /** Holds for what is written from now on; `keepToBudget` holds what is there to it. */
  set budgetBytes(bytes: number) {
    this.#budgetBytes = bytes
    this.files.setBudget(bytes, filesMaxOf(bytes))
  }

  get segmentBytes(): number {
    return segmentBytesOf(this.#budgetBytes)
  }

  get recordBytesMax(): number {
    return Math.min(recordBytesMax, Math.floor(this.#budgetBytes / 2))
  }

  get classes() {
    return this.#options.classes ?? []
  }

  get full(): readonly TextSegment[] {
    return this.#full
  }

  get generation(): number {
    return this.#generation
  }

  get told(): readonly Span[] {
    return [...this.#told, ...this.#owed.flatMap(numbersOf)]
  }

  get goneTo(): number {
    return this.#goneTo
  }

  nextSeqAfter(firstSeq: number): number {
    const next = this.files.segments.find(segment => segment.firstSeq > firstSeq)?.firstSeq
    return next ?? (this.#active && this.#active.firstSeq > firstSeq ? this.#active.firstSeq : this.#nextSeq)
  }

  async tellOverflow(loss: Loss): Promise<void> {
    // A power cut may have left the newest empty, and there are others to make room of before the next record begins one.
    if (!this.#active) await this.#create(segmentBytesMin)
    const gap: QueuedGap = { kind: 'gap', loss }
    const { failure } = await this.write(this.#composed([gap]))
    if (failure !== null) throw failure
  }

  async syncAll(): Promise<void> {
    while (this.#syncing) await this.#syncing
    if (this.dirty) await this.sync()
  }

  async sealed(text: TextSegment): Promise<void> {
    this.#full = this.#full.filter(other => other !== text)
    // A sync may be at it; nothing else waits for that.
    const syncing = this.#syncing?.catch(toldAlready) ?? Promise.resolve()
    this.#closing = Promise.all([this.#closing, syncing.then(() => text.close()).catch(toldAlready)])
    await this.files.remove(text.name)
  }

  lost(spans: readonly Span[]): void {
    const told = [...this.told, { fromSeq: 1, toSeq: this.#goneTo }]
    const losses = spans.flatMap(span => damageOf(span, told))
    this.#owed.push(...losses)
    if (losses.length > 0) this.#listener.lost(losses)
  }

  get mayDropQuarantine(): boolean {
    return this.#owed.length === 0 && this.#owedSeq === 0
  }

  get isKnown(): boolean {
    return this.#known
  }

  doubt(): void {
    this.#known = false
  }

  // ---- opening

  /** @returns what was lost and is not written down yet, to be so before anything else */
  async open(told: Told): Promise<readonly Loss[]> {
    this.#known = false
    await this.letGo()
    const found = await this.#lookOrMake()
    told.lastRecord = found.lastRecord
    const owed = this.#owed.flatMap(numbersOf)
    const plan = planRecovery({ ...found, givenOut: this.#nextSeq - 1, owed })
    // What a step takes away cannot be found lost again, should one after it fail.
    const takesAway = plan.steps.some(({ action, lost }) => lost > 0 && action !== 'quarantine')
    if (takesAway) this.#owe(plan)
    this.#generation++
    this.files.forget()
    await this.#secure(plan)
    for (const step of plan.steps) {
      await carryOut(this.#disk, this.files, step)
      const { name, reason, lost } = step
      told.recovery.push({ path: this.files.path(name), action: pastTense[step.action], reason, lost })
    }
    await this.files.syncDirectory()
    if (!takesAway) this.#owe(plan)
    this.#told = [...plan.told]
    this.#goneTo = plan.goneTo
    this.#owedSeq = 0
    this.files.quarantined = plan.quarantined.map(file => ({ ...file }))
    await this.#openSegments(plan)
    this.#suspect = false
    this.#known = true
    await this.#makeRoomAtOpen()
    this.#upkeep.wake()
    return [...this.#owed]
  }

  #owe({ losses, nextSeq }: Plan): void {
    this.#owed.push(...losses)
    this.#nextSeq = nextSeq
  }

  /**
   * A text that another process wrote may be with the kernel only, and after a failed sync, which may have been that process's
   * too, nobody knows what the device has. What is deleted because of what stands in it must not be gone after a power cut,
   * and the reason with it.
   */
  async #secure({ steps, segments }: Plan): Promise<void> {
    const texts = segments.filter(({ isText, bytes }) => isText && bytes > 0)
    const goes = ({ action, name }: Step) => action === 'delete' && readName(name).kind === 'segment'
    const isRelied = steps.some(goes) || segments.some(({ isTold }) => isTold)
    if (!this.#suspect && !isRelied) return
    for (const { name, bytes } of texts) {
      try {
        await writeAnew(this.#disk, this.files, name, bytes)
      } catch (error) {
        this.#suspect = true
        throw error
      }
    }
  }

  async #openSegments({ segments, writable }: Plan): Promise<void> {
    for (const segment of segments) {
      const { name, sealed, isText } = segment
      if (name === writable) continue
      this.files.add({ ...segment })
      if (!sealed && isText) this.#full.push(await TextSegment.reopen(this.#disk, this.files.path(name), segment, 0))
    }
    const newest = segments.find(({ name }) => name === writable)
    if (!newest) return
    this.#setActive(await TextSegment.reopen(this.#disk, this.files.path(newest.name), newest, this.segmentBytes))
  }

  /** Room that cannot be made now is missed by the one who needs it. What was lost has to be told all the same. */
  async #makeRoomAtOpen(): Promise<void> {
    try {
      await this.#upkeep.doWhatIsTold()
      await this.keepToBudget()
    } catch (error) {
      if (codeOf(error) === '') throw error
    }
  }

  /** A budget that has become smaller is kept at once. */
  async keepToBudget(): Promise<void> {
    await this.files.lookForRoom()
    if (this.files.room >= 0) return
    if (!this.#active) await this.#create(segmentBytesMin)
    await this.#upkeep.makeRoom(0, 0)
  }

  /** Finds the way back after a failure. @returns what was lost meanwhile */
  async heal(): Promise<readonly Loss[]> {
    if (this.#known && (await this.#reopen())) return []
    await this.#probe()
    return this.open({ recovery: [], lastRecord: null })
  }

  /** Whether somebody deleted the active segment: the kernel goes on taking its bytes, and nobody will read them. */
  async isDeleted(): Promise<boolean> {
    return this.#active !== null && (await this.#active.stat()).links === 0
  }

  /** The short way: the directory is as it was, only the active segment may end in half a line. */
  async #reopen(): Promise<boolean> {
    const active = this.#active
    if (!active) return true
    try {
      await active.renew(this.#disk, this.files.path(active.name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
    const { bytes } = await active.stat()
    // Where it is shorter somebody else was here. What is left is for recovery to say.
    if (bytes < active.bytes) return false
    if (bytes > active.bytes) await active.truncate()
    return true
  }

  /** Whether the directory takes and syncs a file at all: looking at all segments every other second would be dear. */
  async #probe(): Promise<void> {
    await this.#disk.makeDirectory(this.#options.dir)
    await this.files.writeTemporary('probe.tmp', [Buffer.from('probe\n')])
    await this.files.removeTemporary('probe.tmp')
  }

  async #lookOrMake(): Promise<Look> {
    try {
      return await look(this.#disk, this.#options.dir)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#disk.makeDirectory(this.#options.dir)
      return look(this.#disk, this.#options.dir)
    }
  }

  #setActive(active: TextSegment): void {
    this.#active = active
    this.#reserveActive()
  }

  #reserveActive(): void {
    const { bytes = 0, capacity = 0 } = this.#active ?? {}
    this.files.activeBytes = Math.max(bytes, capacity)
    this.files.activeRoom = Math.max(0, capacity - bytes)
  }

  // ---- writing

  /** Sees to it that the active segment takes this entry, beginning a new one where it must. */
  async makeRoomFor(entry: Queued): Promise<void> {
    const bytes = lineBytesOf(entry)
    if (this.#active && this.#fits(bytes, 0)) return
    // A record longer than a segment has one of its own: better a larger segment than no record.
    const least = bytes + this.#openingBytesMax() + gapLineBytes
    const wanted = Math.max(this.segmentBytes, least)
    await this.files.lookForRoom()
    if (!this.#active && this.files.room < least) {
      if (this.files.segments.length + this.files.quarantined.length === 0) throw noRoom(this.files.room)
      await this.#create(segmentBytesMin)
    }
    const wantedRoom = wanted + this.#upkeep.sealingRoom(wanted)
    if (this.files.room < wantedRoom || this.files.isCrowded) {
      await this.#upkeep.makeRoom(wantedRoom, least).catch((error: unknown) => {
        if (this.files.room < least) throw error
      })
    }
    if (this.#active && this.#fits(bytes, 0)) return
    if (this.files.room < least) throw noRoom(this.files.room)
    await this.#rotate(Math.min(wanted, this.files.room))
  }

  /** The full segment is not synced here: sealing brings what is in it to the device, much smaller, unless somebody waits for it. */
  async #rotate(capacity: number): Promise<void> {
    const full = this.#active
    if (full && full.bytes === 0) {
      // Begun, and nothing written yet: the next would have its name.
      full.capacity = capacity
      return this.#reserveActive()
    }
    if (full) {
      this.#active = null
      this.#full.push(full)
      this.files.add({ name: full.name, firstSeq: full.firstSeq, sealed: false, bytes: full.bytes })
      this.#reserveActive()
    }
    await this.#create(capacity)
    this.#upkeep.wake()
  }

  async #create(capacity: number): Promise<void> {
    const firstSeq = this.#nextSeq
    const path = this.files.path(segmentName(firstSeq))
    const created = await TextSegment.create(this.#disk, path, firstSeq, capacity).catch((error: unknown) => {
      // The directory is gone: it must be made, and looked at, anew.
      if (codeOf(error) === 'ENOENT') this.#known = false
      throw error
    })
    this.files.created()
    this.#setActive(created)
  }

  /** As many of the entries, from the first, as one write to the active segment takes; none when it has no room for the first. */
  compose(waiting: readonly Queued[]): Batch {
    let usedBytes = this.#active?.bytes === 0 ? this.#openingBytesMax() : 0
    let count = 0
    for (const entry of waiting) {
      const bytes = lineBytesOf(entry)
      if (!this.#fits(bytes, usedBytes) || (count > 0 && usedBytes + bytes > batchBytesMax)) break
      usedBytes += bytes
      count++
    }
    return this.#composed(waiting.slice(0, count))
  }

  #composed(entries: readonly Queued[]): Batch {
    const ends: number[] = []
    let end = 0
    const add = (json: string, bytesMax: number): void => {
      this.#reserve(end + bytesMax, end)
      end = writeLine(this.#buffer, end, this.#nextSeq + ends.length, json)
      ends.push(end)
    }
    const opens = this.#active?.bytes === 0
    if (opens) {
      const json = this.#openingJson()
      add(json, Buffer.byteLength(json) + lineOverheadBytes)
    }
    for (const entry of entries) {
      add(entry.kind === 'gap' ? gapJson(this.#options.stamp, entry.loss) : entry.json, lineBytesOf(entry))
    }
    return { entries, ends, opens }
  }

  #openingJson(): string {
    const facts: RingFacts = { goneTo: this.#goneTo, told: this.#told }
    return contextJson(this.#options.stamp, this.#options.context?.() ?? {}, facts, this.#openingBytesMax())
  }

  #openingBytesMax(): number {
    return Math.floor(this.segmentBytes / 4)
  }

  /**
   * Hands the batch that was composed last to the kernel.
   *
   * @returns how many of its entries are there, numbered from `firstSeq`, and what kept the others from it
   */
  async write({ entries, ends, opens }: Batch): Promise<{ count: number; firstSeq: number; failure: unknown }> {
    const active = this.#active!
    const before = active.bytes
    const { count: lines, failure } = await active.write(this.#buffer, ends)
    const opening = opens && lines > 0 ? 1 : 0
    const count = lines - opening
    const firstSeq = this.#nextSeq + opening
    this.#nextSeq += lines
    active.dirty ||= lines > 0
    this.#reserveActive()
    this.#listener.wrote(active.bytes - before)
    for (const entry of entries.slice(0, count)) if (entry.kind === 'gap') this.#remember(entry.loss)
    return { count, firstSeq, failure }
  }

  #remember({ reason, fromSeq, toSeq }: Loss): void {
    if (fromSeq === null || toSeq === null) return
    if (reason === 'overflow') {
      this.#goneTo = Math.max(this.#goneTo, toSeq)
      this.#told = this.#told.filter(span => span.toSeq > this.#goneTo)
      return
    }
    this.#told.push({ fromSeq, toSeq })
    this.#owed = this.#owed.filter(owed => owed.fromSeq !== fromSeq)
    this.#owedSeq = this.#nextSeq - 1
  }

  #fits(lineBytes: number, usedBytes: number): boolean {
    const active = this.#active
    return active !== null && active.bytes + usedBytes + lineBytes <= active.capacity
  }

  #reserve(bytes: number, usedBytes: number): void {
    if (bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, usedBytes)
    this.#buffer = larger
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
    const dirty = this.#texts().filter(({ dirty }) => dirty)
    // Now for all of them: what is written while the first are synced has a number beyond, and so has to make another sync due.
    for (const text of dirty) text.dirty = false
    try {
      if (this.#texts().length === 0) throw ioError('no segment is open')
      for (const text of dirty) {
        await text.datasync()
        this.#listener.wrote(syncWriteBytes)
      }
      await this.files.syncDirectory()
    } catch (error) {
      for (const text of dirty) text.dirty = true
      this.#suspect = true
      this.#known = false
      this.#listener.syncFailed(error)
      throw error
    }
    if (this.#owedSeq <= toSeq) this.#owedSeq = 0
    this.#listener.synced(toSeq)
  }

  /** Others may have taken what the active segment was to grow into: then it ends here, and goes on in the room of the oldest. */
  async keepReserve(): Promise<void> {
    await this.files.lookForRoom()
    const active = this.#active
    if (!active || this.files.room >= 0) return
    active.capacity = Math.max(active.bytes, active.capacity + this.files.room)
    this.#reserveActive()
  }

  // ---- the end

  /** Syncs and closes the segments. */
  async finish(): Promise<void> {
    await this.#syncing
    if (this.dirty) await this.sync()
    for (const text of this.#texts()) await text.close()
    await this.#closing
    this.#active = null
    this.#full = []
    await this.files.tidy()
    await this.files.syncDirectory()
  }

  /** No more upkeep. Not in turn with the other calls, because it may wait for one. */
  stopUpkeep(): Promise<void> {
    return this.#upkeep.stop()
  }

  /** Closes the segments as they are. */
  async letGo(): Promise<void> {
    await this.#syncing?.catch(toldAlready)
    const texts = this.#texts()
    this.#active = null
    this.#full = []
    for (const text of texts) await text.close().catch(toldAlready)
    await this.#closing
  }
}

const numbersOf = ({ fromSeq, toSeq }: Loss): Span[] => (fromSeq === null || toSeq === null ? [] : [{ fromSeq, toSeq }])

const pastTense = { keep: 'kept', cut: 'cut', quarantine: 'quarantined', delete: 'deleted' } as const

/** At most. */
const lineBytesOf = (entry: Queued): number => (entry.kind === 'gap' ? gapLineBytes : entry.bytes + lineOverheadBytes)

const noRoom = (bytes: number): Error =>
  Object.assign(new Error(`ENOSPC: no room beside the reserve of free disk (${bytes} bytes)`), { code: 'ENOSPC' })
