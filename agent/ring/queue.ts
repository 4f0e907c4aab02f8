/** What waits to be written, in order, with the gaps where something had to be dropped in their places. Bounded by its user. */
import type { Loss } from './gap.js'
import type { Durability, GapReason } from './ring.js'

export type QueuedRecord = {
  kind: 'record'
  json: string
  /** Of the JSON in UTF-8. */
  bytes: number
  durability: Durability
  /** Tells the caller; `null` when that is done. */
  answer: ((seq: number) => void) | null
}
export type QueuedGap = { kind: 'gap'; loss: Loss }
export type Queued = QueuedRecord | QueuedGap

export type Limit = Readonly<{ bytes: number; records: number }>

export class Queue {
  #entries: Queued[] = []
  #bytes = 0
  #records = 0
  #lostUnsaid = 0

  /** Of the records that were added and are not settled yet, those on their way to the disk included. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records that were dropped and of which no gap record was written yet. */
  get lostUnsaid(): number {
    return this.#lostUnsaid
  }

  get entries(): readonly Queued[] {
    return this.#entries
  }

  hasRoom(bytes: number, limit: Limit): boolean {
    return this.#bytes + bytes <= limit.bytes && this.#records < limit.records
  }

  add(record: QueuedRecord): void {
    this.#entries.push(record)
    this.#bytes += record.bytes
    this.#records++
  }

  /** A record that is not taken is counted where it would have stood. */
  refuse(reason: GapReason): void {
    this.#lostUnsaid++
    const last = this.#entries.at(-1)
    if (last?.kind === 'gap' && isLike(last.loss, reason)) last.loss = more(last.loss, 1)
    else this.#entries.push({ kind: 'gap', loss: unnumbered(reason, 1) })
  }

  /** Losses that come before everything that waits. Those with a number that waits already are known. */
  prepend(losses: readonly Loss[]): void {
    const isKnown = ({ fromSeq }: Loss) =>
      fromSeq !== null && this.#entries.some(entry => entry.kind === 'gap' && entry.loss.fromSeq === fromSeq)
    const added = losses.filter(loss => !isKnown(loss))
    this.#entries.unshift(...added.map(loss => ({ kind: 'gap' as const, loss })))
    this.#lostUnsaid += added.reduce((sum, { count }) => sum + count, 0)
  }

  /** Drops the oldest records until the rest keeps to the limit, and puts one gap for each reason in their place. */
  shrink(limit: Limit, reason: GapReason): void {
    const gaps: QueuedGap[] = []
    let taken = 0
    let dropped = 0
    while (this.#bytes > limit.bytes || this.#records > limit.records) {
      const oldest = this.#entries[taken]
      if (!oldest) break
      taken++
      if (oldest.kind === 'gap') gaps.push(oldest)
      else {
        dropped++
        this.#forget(oldest)
      }
    }
    if (dropped === 0) return
    this.#lostUnsaid += dropped
    gaps.push({ kind: 'gap', loss: unnumbered(reason, dropped) })
    this.#entries.splice(0, taken, ...merged(gaps))
  }

  /** Takes the oldest away to be written. Each comes back by `putBack` or ends in `settle`. */
  take(count: number): void {
    this.#entries.splice(0, count)
  }

  putBack(entries: readonly Queued[]): void {
    this.#entries.unshift(...entries)
  }

  settle(entry: Queued): void {
    if (entry.kind === 'gap') this.#lostUnsaid -= entry.loss.count
    else this.#forget(entry)
  }

  /** Tells everybody who waits that their record is not where they wanted it. */
  answerAll(): void {
    for (const entry of this.#entries) {
      if (entry.kind === 'gap') continue
      entry.answer?.(0)
      entry.answer = null
    }
  }

  #forget(record: QueuedRecord): void {
    this.#bytes -= record.bytes
    this.#records--
  }
}

const unnumbered = (reason: GapReason, count: number): Loss => ({ reason, count, fromSeq: null, toSeq: null })

const isLike = (loss: Loss, reason: GapReason): boolean => loss.reason === reason && loss.fromSeq === null

const more = (loss: Loss, count: number): Loss => ({ ...loss, count: loss.count + count })

function merged(gaps: readonly QueuedGap[]): QueuedGap[] {
  const kept: QueuedGap[] = []
  for (const { loss } of gaps) {
    const same = loss.fromSeq === null ? kept.find(gap => isLike(gap.loss, loss.reason)) : undefined
    if (same) same.loss = more(same.loss, loss.count)
    else kept.push({ kind: 'gap', loss })
  }
  return kept
}
