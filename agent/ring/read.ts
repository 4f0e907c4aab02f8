/**
 * Reading a ring: beside its writer, after the writer's death, from a copy. Nothing is ever changed.
 *
 * Records come in the order of their numbers, so whatever is missing shows as a jump, and a gap record of the writer's that
 * speaks of those numbers is all there is to say about it. A jump that no record explains becomes a gap in its place.
 */

import { aheadMax } from './ahead.js'
import { Changes } from './changes.js'
import { type Disk, realDisk, toldAlready } from './disk.js'
import { Explanations } from './explanations.js'
import type { Span } from './gap.js'
import { lastRecords } from './last.js'
import type { WantsMember } from './members.js'
import type { RingItem } from './ring.js'
import type { SegmentName } from './segment.js'
import type { SegmentIndex } from './segment-index.js'
import { indexOf, listSegments, scanned, tooOld } from './segments.js'

export type ReadOptions = Readonly<{
  /** Nothing below it comes. Left out: `readRing` begins at the oldest, `followRing` after the newest. */
  fromSeq?: number
  /**
   * Wall times in ms since 1970, both included, and types of records: a hint, by which what is known to hold nothing else is
   * not read. Other records may come all the same, and gaps among what was not read do not.
   */
  sinceMs?: number
  untilMs?: number
  types?: readonly string[]
  signal?: AbortSignal
  /** The real one where it is left out. */
  disk?: Disk
}>

/**
 * What is in the ring, oldest first, including what is written while it is read.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed; the signal's reason when it aborts
 */
export async function* readRing(dir: string, options: ReadOptions = {}): AsyncGenerator<RingItem> {
  const { fromSeq = 1, signal, disk = realDisk } = options
  const walk = new Walk(dir, disk, fromSeq, options)
  for await (const items of walk.toTheEnd()) {
    signal?.throwIfAborted()
    yield* items
  }
  yield* walk.unfinished()
}

/**
 * What is written from now on, within 200 ms, or from a number on, whether it is there already or will come.
 * It ends when the signal aborts.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function* followRing(dir: string, options: ReadOptions = {}): AsyncGenerator<RingItem> {
  const { signal, disk = realDisk } = options
  const changes = new Changes(dir, signal)
  try {
    const fromSeq = options.fromSeq ?? ((await lastRecords(dir, 1, { disk }))[0]?.seq ?? 0) + 1
    const walk = new Walk(dir, disk, fromSeq, options)
    while (!signal?.aborted) {
      const change = changes.next()
      for await (const items of walk.toTheEnd()) {
        if (signal?.aborted) return
        yield* items
      }
      await change
    }
  } finally {
    changes.close()
  }
}

/** A place in the ring, from where it can be read to the end again and again. */
class Walk {
  readonly #dir: string
  readonly #disk: Disk
  readonly #fromSeq: number
  readonly #sinceMs: number | undefined
  readonly #explanations: Explanations
  #segment: SegmentName | null = null
  /** Where the last line that was seen ends, in a text segment. */
  #offset = 0
  /** The number that comes next if nothing is missing. */
  #expected = 1
  /** Since the last sound line: how many records there may have been in what is no record. */
  #badLineEnds = 0

  /** Whether what the index tells of a member leaves any reason to read it. */
  readonly #wants: WantsMember
  /** Whether there is reason to ask the indexes at all. */
  readonly #isNarrow: boolean
  /** Asked for ahead of the reading, by the names of the segments. */
  readonly #indexes = new Map<string, Promise<SegmentIndex | null>>()

  constructor(dir: string, disk: Disk, fromSeq: number, { sinceMs, untilMs, types }: ReadOptions) {
    this.#dir = dir
    this.#disk = disk
    this.#fromSeq = fromSeq
    this.#sinceMs = sinceMs
    this.#explanations = new Explanations(dir, disk)
    this.#isNarrow = sinceMs !== undefined || untilMs !== undefined || types !== undefined
    this.#wants = member =>
      member.lastSeq >= fromSeq &&
      (sinceMs === undefined || member.maxAtMs === null || member.maxAtMs >= sinceMs) &&
      (untilMs === undefined || member.minAtMs === null || member.minAtMs <= untilMs) &&
      (types === undefined || member.types.some(type => types.includes(type)))
  }

  async *toTheEnd(): AsyncGenerator<readonly RingItem[]> {
    let segments = await listSegments(this.#disk, this.#dir)
    if (!this.#segment && this.#sinceMs !== undefined) {
      segments = segments.slice(await tooOld(this.#disk, this.#dir, segments, this.#sinceMs))
      // Nothing is said of what is not read.
      this.#expected = Math.max(this.#expected, segments[0]?.firstSeq ?? 1)
    }
    for (;;) {
      const current = this.#current(segments)
      if (!current) return
      yield await this.#enter(current)
      // Once it has a successor nothing more is written to it. Only what was listed before the reading proves that.
      const next = segments.find(({ firstSeq }) => firstSeq > current.firstSeq)
      if (!(await this.#passes(current, segments))) yield* this.#readOn(current)
      if (next) yield await this.#enter(next)
      else {
        segments = await listSegments(this.#disk, this.#dir)
        if (!segments.some(({ firstSeq }) => firstSeq > current.firstSeq)) return
      }
    }
  }

  /** The segment we are in, or the next if it is gone. At first, the one that holds `fromSeq`. */
  #current(segments: readonly SegmentName[]): SegmentName | undefined {
    if (this.#segment) {
      const { firstSeq } = this.#segment
      return segments.find(segment => segment.firstSeq >= firstSeq)
    }
    const start = segments.findLast(({ firstSeq }) => firstSeq <= this.#fromSeq)?.firstSeq ?? 0
    const segment = segments.find(({ firstSeq }) => firstSeq >= start)
    if (segment && segment !== segments[0]) this.#expected = segment.firstSeq
    return segment
  }

  /** A segment says by its name with which number it begins, so what is missing before it is known without a line. */
  async #enter(segment: SegmentName): Promise<readonly RingItem[]> {
    if (segment.name === this.#segment?.name) return []
    const damaged = this.#segment && this.#badLineEnds > 0 ? this.#segment.name : segment.name
    this.#segment = segment
    this.#offset = 0
    this.#badLineEnds = 0
    return this.#missing(segment.firstSeq, damaged)
  }

  /** Goes past a segment of which nothing is wanted, without opening it again. @returns whether it did */
  async #passes(segment: SegmentName, segments: readonly SegmentName[]): Promise<boolean> {
    if (!this.#isNarrow || !segment.sealed) return false
    const at = segments.indexOf(segment)
    for (const next of segments.slice(at, at + aheadMax)) {
      if (this.#indexes.has(next.name)) continue
      const asking = indexOf(this.#disk, this.#dir, next)
      // Whoever stops early never hears of it.
      asking.catch(toldAlready)
      this.#indexes.set(next.name, asking)
    }
    const index = await this.#indexes.get(segment.name)
    this.#indexes.delete(segment.name)
    const last = index?.members.at(-1)
    if (!index || !last || index.members.some(this.#wants)) return false
    this.#expected = Math.max(this.#expected, last.lastSeq + 1)
    return true
  }

  async *#readOn(segment: SegmentName): AsyncGenerator<readonly RingItem[]> {
    this.#badLineEnds = 0
    const options = { from: this.#offset, wants: this.#wants, afterSeq: this.#expected - 1 }
    for await (const items of scanned(this.#disk, this.#dir, segment, options)) {
      const found: RingItem[] = []
      for (const item of items) {
        if (item.kind === 'skipped') this.#expected = Math.max(this.#expected, item.lastSeq + 1)
        if (item.kind === 'bad') {
          this.#badLineEnds += item.lineEnds
          if (item.numbers) found.push(...(await this.#damaged(item.numbers, item.lineEnds, segment.name)))
        }
        if (item.kind !== 'line') continue
        if (!segment.sealed) this.#offset = item.end
        // One that stands there twice says nothing of what came after the first.
        if (item.seq < this.#expected) continue
        this.#badLineEnds = 0
        if (item.seq > this.#expected) found.push(...(await this.#missing(item.seq, segment.name)))
        this.#expected = item.seq + 1
        if (item.seq >= this.#fromSeq) found.push({ kind: 'record', seq: item.seq, json: item.json.toString() })
      }
      yield found
    }
  }

  /** Of what an index told of: also where so much else of the segment is gone that the numbers alone say nothing. */
  async #damaged(span: Span, count: number, segment: string): Promise<RingItem[]> {
    const { fromSeq, toSeq } = span
    const before = fromSeq > this.#expected ? await this.#missing(fromSeq, segment) : []
    this.#badLineEnds = 0
    if (toSeq < this.#expected || toSeq < this.#fromSeq) return before
    this.#expected = toSeq + 1
    const isWhole = count === toSeq - fromSeq + 1
    const left = isWhole ? await this.#explanations.lackingFor(span, 'damage') : [span]
    return [
      ...before,
      ...left.map(({ fromSeq, toSeq }) => {
        const size = isWhole ? toSeq - fromSeq + 1 : count
        return { kind: 'gap', fromSeq, toSeq, count: size, segment } as const
      }),
    ]
  }

  async #missing(nextSeq: number, segment: string): Promise<RingItem[]> {
    const span = { fromSeq: Math.max(this.#expected, this.#fromSeq), toSeq: nextSeq - 1 }
    this.#expected = Math.max(this.#expected, nextSeq)
    if (span.fromSeq > span.toSeq) return []
    const left = await this.#explanations.lackingFor(span)
    return left.map(({ fromSeq, toSeq }) => ({ kind: 'gap', fromSeq, toSeq, count: toSeq - fromSeq + 1, segment }))
  }

  /** What is no record at the very end of the ring: no number after it tells how much is missing, only its line ends do. */
  unfinished(): RingItem[] {
    const fromSeq = this.#expected
    const toSeq = fromSeq + this.#badLineEnds - 1
    if (this.#badLineEnds === 0 || !this.#segment || toSeq < this.#fromSeq) return []
    return [{ kind: 'gap', fromSeq, toSeq, count: this.#badLineEnds, segment: this.#segment.name }]
  }
}
