/**
 * A disk in memory that forgets whatever POSIX lets a real one forget, so that a ring which believes more than it was promised
 * is caught:
 *
 * - What is written can be read at once and survives `kill -9`, but a power cut only after `datasync`. Of what was not synced
 *   each sector of 512 bytes is there, is as before, or is torn, and the length is the old one, the new one or between.
 * - What is created, renamed and removed survives a power cut after `syncDirectory`; of the rest the first few do, in order.
 * - A sync speaks for what was written before it was called, not for what came while it ran.
 * - A sync that fails drops what it should have written: it can still be read until the power goes, and no later sync writes it.
 * - A deleted file lives on for those who have it open, and takes room as long.
 *
 * A machine that crashed answers nobody any more: every call on it is pending for ever.
 */
import { basename, dirname } from 'node:path'
import type { Disk, DiskFile, ListedFile, Space } from '../../agent/ring/disk.js'

/** From 0 to 1, and the same each time for the same seed. */
export type Random = () => number

export type Operation =
  | 'makeDirectory'
  | 'list'
  | 'names'
  | 'space'
  | 'open'
  | 'stat'
  | 'read'
  | 'write'
  | 'truncate'
  | 'datasync'
  | 'close'
  | 'rename'
  | 'remove'
  | 'syncDirectory'

/** `index` counts from 0, over all operations of this disk. */
export type Call = Readonly<{ operation: Operation; path: string; index: number }>

/** `kill`: of the process alone. `power`: the machine forgets what was not on the device. */
export type Crash = 'kill' | 'power'

export type Fault =
  /** An errno name; nothing has happened, except that a sync drops what it should have written. */
  | Readonly<{ fails: string }>
  /** A write hands over so many bytes, at least one; any other operation just happens. */
  | Readonly<{ takes: number }>
  /** `within` a write comes after some of its bytes; of any other operation it is one of the others. */
  | Readonly<{ crash: Crash; when: 'before' | 'within' | 'after' }>

export type SimulatedDiskOptions = Readonly<{
  random: Random
  /** Default: 1 GiB and no limit to the files. */
  totalBytes?: number
  filesMax?: number
}>

export class SimulatedDisk implements Disk {
  /** Asked before every operation; `null` lets it happen. */
  onCall: ((call: Call) => Fault | null) | null = null
  /** Every change ends in EROFS, as on a file system that has seen an error. */
  readOnly = false
  /** How many syncs have failed, each of which may have dropped what it should have written. */
  syncFailures = 0
  /** What others have taken of it. */
  othersBytes = 0
  /** What is left, once a fault has crashed the machine. */
  readonly crashed: Promise<SimulatedDisk>

  readonly #random: Random
  readonly #totalBytes: number
  readonly #filesMax: number
  #root = new Directory()
  readonly #open = new Set<File>()
  #calls = 0
  #pending = 0
  #isDead = false
  #tellCrashed: (left: SimulatedDisk) => void = () => {}
  readonly #peakBytes = new Map<string, number>()

  constructor({ random, totalBytes = 1 << 30, filesMax = Number.POSITIVE_INFINITY }: SimulatedDiskOptions) {
    this.#random = random
    this.#totalBytes = totalBytes
    this.#filesMax = filesMax
    this.crashed = new Promise(resolve => {
      this.#tellCrashed = resolve
    })
  }

  // ---- what a test sees and does, at once and without a fault

  get calls(): number {
    return this.#calls
  }

  /** Whether an operation was called that has not answered yet. */
  get isBusy(): boolean {
    return this.#pending > 0
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get freeBytes(): number {
    return Math.max(0, this.#totalBytes - this.othersBytes - this.#takenBytes())
  }

  /** Ends the machine. @returns the one that starts after it, with what is left */
  crash(how: Crash): SimulatedDisk {
    const left = this.#next(how === 'kill' ? this.#root.asSeen() : this.#root.afterPowerCut(this.#random))
    this.#isDead = true
    this.#pending = 0
    this.#tellCrashed(left)
    return left
  }

  /** Another disk that nobody has used yet, with the same on it and the same of that not on the device. */
  copy(random: Random): SimulatedDisk {
    return this.#next(this.#root.copy(), random)
  }

  files(path: string): ListedFile[] {
    const directory = this.#find(path)
    if (!(directory instanceof Directory)) return []
    return [...directory.entries]
      .flatMap(([name, node]) => (node instanceof File ? [{ name, bytes: node.size }] : []))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  bytesIn(path: string): number {
    return this.files(path).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The most that was ever in a directory. */
  peakBytesIn(path: string): number {
    return this.#peakBytes.get(path) ?? this.bytesIn(path)
  }

  /** From here on the most that was there counts from what is there now. */
  forgetPeak(): void {
    this.#peakBytes.clear()
  }

  contentOf(path: string): Buffer {
    return Buffer.from(this.#file(path, 'read').bytes)
  }

  /** Other bytes in the place of a file's, on the device itself: how damage comes about. */
  damage(path: string, bytes: Uint8Array): void {
    this.#file(path, 'damage').becomes(Buffer.from(bytes))
  }

  // ---- the disk

  makeDirectory(path: string): Promise<void> {
    return this.#act('makeDirectory', path, () => {
      let directory = this.#root
      for (const name of namesIn(path)) {
        let next = directory.entries.get(name)
        if (!next) {
          this.#refuseToChange()
          next = new Directory()
          directory.entries.set(name, next)
          // That it is there after a power cut is a promise of this call; nobody syncs the directories above.
          directory.onDevice.set(name, next)
        }
        if (next instanceof File) throw failure('ENOTDIR', path)
        directory = next
      }
    })
  }

  list(path: string): Promise<readonly ListedFile[]> {
    return this.#act('list', path, () => {
      this.#directory(path)
      return this.files(path)
    })
  }

  names(path: string): Promise<readonly string[]> {
    return this.#act('names', path, () => {
      this.#directory(path)
      return this.files(path).map(({ name }) => name)
    })
  }

  space(path: string): Promise<Space> {
    return this.#act('space', path, () => {
      this.#directory(path)
      return { freeBytes: this.freeBytes, totalBytes: this.#totalBytes }
    })
  }

  open(path: string, how: 'read' | 'modify' | 'create'): Promise<DiskFile> {
    return this.#act('open', path, () => {
      if (how !== 'read') this.#refuseToChange()
      const file = how === 'create' ? this.#fileMade(path) : this.#file(path, how)
      file.handles++
      this.#open.add(file)
      return this.#handle(file, path)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#act('rename', from, () => {
      this.#refuseToChange()
      const file = this.#file(from, 'rename')
      const directory = this.#directory(dirname(from))
      if (dirname(to) !== dirname(from)) throw failure('EXDEV', from)
      const replaced = directory.entries.get(basename(to))
      if (replaced instanceof File) replaced.links = 0
      directory.change({ unlink: basename(from), link: basename(to), file })
    })
  }

  remove(path: string): Promise<void> {
    return this.#act('remove', path, () => {
      const file = this.#file(path, 'remove')
      this.#refuseToChange()
      file.links = 0
      this.#directory(dirname(path)).change({ unlink: basename(path), link: null, file })
    })
  }

  syncDirectory(path: string): Promise<void> {
    const directory = this.#find(path)
    const upTo = directory instanceof Directory ? directory.changes : 0
    return this.#act('syncDirectory', path, () => {
      const directory = this.#directory(path)
      if (directory.isDirty) this.#refuseToChange()
      directory.settle(upTo)
    })
  }

  #handle(file: File, path: string): DiskFile {
    let isOpen = true
    const act = <T>(operation: Operation, effect: (takes: number) => T, onFailure?: () => void): Promise<T> =>
      this.#act(
        operation,
        path,
        takes => {
          if (!isOpen) throw failure('EBADF', path)
          return effect(takes)
        },
        onFailure,
      )
    return {
      read: (into, offset, length, position) =>
        act('read', () => {
          const bytes = file.bytes.subarray(position, position + length)
          into.set(bytes, offset)
          return bytes.length
        }),
      write: (from, offset, length, position) =>
        act('write', takes => {
          this.#refuseToChange()
          const room = file.allocatedBytes + Math.floor(this.freeBytes / blockBytes) * blockBytes - position
          const taken = Math.min(length, takes, room)
          if (taken <= 0 && length > 0) throw failure('ENOSPC', path)
          file.write(from.subarray(offset, offset + taken), position)
          this.#measure(path)
          return taken
        }),
      truncate: bytes =>
        act('truncate', () => {
          this.#refuseToChange()
          file.truncate(bytes)
          this.#measure(path)
        }),
      datasync: () => {
        const unsynced = file.unsynced()
        return act(
          'datasync',
          () => {
            if (file.isDirty) this.#refuseToChange()
            file.settle(unsynced)
          },
          () => {
            this.syncFailures++
            file.drop(unsynced, this.#random)
          },
        )
      },
      stat: () => act('stat', () => ({ bytes: file.size, links: file.links })),
      close: () =>
        act(
          'close',
          () => {
            isOpen = false
            if (--file.handles === 0) this.#open.delete(file)
          },
          () => {
            isOpen = false
            if (--file.handles === 0) this.#open.delete(file)
          },
        ),
    }
  }

  async #act<T>(
    operation: Operation,
    path: string,
    effect: (takes: number) => T,
    onFailure: () => void = () => {},
  ): Promise<T> {
    if (this.#isDead) return never()
    this.#pending++
    try {
      await this.#turn()
      if (this.#isDead) return await never()
      const call = { operation, path, index: this.#calls++ }
      const fault = this.onCall?.(call) ?? null
      const when = fault && 'crash' in fault ? this.#momentOf(fault.when, operation) : null
      if (fault && 'crash' in fault && when === 'before') this.crash(fault.crash)
      if (this.#isDead) return await never()
      if (fault && 'fails' in fault) {
        onFailure()
        throw failure(fault.fails, `${operation} of ${path}`)
      }
      const takes = when === 'within' ? 1 + Math.floor(this.#random() * 8_000) : Number.POSITIVE_INFINITY
      const result = effect(fault && 'takes' in fault ? fault.takes : takes)
      if (fault && 'crash' in fault) this.crash(fault.crash)
      if (this.#isDead) return await never()
      await this.#turn()
      if (this.#isDead) return await never()
      return result
    } finally {
      this.#pending--
    }
  }

  #momentOf(when: 'before' | 'within' | 'after', operation: Operation): 'before' | 'within' | 'after' {
    if (when !== 'within' || operation === 'write') return when
    return this.#random() < 0.5 ? 'before' : 'after'
  }

  /** So that what is called at the same time may happen in any order, and something else between call and answer. */
  #turn(): Promise<void> {
    return this.#random() < 0.5 ? Promise.resolve() : new Promise(resolve => setImmediate(resolve))
  }

  #next(root: Directory, random = this.#random): SimulatedDisk {
    const next = new SimulatedDisk({ random, totalBytes: this.#totalBytes, filesMax: this.#filesMax })
    next.readOnly = this.readOnly
    next.othersBytes = this.othersBytes
    next.#root = root
    return next
  }

  #refuseToChange(): void {
    if (this.readOnly) throw failure('EROFS', 'a file system that is read-only')
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of namesIn(path)) node = node instanceof Directory ? node.entries.get(name) : undefined
    return node
  }

  #directory(path: string): Directory {
    const node = this.#find(path)
    if (node instanceof Directory) return node
    throw failure(node ? 'ENOTDIR' : 'ENOENT', path)
  }

  #file(path: string, wanted: string): File {
    const node = this.#find(path)
    if (node instanceof File) return node
    throw failure(node ? 'EISDIR' : 'ENOENT', `${wanted} of ${path}`)
  }

  #fileMade(path: string): File {
    const directory = this.#directory(dirname(path))
    const node = directory.entries.get(basename(path))
    if (node instanceof File) {
      node.truncate(0)
      return node
    }
    if (node) throw failure('EISDIR', path)
    if (this.#filesThere().size >= this.#filesMax) throw failure('ENOSPC', path)
    const file = new File(Buffer.alloc(0))
    directory.change({ unlink: null, link: basename(path), file })
    return file
  }

  #filesThere(): Set<File> {
    return new Set([...this.#root.allFiles(), ...this.#open])
  }

  #takenBytes(): number {
    let bytes = 0
    for (const file of this.#filesThere()) bytes += file.allocatedBytes
    return bytes
  }

  #measure(path: string): void {
    const directory = dirname(path)
    this.#peakBytes.set(directory, Math.max(this.#peakBytes.get(directory) ?? 0, this.bytesIn(directory)))
  }
}

const blockBytes = 4096
const sectorBytes = 512

/** What a dead machine answers. One for each call: what waits for it shall not be kept for ever. */
const never = (): Promise<never> => new Promise(() => {})

const namesIn = (path: string): string[] => path.split('/').filter(name => name !== '')

const failure = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code })

type Node = Directory | File

/** One step, as a journal knows it: all of it is there after a power cut or nothing. */
type Change = Readonly<{ unlink: string | null; link: string | null; file: File }>

class Directory {
  /** As it is seen. */
  readonly entries = new Map<string, Node>()
  readonly onDevice = new Map<string, Node>()
  /** Those that are not on the device, oldest first. */
  #unsynced: Change[] = []
  /** How many there have been. */
  changes = 0

  get isDirty(): boolean {
    return this.#unsynced.length > 0
  }

  change(change: Change): void {
    apply(change, this.entries)
    this.#unsynced.push(change)
    this.changes++
  }

  /** @param upTo the count of changes that were there when the sync was called */
  settle(upTo: number): void {
    const settled = Math.max(0, upTo - (this.changes - this.#unsynced.length))
    for (const change of this.#unsynced.splice(0, settled)) apply(change, this.onDevice)
  }

  *allFiles(): Generator<File> {
    for (const node of this.entries.values()) {
      if (node instanceof File) yield node
      else yield* node.allFiles()
    }
  }

  /** The same directory for the next process: nobody has its files open any more. */
  asSeen(): Directory {
    for (const node of this.entries.values()) {
      if (node instanceof File) node.handles = 0
      else node.asSeen()
    }
    return this
  }

  copy(): Directory {
    const copies = new Map<Node, Node>()
    const copyOf = (node: Node): Node => {
      const copy = copies.get(node) ?? node.copy()
      copies.set(node, copy)
      return copy
    }
    const copy = new Directory()
    for (const [name, node] of this.entries) copy.entries.set(name, copyOf(node))
    for (const [name, node] of this.onDevice) copy.onDevice.set(name, copyOf(node))
    copy.#unsynced = this.#unsynced.map(change => ({ ...change, file: copyOf(change.file) as File }))
    copy.changes = this.changes
    return copy
  }

  afterPowerCut(random: Random): Directory {
    const left = new Map(this.onDevice)
    const kept = Math.floor(random() * (this.#unsynced.length + 1))
    for (const change of this.#unsynced.slice(0, kept)) apply(change, left)
    const directory = new Directory()
    for (const [name, node] of left) {
      const there = node instanceof File ? new File(node.afterPowerCut(random)) : node.afterPowerCut(random)
      directory.entries.set(name, there)
      directory.onDevice.set(name, there)
    }
    return directory
  }
}

function apply({ unlink, link, file }: Change, entries: Map<string, Node>): void {
  if (unlink !== null) entries.delete(unlink)
  if (link !== null) entries.set(link, file)
}

/** What a sync has to write: the sectors as they were when it was called. */
type Unsynced = Readonly<{
  version: number
  size: number
  sectors: ReadonlyMap<number, Readonly<{ version: number; bytes: Buffer }>>
}>

class File {
  links = 1
  handles = 0
  #room: Buffer
  #size: number
  #onDevice: Buffer
  /** Sectors that were changed and not synced, each with the number of its last change. */
  #dirty = new Map<number, number>()
  #version = 0
  #settledVersion = 0

  constructor(bytes: Buffer) {
    this.#room = bytes
    this.#size = bytes.length
    this.#onDevice = Buffer.from(bytes)
  }

  becomes(bytes: Buffer): void {
    this.#room = bytes
    this.#size = bytes.length
    this.#onDevice = Buffer.from(bytes)
    this.#dirty.clear()
  }

  copy(): File {
    const copy = new File(Buffer.from(this.bytes))
    copy.links = this.links
    copy.#onDevice = this.#onDevice
    copy.#dirty = new Map(this.#dirty)
    copy.#version = this.#version
    copy.#settledVersion = this.#settledVersion
    return copy
  }

  get size(): number {
    return this.#size
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#size)
  }

  get allocatedBytes(): number {
    return Math.ceil(this.#size / blockBytes) * blockBytes
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#room.length) {
      const larger = Buffer.alloc(Math.max(end, this.#room.length * 2))
      this.bytes.copy(larger)
      this.#room = larger
    }
    const from = Math.min(position, this.#size)
    if (position > this.#size) this.#room.fill(0, this.#size, position)
    this.#room.set(bytes, position)
    this.#size = Math.max(this.#size, end)
    this.#touch(from, end)
  }

  truncate(size: number): void {
    if (size > this.#size) this.write(Buffer.alloc(size - this.#size), this.#size)
    else if (size < this.#size) {
      this.#touch(size, this.#size)
      this.#room.fill(0, size, this.#size)
      this.#size = size
    }
  }

  unsynced(): Unsynced {
    const sectors = [...this.#dirty].map(
      ([sector, version]) => [sector, { version, bytes: Buffer.from(this.#sector(this.bytes, sector)) }] as const,
    )
    return { version: this.#version, size: this.#size, sectors: new Map(sectors) }
  }

  settle(unsynced: Unsynced): void {
    // One that was called later has ended before, and has written all of this or what came after it.
    if (unsynced.version < this.#settledVersion) return
    this.#settledVersion = unsynced.version
    this.#writeToDevice(unsynced.size, unsynced.sectors)
  }

  /** Some of it was written before it failed; none of it will be tried again, though it can be read as if it were there. */
  drop({ version: droppedVersion, size, sectors }: Unsynced, random: Random): void {
    if (droppedVersion < this.#settledVersion) return
    const all = [...sectors].filter(([sector, { version }]) => this.#dirty.get(sector) === version)
    const written = new Map(all.filter(() => random() < 0.3))
    this.#writeToDevice(random() < 0.5 ? size : this.#onDevice.length, written)
    for (const [sector] of all) this.#dirty.delete(sector)
  }

  #writeToDevice(size: number, sectors: Unsynced['sectors']): void {
    const written = Buffer.alloc(size)
    this.#onDevice.copy(written)
    for (const [sector, { version, bytes }] of sectors) {
      const start = sector * sectorBytes
      if (start < size) {
        written.fill(0, start, Math.min(start + sectorBytes, size))
        bytes.copy(written, start)
      }
      if (this.#dirty.get(sector) === version) this.#dirty.delete(sector)
    }
    this.#onDevice = written
  }

  afterPowerCut(random: Random): Buffer {
    const old = this.#onDevice
    if (!this.isDirty) return Buffer.from(old)
    const [shorter, longer] = [Math.min(old.length, this.#size), Math.max(old.length, this.#size)]
    const chance = random()
    const size =
      chance < 0.3 ? old.length : chance < 0.7 ? this.#size : shorter + Math.floor(random() * (longer - shorter + 1))
    const left = Buffer.alloc(size)
    old.copy(left)
    // A device mostly gets them in order; what comes out of order is what a recovery must not be surprised by.
    const inOrder = random() < 0.4
    const dirty = [...this.#dirty.keys()].sort((a, b) => a - b)
    const writtenUpTo = dirty[Math.floor(random() * (dirty.length + 1))] ?? Number.POSITIVE_INFINITY
    for (const sector of dirty) {
      const start = sector * sectorBytes
      const fate = inOrder ? (sector < writtenUpTo ? 0 : sector > writtenUpTo ? 1 : 0.9) : random()
      const kept = fate < 0.5 ? sectorBytes : fate < 0.8 || fate === 1 ? 0 : Math.floor(random() * sectorBytes)
      const bytes = this.#sector(this.bytes, sector)
      if (start < size) bytes.copy(left, start, 0, Math.min(kept, bytes.length))
    }
    return left
  }

  #sector(bytes: Buffer, sector: number): Buffer {
    return bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)
  }

  #touch(from: number, to: number): void {
    this.#version++
    const last = Math.max(from, to - 1)
    for (let sector = Math.floor(from / sectorBytes); sector * sectorBytes <= last; sector++)
      this.#dirty.set(sector, this.#version)
  }
}
