/** A full text segment is sealed: packed beside the writing, and put in its place in turn with it. */
import type { Span } from './gap.js'
import type { Ground, Job } from './ground.js'
import { sealText } from './repack.js'
import type { Sealed } from './seal.js'
import { sealedName } from './segment.js'
import type { TextSegment } from './text-segment.js'

export type SealListener = Readonly<{
  sealed(bytes: number): void
  /** There is no room for what it became; nothing was done. */
  larger(bytes: number): void
  failed(): void
}>

/** `bytes`: how much room is kept for it. `isLimit`: whether it must not become more. */
export type Expected = Readonly<{ bytes: number; isLimit: boolean }>

type Packed = Readonly<{ sealed: Sealed; missing: readonly Span[] }>

export class SealJob implements Job {
  readonly #ground: Ground
  readonly #text: TextSegment
  readonly #level: number
  readonly #expected: Expected
  readonly #listener: SealListener
  readonly #generation: number
  #prepared: Promise<Packed | null> | null = null
  #isDone = false

  constructor(ground: Ground, text: TextSegment, level: number, expected: Expected, listener: SealListener) {
    this.#ground = ground
    this.#text = text
    this.#level = level
    this.#expected = expected
    this.#listener = listener
    this.#generation = ground.generation
  }

  get #temporary(): string {
    return `${sealedName(this.#text.firstSeq)}.tmp`
  }

  async prepare(): Promise<void> {
    this.#prepared ??= this.#pack()
    await this.#prepared
  }

  async #pack(): Promise<Packed | null> {
    const { files, disk } = this.#ground
    const { firstSeq, name } = this.#text
    const span = { firstSeq, lastSeq: this.#ground.nextSeqAfter(firstSeq) - 1, thinned: false }
    try {
      const { bytes, isLimit } = this.#expected
      files.reserve(this.#temporary, bytes)
      const packed = await sealText(disk, files.path(name), span, this.#level).catch((error: unknown) => {
        files.giveUp(this.#temporary)
        throw error
      })
      const moreBytes = packed.sealed.bytes - bytes
      if (isLimit && moreBytes > 0 && files.room < moreBytes) {
        files.giveUp(this.#temporary)
        this.#listener.larger(packed.sealed.bytes)
        return null
      }
      await files.writeTemporary(this.#temporary, packed.sealed.pieces)
      this.#listener.sealed(packed.sealed.bytes)
      return packed
    } catch (error) {
      this.#listener.failed()
      throw error
    }
  }

  async carryOut(): Promise<void> {
    if (this.#isDone || !this.#prepared) return
    this.#isDone = true
    const packed = await this.#prepared
    if (packed === null) return
    const { sealed, missing } = packed
    const { files, generation, full } = this.#ground
    if (generation !== this.#generation || !full.includes(this.#text)) return files.removeTemporary(this.#temporary)
    const { firstSeq } = this.#text
    const { bytes, index } = sealed
    await files.putInPlace(this.#temporary, { name: sealedName(firstSeq), firstSeq, sealed: true, bytes, index })
    await this.#ground.sealed(this.#text)
    this.#ground.lost(missing)
  }
}
