/** Gap records: the ring's own words for what is missing, and what a reader may conclude from them. */
import type { GapReason, RingStamp } from './ring.js'

/**
 * What stays of the last of the segments that go by overflow: the one that begins with that number, its records of these types, and
 * with `opening` the record that opens it; `count` in all. Whoever comes after a crash does just this, and tells of what by then does
 * not stay, so that the counts are true.
 */
export type Kept = Readonly<{ fromSeq: number; types: readonly string[]; opening: boolean; count: number }>

/** Both numbers are `null` when the records never got any. `kept`: by overflow only; `null` where nothing stays. */
export type Loss = Readonly<{
  reason: GapReason
  count: number
  fromSeq: number | null
  toSeq: number | null
  kept?: Kept | null
}>

/** Numbers, both ends included. */
export type Span = Readonly<{ fromSeq: number; toSeq: number }>

/** @returns the record without `seq`, as `append` takes it */
export function gapJson(stamp: RingStamp, { reason, count, fromSeq, toSeq, kept }: Loss): string {
  const { at, bootId, monoMs } = stamp()
  const data = { reason, count, fromSeq, toSeq, ...(kept === undefined ? {} : { kept }) }
  return JSON.stringify({ at, bootId, monoMs, level: 40, type: 'gap', conn: null, inc: null, data })
}

const mark = Buffer.from('"type":"gap"')

/** What a gap record of the ring's own says about numbers, and how many of them were records that are gone. */
export type Gap = Span &
  Readonly<{
    reason: 'overflow' | 'damage'
    count: number
    /** Absent where it does not say, as in records of older versions and in the index of a sealed segment. */
    kept?: Kept | null
  }>

/** @returns `null` for a record that is no gap, or one of records that had no numbers */
export function readGap(json: Buffer): Gap | null {
  // Nearly no record is a gap, and finding that out must not cost a JSON.parse.
  if (!json.includes(mark)) return null
  const record = parse(json.toString())
  if (!isObject(record) || record.type !== 'gap' || !isObject(record.data)) return null
  const { reason, count, fromSeq, toSeq } = record.data
  if (reason !== 'overflow' && reason !== 'damage') return null
  if (![count, fromSeq, toSeq].every(Number.isSafeInteger)) return null
  const kept = readKept(record.data.kept)
  const numbers = { count: Number(count), fromSeq: Number(fromSeq), toSeq: Number(toSeq) }
  return { reason, ...numbers, ...(kept === undefined ? {} : { kept }) }
}

function readKept(value: unknown): Kept | null | undefined {
  if (value === null) return null
  if (!isObject(value) || !Array.isArray(value.types)) return undefined
  const { fromSeq, count } = value
  if (![fromSeq, count].every(Number.isSafeInteger)) return undefined
  const types = value.types.filter(type => typeof type === 'string')
  return { fromSeq: Number(fromSeq), types, opening: value.opening === true, count: Number(count) }
}

/**
 * The numbers of which nobody needs to be told any more once this gap record is there. The oldest go first, so a gap by
 * overflow speaks for all before it too: the records that said so for those may have gone the same way.
 */
export const explained = ({ reason, fromSeq, toSeq }: Pick<Gap, 'reason' | 'fromSeq' | 'toSeq'>): Span =>
  reason === 'overflow' ? { fromSeq: 1, toSeq } : { fromSeq, toSeq }

/** What is left of a span when the given ones are taken out, in ascending order. */
export function without(span: Span, spans: readonly Span[]): Span[] {
  const left: Span[] = []
  let from = span.fromSeq
  for (const taken of [...spans].sort((a, b) => a.fromSeq - b.fromSeq)) {
    if (taken.toSeq < from) continue
    if (taken.fromSeq > span.toSeq) break
    if (taken.fromSeq > from) left.push({ fromSeq: from, toSeq: taken.fromSeq - 1 })
    from = taken.toSeq + 1
  }
  if (from <= span.toSeq) left.push({ fromSeq: from, toSeq: span.toSeq })
  return left
}

/** How many numbers the spans hold; they must not overlap. */
export const sizeOf = (spans: readonly Span[]): number =>
  spans.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0)

/** What is left to be said of numbers whose records are damaged. */
export const damageOf = (span: Span, said: readonly Span[]): Loss[] =>
  without(span, said).map(({ fromSeq, toSeq }) => ({ reason: 'damage', count: toSeq - fromSeq + 1, fromSeq, toSeq }))

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A caller's record that only looks like ours: it explains nothing.
    return null
  }
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x)
