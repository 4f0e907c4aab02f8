/** The one who writes: what waits, when it is handed over, who is told, and memory while the disk refuses. */
import { codeOf, type Disk } from './disk.js'
import type { Loss } from './gap.js'
import { Queue, type Queued } from './queue.js'
import type { Durability, GapReason, Ring, RingLimits, RingOptions, RingRecovery, RingState, Timers } from './ring.js'
import { batchBytesMax, Store, type Told } from './store.js'
import { systemTimers } from './timers.js'
import { WriteMeter } from './write-meter.js'

/** A record reaches the kernel 20 ms after its append at the latest; the rest is for timers that are late. */
const handOverAfterMs = 15
const healEveryMs = 2_000

const standardLimits: RingLimits = {
  syncEveryMs: 5_000,
  dailyWriteBytesMax: 200_000_000,
  groupedSyncEveryMs: 60_000,
}

/** What may wait while the disk is slow, and what while it refuses. */
const queueLimit = { bytes: 4 * 1024 * 1024, records: 10_000 }
const memoryLimit = { bytes: 1024 * 1024, records: 2_000 }

export class Writer implements Ring {
  readonly #store: Store
  readonly #options: RingOptions
  readonly #limits: RingLimits
  readonly #timers: Timers
  readonly #meter: WriteMeter
  readonly #queue = new Queue()

  #mode: 'disk' | 'memory' = 'disk'
  /** Why the disk refused last, in a gap record's word and in its own. */
  #reason: GapReason = 'ioError'
  #refusal = ''
  #closed = false
  #closing: Promise<void> | null = null

  /** One thing at a time touches the store; this is the end of the line. */
  #work: Promise<void> = Promise.resolve()
  #awaitingSync: { seq: number; answer: (seq: number) => void }[] = []
  #syncedTo = 0
  #urgent = false
  /** Over the day's bytes: syncs are put together, and who waits for one waits longer. */
  #isGrouping = false
  #syncedAtMs: number
  /** Each cancels a timer. */
  #handOver: (() => void) | null = null
  #heal: (() => void) | null = null
  #syncTimer: (() => void) | null = null

  constructor(options: RingOptions, disk: Disk) {
    this.#options = options
    this.#limits = { ...standardLimits, ...options.limits }
    this.#timers = options.timers ?? systemTimers
    this.#meter = new WriteMeter(() => this.#timers.nowMs())
    this.#syncedAtMs = this.#timers.nowMs()
    const listener = {
      synced: (toSeq: number) => {
        this.#answerSynced(toSeq)
        // Those that came while it lasted, whoever had asked for it.
        if (this.#awaitingSync.length > 0) setImmediate(() => this.#syncInBackground())
      },
      syncFailed: (error: unknown) => {
        this.#refused(error)
        this.#answerUnsynced()
      },
      lost: (losses: readonly Loss[]) => {
        this.#queue.prepend(losses)
        this.#wake(false)
      },
      wrote: (bytes: number) => this.#meter.add(bytes),
    }
    this.#store = new Store(options, disk, listener, task => this.#exclusively(task))
  }

  /** Looks, recovers and goes to work, or to memory where the disk refuses. */
  async start(): Promise<{ recovery: readonly RingRecovery[]; lastRecord: string | null }> {
    const told: Told = { recovery: [], lastRecord: null }
    await this.#exclusively(async () => {
      this.#queue.prepend(await this.#store.open(told))
      await this.#drain()
      // What recovery has to tell, no power cut shall make silent again.
      if (this.#store.dirty) await this.#store.sync()
    })
    this.#awaitSyncTime()
    return told
  }

  append(json: string, durability: Durability): Promise<number> {
    if (this.#closed) return nothing
    const bytes = Buffer.byteLength(json)
    const isFit = bytes <= this.#store.recordBytesMax && isOneLine(json)
    if (isFit && this.#mode === 'memory') {
      this.#queue.add({ kind: 'record', json, bytes, durability, answer: null })
      this.#queue.shrink(memoryLimit, this.#reason)
      return nothing
    }
    if (!isFit || !this.#queue.hasRoom(bytes, queueLimit)) {
      this.#queue.refuse('queue')
      this.#wake(false)
      return nothing
    }
    return new Promise(answer => {
      this.#queue.add({ kind: 'record', json, bytes, durability, answer })
      this.#wake(durability === 'disk' || this.#queue.bytes > batchBytesMax)
    })
  }

  get state(): RingState {
    return {
      ...this.#store.size,
      budgetBytes: this.#store.budgetBytes,
      writtenDayBytes: this.#meter.dayBytes,
      writesAreGrouped: this.#isGrouping,
      mode: this.#mode,
      lostUnsaid: this.#queue.lostUnsaid,
      ...(this.#mode === 'memory' ? { refusal: this.#refusal } : {}),
    }
  }

  turn(): Promise<void> {
    return this.#exclusively(async () => undefined)
  }

  setBudget(bytes: number): Promise<void> {
    return this.#exclusively(async () => {
      this.#store.budgetBytes = bytes
      if (this.#mode === 'disk' && !this.#closed) await this.#store.keepToBudget()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#closed = true
    for (const cancel of [this.#handOver, this.#heal, this.#syncTimer]) cancel?.()
    await this.#store.stopUpkeep()
    void this.#exclusively(async () => {
      if (this.#mode === 'memory') await this.#tryAgain()
      await this.#drain()
      const { lastSeq } = this.#store.size
      await this.#store.finish()
      this.#answerSynced(lastSeq)
    })
    await this.#exclusively(async () => {
      await this.#store.letGo()
      this.#answerUnsynced()
    })
  }

  #wake(now: boolean): void {
    if (now && !this.#urgent) {
      this.#urgent = true
      // Not at once: what is appended in the same turn goes with the same write.
      setImmediate(() => this.#handOverNow())
    } else if (!now && !this.#handOver && !this.#urgent) {
      this.#handOver = this.#timers.after(handOverAfterMs, () => this.#handOverNow(), true)
    }
  }

  #handOverNow(): void {
    this.#handOver?.()
    this.#handOver = null
    this.#urgent = false
    void this.#exclusively(() => this.#drain())
  }

  #exclusively(task: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(task).catch((error: unknown) => this.#refused(error))
    return this.#work
  }

  async #drain(): Promise<void> {
    let due = this.#queue.entries.length
    while (due > 0 && this.#mode === 'disk') {
      due -= await this.#writeBatch(this.#queue.entries[0]!)
      // What came meanwhile has a timer of its own, unless somebody waits for the device or there is much.
      if (due <= 0 && (this.#urgent || this.#queue.bytes > batchBytesMax)) due = this.#queue.entries.length
    }
  }

  /** @returns how many entries it took from the queue */
  async #writeBatch(first: Queued): Promise<number> {
    await this.#store.makeRoomFor(first)
    // No wait from here to `take`: a record that is in the batch must not be dropped from the queue.
    const batch = this.#store.compose(this.#queue.entries)
    this.#queue.take(batch.entries.length)
    const { count, firstSeq, failure } = await this.#store.write(batch)

    batch.entries.slice(0, count).forEach((entry, index) => {
      this.#queue.settle(entry)
      if (entry.kind === 'gap' || !entry.answer) return
      const seq = firstSeq + index
      if (entry.durability === 'kernel' || seq <= this.#syncedTo) entry.answer(seq)
      else this.#awaitingSync.push({ seq, answer: entry.answer })
    })
    if (this.#awaitingSync.length > 0) this.#syncInBackground()
    if (failure === null) return count
    this.#queue.putBack(batch.entries.slice(count))
    throw failure
  }

  /** The disk has said no: everybody is told, and from now on memory keeps what it can. */
  #refused(error: unknown): void {
    this.#mode = 'memory'
    this.#reason = reasonOf(error)
    this.#refusal = error instanceof Error ? error.message : String(error)
    this.#queue.answerAll()
    this.#queue.shrink(memoryLimit, this.#reason)
    if (this.#closed || this.#heal) return
    this.#heal = this.#timers.after(healEveryMs, () => {
      this.#heal = null
      void this.#exclusively(() => this.#tryAgain())
    })
  }

  async #tryAgain(): Promise<void> {
    this.#queue.prepend(await this.#store.heal())
    // Where others have left nothing, going on in the active segment is refused for ever; its own oldest make room for another.
    await this.#store.keepReserve()
    for (let first = this.#queue.entries[0]; first; first = this.#queue.entries[0]) await this.#writeBatch(first)
    this.#mode = 'disk'
  }

  #awaitSyncTime(): void {
    if (this.#closed) return
    this.#syncTimer = this.#timers.after(this.#limits.syncEveryMs, () => {
      void this.#exclusively(() => this.#syncRegularly()).then(() => this.#awaitSyncTime())
    })
  }

  async #syncRegularly(): Promise<void> {
    this.#watchBudget()
    if (this.#mode === 'memory') return
    // Also where nothing is to be synced: a disk that is well again has to be seen as such before others fill it anew.
    await this.#store.keepReserve()
    if (!this.#store.dirty) return this.#answerAllSynced()
    this.#syncInBackground()
    if (!(await this.#store.isDeleted())) return
    this.#queue.prepend(await this.#store.heal())
    await this.#drain()
  }

  /** Flash wears out: who writes more in a day than it should bear pays with durability that comes later, and is told so. */
  #watchBudget(): void {
    const { dailyWriteBytesMax: limitBytes } = this.#limits
    const writtenBytes = this.#meter.dayBytes
    const exceeded = writtenBytes > limitBytes
    if (exceeded === this.#isGrouping) return
    this.#isGrouping = exceeded
    this.#options.onNotice?.({ notice: 'writeBudget', exceeded, writtenBytes, limitBytes })
  }

  /** Beside the writing, so that records on their way to the kernel do not wait for the device. */
  #syncInBackground(): void {
    if (this.#store.syncing) return
    if (!this.#store.dirty) {
      this.#answerAllSynced()
      return
    }
    this.#watchBudget()
    const { syncEveryMs, groupedSyncEveryMs } = this.#limits
    const nowMs = this.#timers.nowMs()
    // The regular try comes again in a moment, and one of them is late enough.
    if (this.#isGrouping && nowMs - this.#syncedAtMs < groupedSyncEveryMs - syncEveryMs / 2) return
    this.#syncedAtMs = nowMs
    this.#store.sync().catch((error: unknown) => this.#refused(error))
  }

  /** Sealing may have brought to the device what somebody waits for, or a sync that had begun before it was written. */
  #answerAllSynced(): void {
    if (this.#mode === 'disk' && !this.#closed) this.#answerSynced(this.#store.size.lastSeq)
  }

  #answerSynced(toSeq: number): void {
    this.#syncedTo = toSeq
    const waiting = this.#awaitingSync
    this.#awaitingSync = waiting.filter(({ seq }) => seq > toSeq)
    for (const { seq, answer } of waiting) if (seq <= toSeq) answer(seq)
  }

  #answerUnsynced(): void {
    for (const { answer } of this.#awaitingSync.splice(0)) answer(0)
  }
}

const nothing: Promise<number> = Promise.resolve(0)

/** `JSON.stringify` never makes anything else; a line break or a NUL would break the format. */
const isOneLine = (json: string): boolean =>
  json.startsWith('{') && json.endsWith('}') && !json.includes('\n') && !json.includes('\0')

function reasonOf(error: unknown): GapReason {
  const code = codeOf(error)
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) return 'diskFull'
  if (['EROFS', 'EACCES', 'EPERM'].includes(code)) return 'readOnly'
  return 'ioError'
}
