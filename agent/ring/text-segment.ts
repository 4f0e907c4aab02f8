/** A segment as text while it is written, and until it is sealed: its file, how far it goes, and what of it the device has. */
import { type Disk, type DiskFile, toldAlready, writeAsMuch } from './disk.js'
import { segmentName } from './segment.js'

export class TextSegment {
  readonly name: string
  readonly firstSeq: number
  /** Whole lines; whatever stands behind them is cut off before the next. */
  bytes: number
  /** How large it may become. */
  capacity: number
  /** Whether some of it may not be on the device: kept by the one who numbers the lines, and knows when a sync began. */
  dirty: boolean
  #file: DiskFile

  private constructor(file: DiskFile, firstSeq: number, bytes: number, capacity: number) {
    this.name = segmentName(firstSeq)
    this.#file = file
    this.firstSeq = firstSeq
    this.bytes = bytes
    this.capacity = capacity
    this.dirty = bytes > 0
  }

  static async create(disk: Disk, path: string, firstSeq: number, capacity: number): Promise<TextSegment> {
    return new TextSegment(await disk.open(path, 'create'), firstSeq, 0, capacity)
  }

  /** One that is there; what was written to it before counts as not on the device. */
  static async reopen(
    disk: Disk,
    path: string,
    { firstSeq, bytes }: Readonly<{ firstSeq: number; bytes: number }>,
    capacity: number,
  ): Promise<TextSegment> {
    return new TextSegment(await disk.open(path, 'modify'), firstSeq, bytes, Math.max(bytes, capacity))
  }

  /**
   * @param ends where each line ends in the bytes
   * @returns how many lines it took whole, and what kept the others from it
   */
  async write(bytes: Buffer, ends: readonly number[]): Promise<{ count: number; failure: unknown }> {
    const { written, failure } = await writeAsMuch(this.#file, bytes, ends.at(-1) ?? 0, this.bytes)
    const count = failure === null ? ends.length : ends.filter(end => end <= written).length
    const wholeBytes = ends[count - 1] ?? 0
    this.bytes += wholeBytes
    // Half a line must not stand before the next. Where even this is refused, healing does it.
    if (written > wholeBytes) await this.#file.truncate(this.bytes).catch(toldAlready)
    return { count, failure }
  }

  datasync(): Promise<void> {
    return this.#file.datasync()
  }

  /** `links` is 0 when somebody deleted it: the kernel goes on taking its bytes, and nobody will read them. */
  stat(): Promise<Readonly<{ bytes: number; links: number }>> {
    return this.#file.stat()
  }

  truncate(): Promise<void> {
    return this.#file.truncate(this.bytes)
  }

  /** As it is. */
  close(): Promise<void> {
    return this.#file.close()
  }

  /** Takes another handle on the same file, for one that can no longer be relied on. */
  async renew(disk: Disk, path: string): Promise<void> {
    const file = await disk.open(path, 'modify')
    await this.#file.close().catch(toldAlready)
    this.#file = file
  }
}
