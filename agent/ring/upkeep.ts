/** What a ring does to its full segments, beside the writing: it seals them, and takes out the oldest when room is needed. */
import { ioError } from './disk.js'
import type { Ground, Job } from './ground.js'
import { RoomJob } from './room-job.js'
import { SealJob } from './seal-job.js'
import type { TextSegment } from './text-segment.js'

const failuresMax = 3

export class Upkeep {
  readonly #ground: Ground
  readonly #exclusively: (task: () => Promise<void>) => Promise<void>
  /** How often sealing a segment has failed. */
  readonly #failures = new Map<TextSegment, number>()
  /** What became of a segment that was sealed and had no room. */
  readonly #sizes = new Map<TextSegment, number>()
  #current: Work | null = null
  #running: Promise<void> | null = null
  #isStopped = false
  /** Nothing may go before more is sealed: all that is, is protected. */
  #isExhausted = false
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

  /**
   * For one whose turn it is. Gets as much room as there is to be had, for bytes and for one file more, and throws what kept it
   * from more.
   *
   * @param leastBytes for so much even what is protected goes, where nothing else is left
   */
  async makeRoom(bytes: number, leastBytes: number): Promise<void> {
    const { files } = this.#ground
    let failure: unknown = null
    const isShort = () => files.room < bytes || files.isCrowded
    for (let failures = 0; isShort() && failures < failuresMax; ) {
      const work = this.#current ?? workOn(this.#nextFor(bytes, files.room < leastBytes))
      if (!work) break
      const before = files.room
      try {
        while (!work.isDone) await this.#advance(work)
      } catch (error) {
        if (!this.#ground.isKnown) throw error
        failure = error
        failures++
      }
      if (this.#current === work) this.#current = null
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
    for (const { act } of this.#roomJob(0)?.steps ?? []) await act()
  }

  async #run(): Promise<void> {
    for (let job = this.#next(); job && !this.#isStopped && this.#ground.isKnown; job = this.#next()) {
      const work = new Work(job)
      this.#current = work
      const before = this.#progress()
      try {
        while (!work.isDone) {
          if (!work.isInTurn) await this.#advance(work)
          // Whoever had the turn before may have done it meanwhile.
          else await this.#exclusively(async () => (work.isInTurn ? this.#advance(work) : undefined))
        }
      } catch (error) {
        // Between two turns nobody hears of it; but nothing can go on before the directory was looked at anew.
        if (!this.#ground.isKnown) await this.#exclusively(() => Promise.reject(error))
        throw error
      } finally {
        if (this.#current === work) this.#current = null
      }
      // A disk that refuses is asked again when there is more to do, and not at once for ever.
      if (this.#progress() === before && !(this.#isExhausted && this.#toSeal())) return
    }
  }

  /** One step. A failure that may have left the directory half changed makes it unknown. */
  async #advance(work: Work): Promise<void> {
    const { isInTurn } = work
    try {
      if (isInTurn && !this.#ground.isKnown) throw ioError('the directory has to be looked at anew first')
      if (isInTurn) work.before ??= this.#progress()
      await work.advance()
    } catch (error) {
      // None of the steps after it is right without it.
      work.end()
      if (work.before !== null) this.#ground.doubt()
      throw error
    }
    if (!work.isDone) return
    this.#isExhausted = work.job instanceof RoomJob && this.#progress() === work.before
    // On a disk that others have filled it is not only the ring's own sums that have changed.
    await this.#ground.files.lookForRoom()
  }

  #progress(): string {
    const { files, full, generation } = this.#ground
    return [
      files.room,
      files.segments.length,
      files.quarantined.length,
      full.length,
      generation,
      this.#sizes.size,
    ].join()
  }

  /** Room first, because sealing needs some; then the rest, so that there is room before it is needed. */
  #next(): Job | null {
    const { files, segmentBytes } = this.#ground
    const text = this.#toSeal()
    const wanted = text ? this.#roomFor(text) : segmentBytes + this.sealingRoom(segmentBytes)
    if (files.room < wanted || files.isCrowded) {
      const job = this.#roomJob(wanted)
      if (job) return job
    }
    return text ? this.#sealJob(text, this.#ground.full.length > 1 ? 6 : 9, files.room >= wanted) : null
  }

  /** Sealing makes more room than anything that goes, and loses nothing; so room is first made for that. */
  #nextFor(bytes: number, isLastResort: boolean): Job | null {
    const text = this.#toSeal()
    if (!text) return this.#roomJob(bytes, isLastResort)
    const expected = this.#roomFor(text)
    const hasRoom = this.#ground.files.room >= expected
    const before = hasRoom && !this.#ground.files.isCrowded ? null : this.#roomJob(expected)
    return before ?? this.#sealJob(text, 1, hasRoom)
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

  #roomFor(text: TextSegment): number {
    return Math.max(this.sealingRoom(text.bytes), this.#sizes.get(text) ?? 0)
  }

  /**
   * @param level the best there is, until segments fill up faster than they are sealed
   * @param isLimit whether more room could still be made, should it turn out to need more than is expected
   */
  #sealJob(text: TextSegment, level: number, isLimit: boolean): Job {
    return new SealJob(
      this.#ground,
      text,
      level,
      { bytes: this.#roomFor(text), isLimit },
      {
        larger: bytes => this.#sizes.set(text, bytes),
        sealed: bytes => {
          this.#sizes.delete(text)
          this.#failures.delete(text)
          this.#ratio = Math.min(1, bytes / Math.max(1, text.bytes))
        },
        failed: () => this.#failures.set(text, (this.#failures.get(text) ?? 0) + 1),
      },
    )
  }

  #roomJob(bytes: number, isLastResort = false): Job | null {
    const { files, full } = this.#ground
    if (this.#isExhausted && !isLastResort) return null
    const mayGo = files.segments.filter(
      ({ name, sealed }) => sealed || !full.some(text => text.name === name && this.#isSealable(text)),
    )
    return mayGo.length + files.quarantined.length > 0 ? new RoomJob(this.#ground, mayGo, bytes, isLastResort) : null
  }
}

/** A job and how far it is. Two may be at it: one who has time, and one who has the turn and needs what comes of it. */
class Work {
  readonly job: Job
  /** How things stood before it changed any. */
  before: string | null = null
  #at = 0
  #running: Promise<void> | null = null

  constructor(job: Job) {
    this.job = job
  }

  get isDone(): boolean {
    return this.#at >= this.job.steps.length
  }

  get isInTurn(): boolean {
    return this.job.steps[this.#at]?.isInTurn ?? false
  }

  end(): void {
    this.#at = this.job.steps.length
  }

  /** Takes the next step, or waits for who is at it. */
  advance(): Promise<void> {
    this.#running ??= this.#take()
    return this.#running
  }

  async #take(): Promise<void> {
    try {
      await this.job.steps[this.#at]?.act()
      this.#at++
    } finally {
      this.#running = null
    }
  }
}

const workOn = (job: Job | null): Work | null => job && new Work(job)
