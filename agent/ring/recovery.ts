/** What is to be done with what is found in a ring's directory at open: a function from the one to the other. */
import { explained, type Gap, type Loss, type Span, sizeOf, without } from './gap.js'
import { lineBytesMax } from './line.js'
import { type SegmentName, segmentOrder } from './segment.js'

export type FoundSegment = SegmentName &
  Readonly<{
    bytes: number
    /** The errno name where the medium would not give back all of it; what follows is of what it did give. */
    unreadable: string | null
    records: number
    /** The greatest number in it, 0 without records. */
    lastSeq: number
    /** Stretches that are no record, before the last that is one. */
    badStretches: number
    /** Where the last sound line ends. */
    soundBytes: number
    /** What stands after it, and how many records that may have been. */
    tailBytes: number
    tailLineEnds: number
  }>

export type FoundFile = Readonly<{
  kind: 'index' | 'temporary' | 'quarantined' | 'absurd'
  name: string
  firstSeq: number | null
  bytes: number
}>

export type Found = Readonly<{
  segments: readonly FoundSegment[]
  others: readonly FoundFile[]
  /** What gap records say is missing. */
  gaps: readonly Gap[]
  /** The greatest number this process has given out already; 0 at its first look. */
  givenOut: number
}>

export type Step = Readonly<{ name: string; reason: string; lost: number }> &
  (
    | Readonly<{ action: 'keep' | 'delete' }>
    | Readonly<{ action: 'cut'; toBytes: number }>
    | Readonly<{ action: 'quarantine'; to: string }>
  )

export type Plan = Readonly<{
  steps: readonly Step[]
  /** The number of the next record: greater than any that was ever seen. */
  nextSeq: number
  /** To be written down as gap records. */
  losses: readonly Loss[]
}>

export function planRecovery(found: Found): Plan {
  const segments = [...found.segments].sort(segmentOrder)
  const said = found.gaps.map(explained)
  const goneTo = Math.max(0, ...found.gaps.filter(gap => gap.reason === 'overflow').map(gap => gap.toSeq))

  const planned = segments.map((segment, index) => planSegment(segment, segments[index + 1], goneTo))
  const lost = [...planned.flatMap(({ loss }) => loss ?? []), ...quarantinedUnsaid(found.others, segments, said)]
  const accounted = Math.max(
    0,
    ...segments.map(({ lastSeq }) => lastSeq),
    ...[...said, ...lost].map(({ toSeq }) => toSeq),
  )
  const named = [...segments.map(({ firstSeq }) => firstSeq - 1), ...found.others.map(({ firstSeq }) => firstSeq ?? 0)]
  const used = Math.max(accounted, ...named, found.givenOut)
  // Numbers that were used, for a name or this process knows of them, and that are no longer there: the medium has forgotten them.
  if (used > accounted) lost.push(exactly({ fromSeq: accounted + 1, toSeq: used }))

  return {
    steps: [...planned.map(({ step }) => step), ...found.others.map(file => planOther(file, segments))],
    nextSeq: used + 1,
    losses: lost.flatMap(loss => unsaid(loss, said)),
  }
}

/** How much text a sealed segment can stand for. */
const sealedTextBytesMax = 1024 * 1024

/** `atLeast` is less than the span where nobody can know how many of its numbers were used. */
type LostSpan = Span & Readonly<{ atLeast: number }>

const exactly = (span: Span): LostSpan => ({ ...span, atLeast: sizeOf([span]) })

/** Each line has 20 bytes at least, so of a segment with that much text no number beyond this can have been used. */
const possible = (fromSeq: number, firstSeq: number, textBytes: number): LostSpan => ({
  fromSeq,
  toSeq: Math.max(fromSeq, firstSeq + Math.ceil(textBytes / 20)),
  atLeast: 1,
})

function planSegment(
  segment: FoundSegment,
  next: FoundSegment | undefined,
  goneTo: number,
): Readonly<{ step: Step; loss?: LostSpan }> {
  const { name, firstSeq } = segment
  const newest = next === undefined
  const held = newest || next.firstSeq === firstSeq ? null : exactly({ fromSeq: firstSeq, toSeq: next.firstSeq - 1 })

  if (held && held.toSeq <= goneTo)
    return { step: { name, action: 'delete', reason: 'a gap record says already that it went by overflow', lost: 0 } }

  if (segment.unreadable !== null) {
    // A medium that will not give it back now may do so later. It is not written to, and goes when its time has come.
    const step: Step = { name, action: 'keep', reason: `it cannot be read to its end (${segment.unreadable})`, lost: 0 }
    if (!newest) return { step }
    const fromSeq = Math.max(segment.lastSeq + 1, firstSeq)
    return { step, loss: possible(fromSeq, firstSeq, segment.sealed ? sealedTextBytesMax : segment.bytes) }
  }
  if (segment.bytes === 0) {
    const step: Step = { name, action: 'delete', reason: 'it is empty', lost: held?.atLeast ?? 0 }
    return held ? { step, loss: held } : { step }
  }
  if (segment.records === 0) {
    const onlyBegun = newest && !segment.sealed && segment.tailLineEnds === 0 && segment.bytes <= lineBytesMax
    if (onlyBegun)
      return { step: { name, action: 'delete', reason: 'it holds nothing but the beginning of a line', lost: 0 } }
    const counted = segment.sealed
      ? possible(firstSeq, firstSeq, sealedTextBytesMax)
      : exactly({ fromSeq: firstSeq, toSeq: firstSeq + Math.max(segment.tailLineEnds, 1) - 1 })
    return quarantine(name, 'there is no sound record in it', held ?? counted)
  }
  if (newest && !segment.sealed && segment.tailBytes > 0) {
    const lost = segment.tailLineEnds
    const reason =
      lost === 0 ? 'the last line was not written to its end' : `at its end ${counted(lost, 'line')} damaged`
    const step: Step = { name, action: 'cut', toBytes: segment.soundBytes, reason, lost }
    if (lost === 0) return { step }
    return { step, loss: exactly({ fromSeq: segment.lastSeq + 1, toSeq: segment.lastSeq + lost }) }
  }
  const bad = segment.badStretches + (segment.tailBytes > 0 ? 1 : 0)
  const reason = bad === 0 ? 'it is sound' : `${counted(bad, 'stretch', 'es')} damaged and left to its readers`
  const step: Step = { name, action: 'keep', reason, lost: 0 }
  if (!newest || segment.tailBytes === 0) return { step }
  return { step, loss: possible(segment.lastSeq + 1, firstSeq, sealedTextBytesMax) }
}

const counted = (count: number, noun: string, ending = 's'): string =>
  count === 1 ? `1 ${noun} is` : `${count} ${noun}${ending} are`

const quarantine = (name: string, reason: string, loss: LostSpan) => ({
  step: { name, action: 'quarantine', to: `${name}.bad`, reason, lost: loss.atLeast } as const,
  loss,
})

function planOther({ kind, name, firstSeq }: FoundFile, segments: readonly FoundSegment[]): Step {
  switch (kind) {
    case 'temporary':
      return { name, action: 'delete', reason: 'it was never finished', lost: 0 }
    case 'absurd':
      return { name, action: 'quarantine', to: `${name}.bad`, reason: 'no ring reaches such a number', lost: 0 }
    case 'quarantined':
      return { name, action: 'keep', reason: 'it is in quarantine and goes first', lost: 0 }
    case 'index':
      return segments.some(segment => segment.firstSeq === firstSeq)
        ? { name, action: 'keep', reason: 'it belongs to a segment', lost: 0 }
        : { name, action: 'delete', reason: 'its segment is gone', lost: 0 }
  }
}

/** A crash may have come between a quarantine and the gap record that tells of it. */
function quarantinedUnsaid(
  others: readonly FoundFile[],
  segments: readonly FoundSegment[],
  said: readonly Span[],
): LostSpan[] {
  const quarantined = others.filter(({ kind }) => kind === 'quarantined')
  const starts = [...segments, ...quarantined].flatMap(({ firstSeq }) => firstSeq ?? []).sort((a, b) => a - b)
  return quarantined.flatMap(({ firstSeq, bytes }) => {
    const isSaid = said.some(({ fromSeq, toSeq }) => firstSeq !== null && fromSeq <= firstSeq && firstSeq <= toSeq)
    if (firstSeq === null || isSaid || segments.some(segment => segment.firstSeq === firstSeq)) return []
    const next = starts.find(start => start > firstSeq)
    return next === undefined ? possible(firstSeq, firstSeq, bytes) : exactly({ fromSeq: firstSeq, toSeq: next - 1 })
  })
}

function unsaid(loss: LostSpan, said: readonly Span[]): Loss[] {
  return without(loss, said).map(({ fromSeq, toSeq }) => ({
    reason: 'damage',
    count: Math.min(loss.atLeast, toSeq - fromSeq + 1),
    fromSeq,
    toSeq,
  }))
}
