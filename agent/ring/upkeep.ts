/**
 * What a ring does to its full segments, beside the writing: it seals them, and takes out the oldest when room is needed.
 *
 * Each piece of work has two parts. Preparing reads, packs and writes a temporary file while records go on being written;
 * carrying it out changes what the directory holds, takes moments, and has its turn between two writes.
 */
import { codeOf, type Disk } from './disk.js'
import type { Files, SegmentFile } from './files.js'
import { type Loss, type Span, sizeOf, without } from './gap.js'
import { sealText, thinned } from './repack.js'
import type { RingClass } from './ring.js'
import type { Sealed } from './seal.js'
import { sealedName } from './segment.js'
import { recordsIn, type SegmentIndex, textBytesIn } from './segment-index.js'
import { chooseVictim, type Holding } from './shares.js'
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
  /** Writes the gap record and brings it onto the device; throws where that fails. */
  tellOverflow(loss: Loss): Promise<void>
  /** The sealed segment is in its place; its text goes. */
  sealed(text: TextSegment): Promise<void>
  /** Records that were found damaged. */
  lost(spans: readonly Span[]): void
  /** Whether what was in quarantine has been told of, on the device: until then it is all that shows a loss. */
  readonly mayDropQuarantine: boolean
  /** A change of the directory failed half-way: it must be looked at anew before anything else is done to it. */
  doubt(): void
}

interface Job {
  prepare(): Promise<void>
  /** In turn with the writing. Doing it twice is doing it once. */
  carryOut(): Promise<void>
}

const failuresMax = 3

export class Upkeep {
  readonly #ground: Ground
  readonly #exclusively: (task: () => Promise<void>) => Promise<void>
  /** How often sealing a segment has failed. */
  readonly #failures = new Map<TextSegment, number>()
  #current: Job | null = null
  #running: Promise<void> | null = null
  #isStopped = false
  /** How much smaller sealing made the last segment: what the next will need. */
  #ratio = 0.5

  constructor(ground: Ground, exclusively: (task: () => Promise<void>) => Promise<void>) {
    this.#ground = ground
    this.#exclusively = exclusively
  }

  /** There may be something to do. Never throws: what fails is tried again when there is more to do. */
  wake(): void {
    if (this.#running || this.#isStopped) return
    this.#running = this.#run()
      // Room that cannot be made is missed by the one who needs it, and is told to him.
      .catch(() => undefined)
      .finally(() => {
        this.#running = null
      })
  }

  /** Lets what has begun end, and begins nothing more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** For one whose turn it is. Gets as much room as there is to be had, and throws what kept it from more. */
  async makeRoom(bytes: number): Promise<void> {
    const { files } = this.#ground
    let failure: unknown = null
    for (let failures = 0; files.room < bytes && failures < failuresMax; ) {
      const job = this.#current ?? this.#nextFor(bytes)
      if (!job) break
      const before = files.room
      try {
        await job.prepare()
        await this.#carryOut(job)
      } catch (error) {
        failure = error
        failures++
      }
      if (this.#current === job) this.#current = null
      if (files.room <= before) failures++
    }
    if (files.room < bytes && failure !== null) throw failure
  }

  /**
   * For one whose turn it is: does what gap records have told of already, where a crash came between. Later nobody would know
   * that they have, and it would be told again.
   */
  async doWhatIsTold(): Promise<void> {
    const { files } = this.#ground
    if (!files.segments.some(({ isTold }) => isTold)) return
    const job = this.#roomJob(0)
    await job?.prepare()
    await job?.carryOut()
  }

  async #run(): Promise<void> {
    for (let job = this.#next(); job && !this.#isStopped; job = this.#next()) {
      this.#current = job
      const before = this.#progress()
      try {
        await job.prepare()
        await this.#exclusively(() => this.#carryOut(job))
      } finally {
        if (this.#current === job) this.#current = null
      }
      // A disk that refuses is asked again when there is more to do, and not at once for ever.
      if (this.#progress() === before) return
    }
  }

  async #carryOut(job: Job): Promise<void> {
    try {
      await job.carryOut()
    } catch (error) {
      this.#ground.doubt()
      throw error
    }
    // On a disk that others have filled it is not only the ring's own sums that have changed.
    await this.#ground.files.lookForRoom()
  }

  #progress(): string {
    const { files, full, generation } = this.#ground
    return [files.room, files.segments.length, files.quarantined.length, full.length, generation].join()
  }

  /** Room first, because sealing needs some; then the rest, so that there is room before it is needed. */
  #next(): Job | null {
    const { files, segmentBytes } = this.#ground
    const text = this.#toSeal()
    const wanted = text ? this.sealingRoom(text.bytes) : segmentBytes + this.sealingRoom(segmentBytes)
    if (files.room < wanted || files.isCrowded) {
      const job = this.#roomJob(wanted)
      if (job) return job
    }
    return text ? this.#sealJob(text, this.#ground.full.length > 1 ? 6 : 9) : null
  }

  /** Sealing makes more room than anything that goes, and loses nothing; so room is first made for that. */
  #nextFor(bytes: number): Job | null {
    const text = this.#toSeal()
    if (!text) return this.#roomJob(bytes)
    const expected = this.sealingRoom(text.bytes)
    const before = this.#ground.files.room < expected ? this.#roomJob(expected) : null
    return before ?? this.#sealJob(text, 1)
  }

  #toSeal(): TextSegment | undefined {
    return this.#ground.full.find(text => this.#isSealable(text))
  }

  /** One that cannot be read, say, stays text until it goes. */
  #isSealable(text: TextSegment): boolean {
    return (this.#failures.get(text) ?? 0) < failuresMax
  }

  /** How much room sealing that much text will take, while the text is still there. */
  sealingRoom(textBytes: number): number {
    return Math.ceil(Math.min(textBytes * this.#ratio * 1.5 + 2048, textBytes + 2048))
  }

  /** @param level the best there is, until segments fill up faster than they are sealed */
  #sealJob(text: TextSegment, level: number): Job {
    return new SealJob(this.#ground, text, level, this.sealingRoom(text.bytes), {
      sealed: bytes => {
        this.#ratio = Math.min(1, bytes / Math.max(1, text.bytes))
      },
      failed: () => this.#failures.set(text, (this.#failures.get(text) ?? 0) + 1),
    })
  }

  #roomJob(bytes: number): Job | null {
    const { files, full } = this.#ground
    const mayGo = files.segments.filter(
      ({ name, sealed }) => sealed || !full.some(text => text.name === name && this.#isSealable(text)),
    )
    return mayGo.length + files.quarantined.length > 0 ? new RoomJob(this.#ground, mayGo, bytes) : null
  }
}

type SealListener = Readonly<{ sealed(bytes: number): void; failed(): void }>

class SealJob implements Job {
  readonly #ground: Ground
  readonly #text: TextSegment
  readonly #level: number
  readonly #expectedBytes: number
  readonly #listener: SealListener
  readonly #generation: number
  #prepared: Promise<{ sealed: Sealed; missing: readonly Span[] }> | null = null
  #isDone = false

  constructor(ground: Ground, text: TextSegment, level: number, expectedBytes: number, listener: SealListener) {
    this.#ground = ground
    this.#text = text
    this.#level = level
    this.#expectedBytes = expectedBytes
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

  async #pack(): Promise<{ sealed: Sealed; missing: readonly Span[] }> {
    const { files, disk } = this.#ground
    const { firstSeq, name } = this.#text
    const span = { firstSeq, lastSeq: this.#ground.nextSeqAfter(firstSeq) - 1, thinned: false }
    try {
      files.reserve(this.#temporary, this.#expectedBytes)
      const packed = await sealText(disk, files.path(name), span, this.#level).catch((error: unknown) => {
        files.giveUp(this.#temporary)
        throw error
      })
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
    const { sealed, missing } = await this.#prepared
    const { files, generation, full } = this.#ground
    if (generation !== this.#generation || !full.includes(this.#text)) return files.removeTemporary(this.#temporary)
    const { firstSeq } = this.#text
    const { bytes, index } = sealed
    await files.putInPlace(this.#temporary, { name: sealedName(firstSeq), firstSeq, sealed: true, bytes, index })
    await this.#ground.sealed(this.#text)
    this.#ground.lost(missing)
  }
}

/** What is taken out in one go: neighbours that go whole, and at the most one, the last, of which something stays. */
type Taking = {
  whole: SegmentFile[]
  thin: Readonly<{
    segment: SegmentFile
    into: SegmentFile
    sealed: Sealed
    temporary: string
    survivors: number
  }> | null
}

class RoomJob implements Job {
  readonly #ground: Ground
  readonly #mayGo: readonly SegmentFile[]
  readonly #bytes: number
  readonly #generation: number
  #prepared: Promise<Taking> | null = null
  #isDone = false

  constructor(ground: Ground, mayGo: readonly SegmentFile[], bytes: number) {
    this.#ground = ground
    this.#mayGo = mayGo
    this.#bytes = bytes
    this.#generation = ground.generation
  }

  async prepare(): Promise<void> {
    this.#prepared ??= this.#choose()
    await this.#prepared
  }

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
      const victim = chooseVictim(holdings, classes, budgetBytes)
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
    const isAdded = before?.index && textBytesIn(before.index) + survivingBytes <= segmentBytes
    const into = isAdded ? before : segment
    try {
      const { sealed, survivors } = await thinned(disk, files, isAdded ? before : null, segment, index, survives)
      const temporary = `${into.name}.tmp`
      await files.writeTemporary(temporary, sealed.pieces)
      return { segment, into, sealed, temporary, survivors }
    } catch (error) {
      // What cannot be read, or kept because there is no room for it, goes with the rest, and is counted with it.
      if (codeOf(error) === '') throw error
      return null
    }
  }

  async carryOut(): Promise<void> {
    if (this.#isDone || !this.#prepared) return
    this.#isDone = true
    const { whole, thin } = await this.#prepared
    const { files } = this.#ground
    if (this.#ground.generation !== this.#generation) {
      if (thin) await files.removeTemporary(thin.temporary)
      return
    }
    if (this.#ground.mayDropQuarantine) for (const { name } of [...files.quarantined]) await files.remove(name)
    const going = thin ? [...whole, thin.segment] : whole
    if (going.length === 0) return
    const loss = this.#lossOf(going, thin?.survivors ?? 0)
    // The gap record comes before the deed, and onto the device, so that no crash can make a loss silent.
    if (loss.count > 0) await this.#ground.tellOverflow(loss)
    // Whatever comes between, nobody tells of them twice.
    for (const segment of going) segment.isTold = true
    if (thin) {
      const { into, sealed, temporary } = thin
      const { bytes, index } = sealed
      await files.putInPlace(temporary, { name: into.name, firstSeq: into.firstSeq, sealed: true, bytes, index })
    }
    for (const { name } of going) if (name !== thin?.into.name) await files.remove(name)
  }

  #lossOf(going: readonly SegmentFile[], survivors: number): Loss {
    const [first, last] = [going[0]!, going.at(-1)!]
    const count = going.reduce((sum, segment) => sum + this.#countOf(segment), 0)
    return {
      reason: 'overflow',
      // What stays of one of which was told before is not counted either time.
      count: last.isTold ? count : count - survivors,
      fromSeq: first.index?.thinned ? first.index.firstSeq : first.firstSeq,
      toSeq: last.index?.thinned ? last.index.lastSeq : this.#ground.nextSeqAfter(last.firstSeq) - 1,
    }
  }

  /** How many are lost with it of which nobody has told yet. */
  #countOf({ firstSeq, index, isTold }: SegmentFile): number {
    if (index?.thinned) return recordsIn(index)
    if (isTold) return 0
    const span = { fromSeq: firstSeq, toSeq: this.#ground.nextSeqAfter(firstSeq) - 1 }
    return sizeOf(without(span, this.#ground.told))
  }
}

/** Of what cannot be looked into: nothing in it is protected. */
const unknownIndex: SegmentIndex = { firstSeq: 0, lastSeq: 0, thinned: false, types: {}, gaps: [], members: [] }
