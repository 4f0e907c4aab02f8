/**
 * Reading a ring: beside its writer, after the writer's death, from a copy. Nothing is ever changed.
 *
 * Records come in the order of their numbers, so whatever is missing shows as a jump, and a gap record of the writer's that
 * speaks of those numbers is all there is to say about it. A jump that no record explains becomes a gap in its place.
 */
import { watch } from 'node:fs'
import { join } from 'node:path'
import { AgentError } from '../errors.js'
import { readFacts } from './context.js'
import { codeOf, type Disk, realDisk } from './disk.js'
import { typeOf } from './envelope.js'
import { explained, type Gap, readGap, type Span, without } from './gap.js'
import { indexIn, type WantsMember } from './members.js'
import type { RingItem } from './ring.js'
import { type Scanned, type ScanOptions, scanSegment } from './scan.js'
import { readName, type SegmentName, segmentOrder } from './segment.js'
import type { MemberEntry } from './segment-index.js'

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

const followPollMs = 1_000
const followPollUnwatchedMs = 150

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

export type NumberedRecord = Readonly<{ seq: number; json: string }>

export type LastOptions = Readonly<{
  /** Only records of these types, as exactly as the ring knows them: by the first `"type"` in the text. */
  types?: readonly string[]
  disk?: Disk
}>

/** The newest records, oldest first, read from the end: what is before them is not looked at. */
export async function lastRecords(
  dir: string,
  count: number,
  { types, disk = realDisk }: LastOptions = {},
): Promise<NumberedRecord[]> {
  const isWanted = types ? ({ json }: Line) => types.includes(typeOf(json)) : () => true
  const segments = await listSegments(disk, dir)
  let newest: NumberedRecord[] = []
  for (const segment of segments.reverse()) {
    const lacking = count - newest.length
    if (lacking <= 0) break
    const before = newest[0]?.seq ?? Number.POSITIVE_INFINITY
    const inSegment: NumberedRecord[] = []
    for (const { seq, json } of await lastIn(disk, dir, segment, { count: lacking, types, isWanted })) {
      if (seq >= before || seq <= (inSegment.at(-1)?.seq ?? 0)) continue
      inSegment.push({ seq, json: json.toString() })
    }
    newest = [...inSegment, ...newest].slice(-count)
  }
  return newest
}

type Line = Extract<Scanned, { kind: 'line' }>
type LastWanted = Readonly<{
  count: number
  types: readonly string[] | undefined
  isWanted: (line: Line) => boolean
}>

/** At least as many of a segment's last lines, where it has them; of a sealed one only the members that may hold them are read. */
async function lastIn(
  disk: Disk,
  dir: string,
  segment: SegmentName,
  { count, types, isWanted }: LastWanted,
): Promise<Line[]> {
  const mayHold: WantsMember = member => types === undefined || member.types.some(type => types.includes(type))
  let fromSeq = 0
  if (segment.sealed && types === undefined) {
    const members = (await indexIn(disk, join(dir, segment.name)).catch(asNothing))?.members ?? []
    for (let held = 0, at = members.length - 1; at >= 0 && held < count; at--) {
      held += members[at]!.records
      fromSeq = members[at]!.firstSeq
    }
  }
  const linesFrom = async (fromSeq: number): Promise<Line[]> => {
    let lines: Line[] = []
    const wants: WantsMember = member => member.lastSeq >= fromSeq && mayHold(member)
    for await (const items of scanned(disk, dir, segment, { wants })) {
      for (const item of items) {
        // One that stands there twice counts once.
        if (item.kind === 'line' && item.seq > (lines.at(-1)?.seq ?? 0) && isWanted(item)) lines.push(item)
      }
      if (lines.length > 4 * count) lines = lines.slice(-count)
    }
    return lines.slice(-count)
  }
  const lines = await linesFrom(fromSeq)
  // A member that is damaged holds less than the index says.
  return lines.length < count && fromSeq > 0 ? linesFrom(0) : lines
}

/**
 * The newest record that opens a segment, as the ring's user told it; `null` where no segment opens with one.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function newestOpening(dir: string, disk: Disk = realDisk): Promise<NumberedRecord | null> {
  const segments = await listSegments(disk, dir)
  for (const segment of segments.reverse()) {
    const isFirst: WantsMember = ({ firstSeq }) => firstSeq === segment.firstSeq
    for await (const items of scanned(disk, dir, segment, { wants: isFirst })) {
      const first = items.find(item => item.kind === 'line')
      if (first && readFacts(first.json)) return { seq: first.seq, json: first.json.toString() }
      // The first piece of it is all that is looked at.
      break
    }
  }
  return null
}

/** What cannot be read is told of where it is read as a whole. */
function asNothing(error: unknown): null {
  if (codeOf(error) === '') throw error
  return null
}

/**
 * Each once: where a segment is there as text too, that is about to be deleted. Or its deletion was undone by a power cut, and
 * then not all of it need be on the device, while nothing is sealed that is not.
 *
 * @throws AgentError `RING_UNREADABLE`
 */
export async function listSegments(disk: Disk, dir: string): Promise<SegmentName[]> {
  try {
    const names = (await disk.names(dir)).map(readName)
    const segments = names.filter(name => name.kind === 'segment').sort(segmentOrder)
    return segments.filter(({ sealed, firstSeq }, at) => sealed || segments[at + 1]?.firstSeq !== firstSeq)
  } catch (cause) {
    throw new AgentError('RING_UNREADABLE', `${dir} cannot be listed (${codeOf(cause)})`, [], { cause })
  }
}

export type ScannedOptions = ScanOptions &
  Readonly<{
    /** Where another file has to be read instead: nothing up to this number, because it was read already. */
    afterSeq?: number
  }>

/**
 * A segment that is gone has nothing in it; one that the medium will not give back ends in a stretch that is no record. One
 * that was sealed since it was listed, or whose rest was added to its neighbour, is read where it is now.
 */
export async function* scanned(
  disk: Disk,
  dir: string,
  segment: SegmentName,
  { afterSeq = 0, ...options }: ScannedOptions = {},
): AsyncGenerator<readonly Scanned[]> {
  try {
    yield* scanSegment(disk, join(dir, segment.name), segment.sealed, options)
  } catch (error) {
    if (codeOf(error) === '') throw error
    if (codeOf(error) === 'ENOENT') yield* scannedElsewhere(disk, dir, segment, { afterSeq, ...options })
    else yield [{ kind: 'bad', bytes: 0, lineEnds: 1, refusal: codeOf(error) }]
  }
}

async function* scannedElsewhere(
  disk: Disk,
  dir: string,
  gone: SegmentName,
  { afterSeq, wants = () => true }: ScannedOptions & Readonly<{ afterSeq: number }>,
): AsyncGenerator<readonly Scanned[]> {
  const heldNow = await whereIsIt(disk, dir, gone)
  if (!heldNow) return
  const oldTo = Math.max(afterSeq, gone.firstSeq - 1)
  const isNew = (item: Scanned): boolean => {
    if (item.kind === 'line') return item.seq > oldTo
    if (item.kind === 'skipped') return item.lastSeq > oldTo
    return item.kind !== 'bad' || item.numbers === undefined || item.numbers.toSeq > oldTo
  }
  const options = { afterSeq, wants: (member: MemberEntry) => member.lastSeq > oldTo && wants(member) }
  for await (const items of scanned(disk, dir, heldNow, options)) yield items.filter(isNew)
}

/** The file that holds now what was in another: its sealed copy, or a thinned one before it. */
async function whereIsIt(disk: Disk, dir: string, gone: SegmentName): Promise<SegmentName | undefined> {
  const segments = await listSegments(disk, dir)
  const copy = segments.find(({ firstSeq, name }) => firstSeq === gone.firstSeq && name !== gone.name)
  if (copy) return copy
  const before = segments.findLast(({ firstSeq }) => firstSeq < gone.firstSeq)
  const index = before?.sealed ? await indexIn(disk, join(dir, before.name)).catch(asNothing) : null
  return index && index.lastSeq >= gone.firstSeq ? before : undefined
}

/** A place in the ring, from where it can be read to the end again and again. */
class Walk {
  readonly #dir: string
  readonly #disk: Disk
  readonly #fromSeq: number
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

  constructor(dir: string, disk: Disk, fromSeq: number, { sinceMs, untilMs, types }: ReadOptions) {
    this.#dir = dir
    this.#disk = disk
    this.#fromSeq = fromSeq
    this.#explanations = new Explanations(dir, disk)
    this.#wants = member =>
      member.lastSeq >= fromSeq &&
      (sinceMs === undefined || member.maxAtMs === null || member.maxAtMs >= sinceMs) &&
      (untilMs === undefined || member.minAtMs === null || member.minAtMs <= untilMs) &&
      (types === undefined || member.types.some(type => types.includes(type)))
  }

  async *toTheEnd(): AsyncGenerator<readonly RingItem[]> {
    let segments = await listSegments(this.#disk, this.#dir)
    for (;;) {
      const current = this.#current(segments)
      if (!current) return
      yield await this.#enter(current)
      // Once it has a successor nothing more is written to it. Only what was listed before the reading proves that.
      const next = segments.find(({ firstSeq }) => firstSeq > current.firstSeq)
      yield* this.#readOn(current)
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
        this.#badLineEnds = 0
        if (item.seq < this.#expected) continue
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

/**
 * The writer's gap records, searched only when something is missing: they stand after what they speak of. Text segments are
 * read for them; of sealed ones the index tells.
 */
class Explanations {
  readonly #dir: string
  readonly #disk: Disk
  /** By the first number of the segment they stand in. `bytes`: of one that was still written, how long it was. */
  readonly #found = new Map<number, Readonly<{ gaps: readonly Gap[]; bytes: number | null }>>()

  constructor(dir: string, disk: Disk) {
    this.#dir = dir
    this.#disk = disk
  }

  /** @returns what of the span no gap record speaks of, or none that speaks of damage */
  async lackingFor(span: Span, reason?: 'damage'): Promise<Span[]> {
    const isMeant = (gap: Gap) => reason === undefined || gap.reason === reason
    const lacking = () => {
      const gaps = [...this.#found.values()].flatMap(({ gaps }) => gaps)
      return without(span, gaps.filter(isMeant).map(explained))
    }
    if (lacking().length === 0) return []
    // Looked at again each time: what makes room tells of it in the newest before anything is missing.
    const segments = await listSegments(this.#disk, this.#dir)
    for (const [at, segment] of segments.reverse().entries()) {
      const bytes = at === 0 ? await this.#bytesOf(segment) : null
      const known = this.#found.get(segment.firstSeq)
      if (known && known.bytes === bytes) continue
      this.#found.set(segment.firstSeq, { gaps: await this.#gapsIn(segment), bytes })
      // The newest mostly say it all, and then the rest need not be read.
      if (lacking().length === 0) return []
    }
    return lacking()
  }

  async #bytesOf({ name }: SegmentName): Promise<number> {
    try {
      const file = await this.#disk.open(join(this.#dir, name), 'read')
      try {
        return (await file.stat()).bytes
      } finally {
        await file.close()
      }
    } catch (error) {
      asNothing(error)
      return 0
    }
  }

  async #gapsIn(segment: SegmentName): Promise<readonly Gap[]> {
    const index = segment.sealed ? await indexIn(this.#disk, join(this.#dir, segment.name)).catch(asNothing) : null
    if (index) return index.gaps
    const gaps: Gap[] = []
    for await (const items of scanned(this.#disk, this.#dir, segment)) {
      for (const item of items) {
        const gap = item.kind === 'line' ? readGap(item.json) : null
        if (gap) gaps.push(gap)
      }
    }
    return gaps
  }
}

/** Tells that something in a directory has changed, or may have: watching can fail, and some file systems never tell. */
class Changes {
  #wake: () => void = () => {}
  #pollMs = followPollMs
  readonly #close: () => void

  constructor(dir: string, signal: AbortSignal | undefined) {
    const onChange = () => this.#wake()
    signal?.addEventListener('abort', onChange)
    try {
      const watcher = watch(dir, onChange)
      watcher.on('error', () => {
        this.#pollMs = followPollUnwatchedMs
      })
      this.#close = () => {
        watcher.close()
        signal?.removeEventListener('abort', onChange)
      }
    } catch {
      // No watches left on this host, or none for this file system: looking more often does the same.
      this.#pollMs = followPollUnwatchedMs
      this.#close = () => signal?.removeEventListener('abort', onChange)
    }
  }

  /** Resolves at the first change after the call, or when it is time to look anyway. */
  next(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#pollMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  close(): void {
    this.#wake()
    this.#close()
  }
}
