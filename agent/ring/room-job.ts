/** Room is made: the oldest records go, but for what is protected of them, and a gap record says so first. */
import { codeOf } from './disk.js'
import type { SegmentFile } from './files.js'
import { type Kept, type Loss, type Span, sizeOf, without } from './gap.js'
import type { Ground, Job, JobStep } from './ground.js'
import { isWhole, thinned } from './repack.js'
import type { Sealed } from './seal.js'
import { recordsIn, type SegmentIndex, textBytesIn } from './segment-index.js'
import { chooseVictim, type Holding, type Victim } from './shares.js'

/** What is taken out in one go: neighbours that go whole, and at the most one, the last, of which something stays. */
type Taking = {
  whole: SegmentFile[]
  thin: Readonly<{
    segment: SegmentFile
    into: SegmentFile
    sealed: Sealed
    temporary: string
    kept: Kept
  }> | null
}

export class RoomJob implements Job {
  readonly #ground: Ground
  readonly #mayGo: readonly SegmentFile[]
  readonly #bytes: number
  readonly #isLastResort: boolean
  readonly #generation: number
  #taking: Taking = { whole: [], thin: null }
  #isTold = false

  /** @param isLastResort whether there is no other way to make room than to let go what is protected */
  constructor(ground: Ground, mayGo: readonly SegmentFile[], bytes: number, isLastResort: boolean) {
    this.#ground = ground
    this.#isLastResort = isLastResort
    this.#mayGo = mayGo
    this.#bytes = bytes
    this.#generation = ground.generation
  }

  readonly steps: readonly JobStep[] = [
    {
      isInTurn: false,
      act: async () => {
        this.#taking = await this.#choose()
      },
    },
    { isInTurn: true, act: () => this.#tell() },
    // The gap record comes before the deed, and onto the device, so that no crash can make a loss silent.
    { isInTurn: false, act: () => (this.#isTold ? this.#ground.syncAll() : nothing) },
    { isInTurn: true, act: () => this.#putInPlace() },
    { isInTurn: false, act: () => (this.#taking.thin ? this.#ground.files.syncDirectory() : nothing) },
    { isInTurn: true, act: () => this.#remove() },
  ]

  async #choose(): Promise<Taking> {
    const { files, classes, budgetBytes } = this.#ground
    const rest = await Promise.all(
      this.#mayGo.map(async segment => ({ segment, bytes: segment.bytes, index: await files.indexOf(segment) })),
    )
    const taking: Taking = { whole: [], thin: null }
    const quarantined = this.#ground.mayDropQuarantine ? files.quarantined : []
    let lackingBytes = this.#bytes - files.room - quarantined.reduce((sum, { bytes }) => sum + bytes, 0)
    let lackingFiles = files.isCrowded ? 1 : 0
    for (;;) {
      const holdings: Holding[] = rest.map(({ bytes, index }) => ({ bytes, index: index ?? unknownIndex }))
      const victim = toldFirst(rest) ?? chooseVictim(holdings, classes, budgetBytes, this.#isLastResort)
      const chosen = victim && rest[victim.position]
      const isLacking = lackingBytes > 0 || lackingFiles > 0
      if (!chosen || !(isLacking || chosen.segment.isTold)) break
      if (!this.#isNeighbour(taking.whole.at(-1), chosen.segment)) break
      rest.splice(victim.position, 1)
      if (victim.survives.size > 0 && chosen.index) {
        const before = this.#thinnedBefore(chosen.segment, taking.whole)
        taking.thin = await this.#thin(chosen.segment, chosen.index, victim.survives, before)
        if (taking.thin) break
      }
      taking.whole.push(chosen.segment)
      lackingBytes -= chosen.bytes
      lackingFiles--
    }
    return taking
  }

  #isNeighbour(before: SegmentFile | undefined, segment: SegmentFile): boolean {
    const { segments } = this.#ground.files
    return before === undefined || segments.indexOf(segment) === segments.indexOf(before) + 1
  }

  /** Where what stays of a segment can be added to. */
  #thinnedBefore(segment: SegmentFile, going: readonly SegmentFile[]): SegmentFile | null {
    const staying = this.#ground.files.segments.filter(other => !going.includes(other))
    const before = staying[staying.indexOf(segment) - 1]
    return before?.index?.thinned ? before : null
  }

  async #thin(segment: SegmentFile, index: SegmentIndex, survives: ReadonlySet<string>, before: SegmentFile | null) {
    const { files, disk, segmentBytes } = this.#ground
    const survivingBytes = Object.entries(index.types).reduce(
      (sum, [type, { textBytes }]) => sum + (survives.has(type) ? textBytes : 0),
      0,
    )
    // What is damaged of the one before would go without a word if it were written again.
    const isAdded =
      before?.index &&
      textBytesIn(before.index) + survivingBytes <= segmentBytes &&
      (await isWhole(disk, files.path(before.name), before.index))
    const into = isAdded ? before : segment
    try {
      const opening = segment.kept?.opening ?? !isAdded
      const { sealed, survivors } = await thinned(
        disk,
        files,
        isAdded ? before : null,
        segment,
        index,
        survives,
        opening,
      )
      const temporary = `${into.name}.tmp`
      await files.writeTemporary(temporary, sealed.pieces)
      const kept = { fromSeq: segment.firstSeq, types: [...survives], opening, count: survivors }
      return { segment, into, sealed, temporary, kept }
    } catch (error) {
      // What cannot be read, or kept because there is no room for it, goes with the rest, and is counted with it.
      if (codeOf(error) === '') throw error
      return null
    }
  }

  async #tell(): Promise<void> {
    const { files } = this.#ground
    const { thin } = this.#taking
    if (this.#isVoid) {
      this.#taking = { whole: [], thin: null }
      if (thin) await files.removeTemporary(thin.temporary)
      return
    }
    if (this.#ground.mayDropQuarantine) for (const { name } of [...files.quarantined]) await files.remove(name)
    const going = this.#going
    if (going.length === 0) return
    const loss = { ...this.#lossOf(going, thin?.kept.count ?? 0), kept: thin?.kept ?? null }
    // Also where all of it was told as damage: what its own gap records say of those before it goes with it.
    this.#isTold = loss.count > 0 || loss.toSeq > this.#ground.goneTo
    if (this.#isTold) await this.#ground.tellOverflow(loss)
    // Whatever comes between, nobody tells of them twice.
    for (const segment of going) {
      segment.isTold = true
      segment.kept = thin?.segment === segment ? thin.kept : null
    }
  }

  async #putInPlace(): Promise<void> {
    const { thin } = this.#taking
    if (!thin || this.#isVoid) return
    const { into, sealed, temporary } = thin
    const { bytes, index } = sealed
    const segment = { name: into.name, firstSeq: into.firstSeq, sealed: true, bytes, index }
    await this.#ground.files.putInPlace(temporary, segment)
  }

  async #remove(): Promise<void> {
    if (this.#isVoid) return
    for (const { name } of this.#going) if (name !== this.#taking.thin?.into.name) await this.#ground.files.remove(name)
  }

  get #going(): SegmentFile[] {
    const { whole, thin } = this.#taking
    return thin ? [...whole, thin.segment] : whole
  }

  /** The directory was looked at anew meanwhile. */
  get #isVoid(): boolean {
    return this.#ground.generation !== this.#generation
  }

  #lossOf(going: readonly SegmentFile[], survivors: number): Loss & Span {
    const last = going.at(-1)!
    const count = going.reduce((sum, segment) => sum + this.#countOf(segment), 0)
    // Where it was told that it goes, and not what stays, the one was counted without the other.
    const isUnknown = last.isTold && last.kept === undefined && !last.index?.thinned
    return {
      reason: 'overflow',
      count: isUnknown ? count : count - survivors,
      fromSeq: this.#spanOf(going[0]!).fromSeq,
      toSeq: this.#spanOf(last).toSeq,
    }
  }

  /** How many are in it of which nobody has told yet that they go. */
  #countOf(segment: SegmentFile): number {
    const { index, isTold, kept } = segment
    if (isTold && (kept !== undefined || !index?.thinned)) return kept?.count ?? 0
    // Of one that stayed when newer ones went, the numbers behind it have been told of with those.
    const wasPassed = segment.firstSeq <= this.#ground.goneTo
    if (index && (index.thinned || wasPassed)) return recordsIn(index)
    return sizeOf(without(this.#spanOf(segment), this.#ground.told))
  }

  /** What is missing behind it goes with it. */
  #spanOf({ firstSeq, index }: SegmentFile): Span {
    if (index?.thinned) return { fromSeq: index.firstSeq, toSeq: index.lastSeq }
    return { fromSeq: firstSeq, toSeq: this.#ground.nextSeqAfter(firstSeq) - 1 }
  }
}

/** What a gap record has told of is done before anything else, just as it was told. */
function toldFirst(rest: readonly Readonly<{ segment: SegmentFile }>[]): Victim | null {
  const position = rest.findIndex(({ segment: { isTold, kept } }) => isTold === true && kept !== undefined)
  return position === -1 ? null : { position, survives: new Set(rest[position]?.segment.kept?.types) }
}

const nothing = Promise.resolve()

/** Of what cannot be looked into: nothing in it is protected. */
const unknownIndex: SegmentIndex = { firstSeq: 0, lastSeq: 0, thinned: false, types: {}, gaps: [], members: [] }
