/**
 * The file of verbose records: bounded, in memory, in two generations of lines as the ring has them. What was appended is with
 * the kernel within 250 ms, so that it survives the process; nothing is ever synced, and nobody waits for it.
 */
import { join } from 'node:path'
import { codeOf, type Disk, type DiskFile, realDisk } from '../ring/disk.js'
import { lineBytesMax, lineOverheadBytes, readLine, writeLine } from '../ring/line.js'
import type { Place } from './place.js'

/** Both generations together. At one sample a second and little traffic that is about an hour. */
export const verboseBytesMax = 4 << 20

/** Less than the 250 ms that a record may take, by what a busy loop may add. */
const flushAfterMs = 200

const recordBytesMax = 16 << 10

/** What may wait for the next write, and from where on it does not wait: more comes only where the file does not take it. */
const queueBytesMax = 1 << 20
const hurryBytes = 128 << 10

/** On a full file system the older generation makes room, unless that would leave less than this part of one. */
const worthKeeping = 1 / 8

const readBytes = 64 << 10

export type VerboseFileOptions = Readonly<{
  place: Place
  /** At least 64 KiB. */
  bytesMax?: number
  /** The JSON of the line that opens each generation, without `seq`: what a later run must know of this one. */
  opening: () => string
  /** The JSON of a record, without `seq`, that says how many are missing where it stands, and why. */
  missing: (count: number, reason: string) => string
  /** Told when the file begins to refuse, with the system's code, and with `null` when it takes records again. */
  onRefusal: (code: string | null) => void
  disk?: Disk
}>

/** An opening line has the number of the record before it, or 1. */
export type VerboseLine = Readonly<{ seq: number; json: string }>

/** What waits to be written; an opening line is not numbered. */
type Waiting = Readonly<{ json: string; bytes: number; numbered: boolean }>

export class VerboseFile {
  readonly #options: VerboseFileOptions
  readonly #disk: Disk
  readonly #generationBytesMax: number
  #begun = false
  #closed = false
  /** The newer generation, and where its last whole line ends. */
  #file: DiskFile | null = null
  #bytes = 0
  #hasOlder = false
  #seq = 0
  #queue: Waiting[] = []
  #queueBytes = 0
  #lost = { count: 0, reason: '' }
  #refused = false
  #timer: NodeJS.Timeout | null = null
  #hurried = false
  /** Whatever touches the files, one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  constructor(options: VerboseFileOptions) {
    this.#options = options
    this.#disk = options.disk ?? realDisk
    this.#generationBytesMax = Math.floor((options.bytesMax ?? verboseBytesMax) / 2)
  }

  /**
   * Never throws, never waits. What cannot be kept is counted, and a record says so where it is missing.
   *
   * @param json an object without `seq`, at most 16 KiB
   */
  append(json: string): void {
    this.#push(waiting(json, true))
  }

  /** Removes what is there from before, and writes from now on. Until then records wait. Never rejects. */
  begin(): Promise<void> {
    return this.#inTurn(async () => {
      for (const path of pathsOf(this.#options.place)) await this.#orRefused(() => this.#disk.remove(path))
      this.#begun = true
      await this.#writeQueue()
    })
  }

  /** Writes the opening once more, because what it says has changed. */
  openAgain(): void {
    this.#push(waiting(this.#options.opening(), false))
  }

  /** What was appended until now is then with the kernel, or counted as lost. Never rejects. */
  flush(): Promise<void> {
    return this.#inTurn(() => this.#writeQueue())
  }

  /** What is there, oldest first. */
  async *read(): AsyncGenerator<VerboseLine> {
    const files = await this.#inTurn(() => openBoth(this.#options.place, this.#disk))
    yield* linesOf(files)
  }

  /** Never rejects. */
  async close(): Promise<void> {
    await this.flush()
    this.#closed = true
    await this.#inTurn(async () => {
      await this.#orRefused(async () => this.#file?.close())
      this.#file = null
    })
  }

  /** For an end after which nobody will ask. Never rejects. */
  async remove(): Promise<void> {
    await this.close()
    for (const path of pathsOf(this.#options.place)) await this.#orRefused(() => this.#disk.remove(path))
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#work.then(act)
    this.#work = done.catch(() => undefined)
    return done
  }

  #push(item: Waiting): void {
    const fits = item.bytes <= Math.min(recordBytesMax, this.#generationBytesMax / 4)
    if (!fits || this.#queueBytes + item.bytes > queueBytesMax) {
      if (item.numbered) this.#lose(1, 'queue')
      return
    }
    this.#queue.push(item)
    this.#queueBytes += item.bytes
    if (!this.#begun) return
    const isEnough = this.#queueBytes > hurryBytes
    if (this.#timer !== null && (!isEnough || this.#hurried)) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#hurried = isEnough
    this.#timer = setTimeout(() => void this.flush(), isEnough ? 0 : flushAfterMs)
    // What waits at the end of the process is written by `close`.
    this.#timer.unref()
  }

  #lose(count: number, reason: string): void {
    this.#lost = { count: this.#lost.count + count, reason }
  }

  async #writeQueue(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (!this.#begun || this.#closed) return
    const lost = this.#lost
    const note = lost.count === 0 ? null : waiting(this.#options.missing(lost.count, lost.reason), true)
    // The file refuses before it loses, and a queue that is full takes nothing more: the losses of a refusal come first.
    const rest = note === null ? this.#queue : this.#refused ? [note, ...this.#queue] : [...this.#queue, note]
    this.#queue = []
    this.#queueBytes = 0
    this.#lost = { count: 0, reason: '' }
    let mayTurn = true
    while (rest.length > 0) {
      try {
        await this.#writeSome(rest)
        if (this.#refused) this.#options.onRefusal(null)
        this.#refused = false
      } catch (error) {
        const code = codeOf(error)
        if (code === '') throw error
        if (mayTurn && isFull(code) && this.#hasOlder && this.#bytes > this.#generationBytesMax * worthKeeping) {
          mayTurn = false
          await this.#orRefused(() => this.#turn())
          continue
        }
        const gone = rest.filter(({ numbered }) => numbered).length
        this.#lose(note !== null && rest.includes(note) ? gone - 1 + lost.count : gone, code)
        if (!this.#refused) this.#options.onRefusal(code)
        this.#refused = true
        return
      }
    }
  }

  /** Takes from `rest` what it has written: as much as the generation has room for. */
  async #writeSome(rest: Waiting[]): Promise<void> {
    this.#file ??= await this.#start()
    const room = this.#generationBytesMax - this.#bytes
    const { buffer, ends } = this.#encode(rest, room)
    if (ends.length === 0) return this.#turn()
    const { taken, error } = await writeAll(this.#file, buffer, this.#bytes)
    const whole = ends.filter(end => end <= taken).length
    this.#seq += rest.splice(0, whole).filter(({ numbered }) => numbered).length
    // What was taken of another line is written over by the next one.
    this.#bytes += ends[whole - 1] ?? 0
    if (error !== null) throw error
  }

  #encode(items: readonly Waiting[], room: number): Readonly<{ buffer: Buffer; ends: readonly number[] }> {
    const wanted = items.reduce((sum, { bytes }) => sum + bytes + lineOverheadBytes, 0)
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(wanted, room)))
    const ends: number[] = []
    let end = 0
    let seq = this.#seq
    for (const { json, bytes, numbered } of items) {
      if (end + bytes + lineOverheadBytes > buffer.length) break
      if (numbered) seq += 1
      end = writeLine(buffer, end, Math.max(1, seq), json)
      ends.push(end)
    }
    return { buffer: buffer.subarray(0, end), ends }
  }

  async #start(): Promise<DiskFile> {
    const file = await this.#disk.open(pathsOf(this.#options.place)[1], 'create')
    const { buffer } = this.#encode([waiting(this.#options.opening(), false)], this.#generationBytesMax)
    const { error } = await writeAll(file, buffer, 0)
    if (error !== null) {
      await this.#orRefused(() => file.close())
      throw error
    }
    this.#bytes = buffer.length
    return file
  }

  /** The newer generation becomes the older one, whose room is free then. */
  async #turn(): Promise<void> {
    const [older, newer] = pathsOf(this.#options.place)
    await this.#disk.rename(newer, older)
    const file = this.#file
    this.#file = null
    this.#bytes = 0
    this.#hasOlder = true
    await this.#orRefused(async () => file?.close())
  }

  /** What the system refuses here shows, and is told, at the next write. */
  async #orRefused(act: () => Promise<unknown>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (codeOf(error) === '') throw error
    }
  }
}

/** What a run before has left there, oldest first: the sound lines alone, for the last one may be torn. */
export async function* readVerbose(place: Place, disk: Disk = realDisk): AsyncGenerator<VerboseLine> {
  yield* linesOf(await openBoth(place, disk))
}

/** The older generation, then the newer one. */
const pathsOf = ({ dir, name }: Place): readonly [older: string, newer: string] => [
  join(dir, `${name}.verbose.1.log`),
  join(dir, `${name}.verbose.log`),
]

const waiting = (json: string, numbered: boolean): Waiting => ({ json, bytes: Buffer.byteLength(json), numbered })

const isFull = (code: string): boolean => code === 'ENOSPC' || code === 'EDQUOT'

async function writeAll(
  file: DiskFile,
  buffer: Buffer,
  position: number,
): Promise<{ taken: number; error: unknown | null }> {
  let taken = 0
  try {
    while (taken < buffer.length) {
      const written = await file.write(buffer, taken, buffer.length - taken, position + taken)
      if (written === 0) throw Object.assign(new Error('nothing was taken'), { code: 'EIO' })
      taken += written
    }
  } catch (error) {
    return { taken, error }
  }
  return { taken, error: null }
}

type Opened = Readonly<{ file: DiskFile; bytes: number }>

async function openBoth(place: Place, disk: Disk): Promise<Opened[]> {
  const opened: Opened[] = []
  for (const path of pathsOf(place)) {
    try {
      const file = await disk.open(path, 'read')
      opened.push({ file, bytes: (await file.stat()).bytes })
    } catch (error) {
      // Not there, or not to be read: then nothing is known of it.
      if (codeOf(error) === '') throw error
    }
  }
  return opened
}

async function* linesOf(files: readonly Opened[]): AsyncGenerator<VerboseLine> {
  try {
    for (const { file, bytes } of files) yield* linesIn(file, bytes)
  } finally {
    await Promise.all(files.map(({ file }) => file.close()))
  }
}

async function* linesIn(file: DiskFile, bytes: number): AsyncGenerator<VerboseLine> {
  const chunk = Buffer.allocUnsafe(readBytes)
  let carried = Buffer.alloc(0)
  for (let position = 0; position < bytes; ) {
    const length = await file.read(chunk, 0, Math.min(readBytes, bytes - position), position).catch(refusedAs0)
    if (length === 0) return
    position += length
    const text = Buffer.concat([carried, chunk.subarray(0, length)])
    let start = 0
    for (;;) {
      const end = text.indexOf(newline, start)
      if (end < 0) break
      const line = readLine(text.subarray(start, end))
      if (line !== null) yield { seq: line.seq, json: line.json.toString() }
      start = end + 1
    }
    carried = text.subarray(start)
    if (carried.length > lineBytesMax) carried = Buffer.alloc(0)
  }
}

const newline = 0x0a

const refusedAs0 = (error: unknown): number => {
  if (codeOf(error) === '') throw error
  return 0
}
