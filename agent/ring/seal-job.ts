/** A full text segment is sealed: packed beside the writing, and put in its place in turn with it. */
import type { Span } from './gap.js'
import type { Ground, Job, JobStep } from './ground.js'
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
  /** Set while there is something left to do with it. */
  #packed: Packed | null = null

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

  readonly steps: readonly JobStep[] = [
    {
      isInTurn: false,
      act: async () => {
        this.#packed = await this.#pack()
      },
    },
    { isInTurn: true, act: () => this.#putInPlace() },
    { isInTurn: false, act: () => (this.#packed ? this.#ground.files.syncDirectory() : nothing) },
    { isInTurn: true, act: () => this.#removeText() },
  ]

  async #pack(): Promise<Packed | null> {
    const { files, disk } = this.#ground
    const { firstSeq, name } = this.#text
    const { latest } = files.segments.findLast(before => before.firstSeq < firstSeq)?.index ?? {}
    const lastSeq = this.#ground.nextSeqAfter(firstSeq) - 1
    const span = { firstSeq, lastSeq, thinned: false, ...(latest ? { latest } : {}) }
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

  async #putInPlace(): Promise<void> {
    if (!this.#packed) return
    const { files, full } = this.#ground
    if (this.#isVoid || !full.includes(this.#text)) {
      this.#packed = null
      return files.removeTemporary(this.#temporary)
    }
    const { firstSeq } = this.#text
    const { bytes, index } = this.#packed.sealed
    await files.putInPlace(this.#temporary, { name: sealedName(firstSeq), firstSeq, sealed: true, bytes, index })
  }

  async #removeText(): Promise<void> {
    if (!this.#packed || this.#isVoid) return
    await this.#ground.sealed(this.#text)
    this.#ground.lost(this.#packed.missing)
  }

  /** The directory was looked at anew meanwhile. */
  get #isVoid(): boolean {
    return this.#ground.generation !== this.#generation
  }
}

const nothing = Promise.resolve()
