/**
 * What a ring does to its full segments, beside the writing: it seals them, and takes out the oldest when room is needed.
 *
 * Each piece of work has two parts. Preparing reads, packs and writes a temporary file while records go on being written;
 * carrying it out changes what the directory holds, takes moments, and has its turn between two writes.
 */
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
