/** What is to be done with what is found in a ring's directory at open: a function from the one to the other. */
import type { RingFacts } from './context.js'
import { explained, type Gap, type Kept, type Loss, type Span, sizeOf, without } from './gap.js'
import { lineBytesMax } from './line.js'
import { type SegmentName, segmentOrder } from './segment.js'
import type { SegmentIndex } from './segment-index.js'

export type FoundSegment = SegmentName &
  Readonly<{
    bytes: number
    /** Whether it was read to its end; what follows, but for the index, is known only then. */
    isRead: boolean
    /** Of a sealed one, where it was asked for and is sound. */
    index: SegmentIndex | null
    /** The errno name where the medium would not give back all of it; what follows is of what it did give. */
    unreadable: string | null
    records: number
    /** The greatest number in it, 0 without records. */
    lastSeq: number
    /** Stretches that are no record, before the last that is one. */
    badStretches: number
    /** Numbers before the last that have no record. */
    missing: readonly Span[]
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
  /** What the newest segment says of the ring when it was begun; `null` where it does not. */
  facts: RingFacts | null
  /** What gap records say is missing: those of the text segments, and without `facts` all there are. */
  gaps: readonly Gap[]
  /** The greatest number this process has given out already; 0 at its first look. */
  givenOut: number
  /** What it has found lost at earlier looks, and is about to write down. */
  owed: readonly Span[]
}>

export type Step = Readonly<{ name: string; reason: string; lost: number }> &
  (
    | Readonly<{ action: 'keep' | 'delete' }>
    | Readonly<{ action: 'cut'; toBytes: number }>
    | Readonly<{ action: 'quarantine'; to: string }>
  )

export type Plan = Readonly<{
  steps: readonly Step[]
  /** What is there when the steps are done, oldest first. */
  segments: readonly PlannedSegment[]
  /** The name of the one to go on with; `null` when the next record begins one. */
  writable: string | null
  quarantined: readonly Readonly<{ name: string; bytes: number }>[]
  /** The number of the next record: greater than any that was ever seen. */
  nextSeq: number
  /** To be written down as gap records. */
  losses: readonly Loss[]
  /** Of what gap records by damage have told, and up to where those by overflow have. */
  told: readonly Span[]
  goneTo: number
}>

export type PlannedSegment = SegmentName &
  Readonly<{
    bytes: number
    /** Text that can be read, and so can be sealed. */
    isText: boolean
    /** Absent where nobody has looked. */
    index?: SegmentIndex | null
    /** A gap record has told that it goes, or all of it but what is protected. */
    isTold: boolean
    /** What was told to stay of it; absent where nobody knows. */
    kept?: Kept | null
  }>

export function planRecovery(found: Found): Plan {
  const segments = [...found.segments].sort(segmentOrder)
  const before: Gap[] = (found.facts?.told ?? []).map(span => ({ reason: 'damage', count: sizeOf([span]), ...span }))
  const gaps = [...before, ...found.gaps]
  const goneTo = Math.max(
    found.facts?.goneTo ?? 0,
    ...gaps.filter(({ reason }) => reason === 'overflow').map(({ toSeq }) => toSeq),
  )
  const gone = goneTo > 0 ? [{ fromSeq: 1, toSeq: goneTo }] : []
  const said: Span[] = [...gaps.map(explained), ...gone, ...found.owed]

  // One in quarantine tells too where the one before it ended, and a crash may have come before the gap record of both.
  const quarantined = found.others.filter(({ kind }) => kind === 'quarantined')
  const starts = [...segments, ...quarantined].flatMap(({ firstSeq }) => firstSeq ?? []).sort((a, b) => a - b)
  let following = 0
  // Where a segment went on in another one that was thinned before it.
  let merged: FoundSegment | undefined
  const planned = segments.map((segment, at) => {
    const isTwin = (other: FoundSegment | undefined) => other?.firstSeq === segment.firstSeq
    const twin = [segments[at - 1], segments[at + 1]].find(isTwin)
    while (starts[following] !== undefined && starts[following]! <= segment.firstSeq) following++
    const nextStart = starts[following]
    const isNewest = at === segments.length - 1
    const plan = planSegment(segment, { twin, merged, nextStart, isNewest, gaps: found.gaps })
    if (segment.index?.thinned && !isTwin(segments[at + 1])) merged = segment
    return plan
  })
  const lost = [
    ...lostInFront(segments, found.facts),
    ...planned.flatMap(({ losses }) => losses),
    ...quarantinedUnsaid(quarantined, segments, starts, said),
  ]
  const accounted = Math.max(
    0,
    ...segments.map(({ lastSeq, index }) => Math.max(lastSeq, index?.lastSeq ?? 0)),
    ...[...said, ...lost].map(({ toSeq }) => toSeq),
  )
  const named = [...segments.map(({ firstSeq }) => firstSeq - 1), ...found.others.map(({ firstSeq }) => firstSeq ?? 0)]
  const used = Math.max(accounted, ...named, found.givenOut)
  // Numbers that were used, for a name or this process knows of them, and that are no longer there: the medium has forgotten them.
  if (used > accounted) lost.push(exactly({ fromSeq: accounted + 1, toSeq: used }))

  const steps = [...planned.map(({ step }) => step), ...found.others.map(planOther)]
  const kept = planned.filter(({ step }) => step.action === 'keep' || step.action === 'cut')
  const newest = segments.at(-1)
  const isWritable = newest && kept.some(({ step }) => step.name === newest.name) && isSealable(newest)
  return {
    steps,
    segments: kept.map(({ segment, step, told }) => {
      const { name, firstSeq, sealed, bytes, index } = segment
      const asked = index ? { index } : {}
      const isText = isSealable(segment)
      const toldKept = told?.kept === undefined ? {} : { kept: told.kept }
      const isTold = told !== null
      const place = { name, firstSeq, sealed, bytes: step.action === 'cut' ? step.toBytes : bytes }
      return { ...place, isText, isTold, ...toldKept, ...asked }
    }),
    writable: isWritable ? newest.name : null,
    quarantined: quarantinedAfter(steps, [...found.segments, ...found.others]),
    nextSeq: used + 1,
    losses: toTell(lost, said),
    told: gaps.filter(({ reason, toSeq }) => reason === 'damage' && toSeq > goneTo),
    goneTo,
  }
}

const isSealable = ({ sealed, unreadable }: FoundSegment): boolean => !sealed && unreadable === null

function quarantinedAfter(
  steps: readonly Step[],
  files: readonly Readonly<{ name: string; bytes: number }>[],
): { name: string; bytes: number }[] {
  const bytesOf = new Map(files.map(({ name, bytes }) => [name, bytes]))
  return steps.flatMap(step => {
    const bytes = bytesOf.get(step.name) ?? 0
    if (step.action === 'quarantine') return [{ name: step.to, bytes }]
    return step.name.endsWith('.bad') && step.action === 'keep' ? [{ name: step.name, bytes }] : []
  })
}

/** Where the oldest segments are gone without a word, and it is known how far the words go. */
function lostInFront([oldest]: readonly FoundSegment[], facts: RingFacts | null): LostSpan[] {
  if (!oldest || !facts || oldest.firstSeq === 1) return []
  return [exactly({ fromSeq: 1, toSeq: oldest.firstSeq - 1 })]
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

/** `told`: a gap record says that it goes, and perhaps what stays of it. */
type Told = Readonly<{ kept?: Kept | null }> | null
type Planned = Readonly<{ segment: FoundSegment; step: Step; losses: readonly LostSpan[]; told: Told }>

/** What is around a segment, and decides about it too. */
type Around = Readonly<{
  /** The same numbers in another file: sealed where this is text, or text. */
  twin: FoundSegment | undefined
  /** The last before it that was thinned. */
  merged: FoundSegment | undefined
  /** The next number with which one begins. */
  nextStart: number | undefined
  isNewest: boolean
  gaps: readonly Gap[]
}>

function planSegment(segment: FoundSegment, { twin, merged, nextStart, isNewest, gaps }: Around): Planned {
  const { name, firstSeq } = segment
  const held = nextStart === undefined ? null : exactly({ fromSeq: firstSeq, toSeq: nextStart - 1 })
  const plan = (step: Omit<Step, 'name'>, losses: readonly LostSpan[] = [], told: Told = null): Planned => ({
    segment,
    step: { name, ...step } as Step,
    losses,
    told,
  })
  const keep = (reason: string, losses: readonly LostSpan[] = [], told: Told = null) =>
    plan({ action: 'keep', reason, lost: 0 } as Omit<Step, 'name'>, losses, told)
  const remove = (reason: string, losses: readonly LostSpan[] = []) =>
    plan({ action: 'delete', reason, lost: sumOf(losses) } as Omit<Step, 'name'>, losses)

  // Sealing gives a segment its new name only when all of it is on the device; the text is what was about to be deleted.
  if (twin && (segment.sealed ? segment.index === null : twin.index !== null))
    return remove('the same is there as another file')

  if (merged?.index && merged.index.lastSeq >= (held?.toSeq ?? firstSeq))
    return remove('what stays of it was added to the segment before it')

  // The newest: it tells of what the ones before it told of, too.
  const telling = gaps.findLast(
    gap =>
      gap.reason === 'overflow' &&
      held &&
      gap.fromSeq <= firstSeq &&
      held.toSeq <= gap.toSeq &&
      !segment.index?.thinned,
  )
  if (telling && telling.count === telling.toSeq - telling.fromSeq + 1)
    return remove('a gap record says already that it went by overflow')
  const told = toldOf(segment, telling, gaps)

  if (segment.unreadable !== null) {
    // A medium that will not give it back now may do so later. It is not written to, and goes when its time has come.
    const reason = `it cannot be read to its end (${segment.unreadable})`
    if (!isNewest) return keep(reason)
    const fromSeq = Math.max(segment.lastSeq + 1, firstSeq)
    return keep(reason, [possible(fromSeq, firstSeq, segment.sealed ? sealedTextBytesMax : segment.bytes)])
  }
  if (segment.bytes === 0) return remove('it is empty', held ? [held] : [])
  const short = (lastSeq: number): LostSpan[] =>
    held !== null && lastSeq < held.toSeq ? [exactly({ fromSeq: lastSeq + 1, toSeq: held.toSeq })] : []
  if (!segment.isRead) {
    return keep('it is sealed', segment.index ? short(segment.index.lastSeq) : [], told)
  }
  if (segment.records === 0) {
    const onlyBegun = isNewest && !segment.sealed && segment.tailLineEnds === 0 && segment.bytes <= lineBytesMax
    if (onlyBegun) return remove('it holds nothing but the beginning of a line')
    const counted = segment.sealed
      ? possible(firstSeq, firstSeq, sealedTextBytesMax)
      : exactly({ fromSeq: firstSeq, toSeq: firstSeq + Math.max(segment.tailLineEnds, 1) - 1 })
    const loss = held ?? counted
    const to = `${name}.bad`
    const step = { action: 'quarantine', to, reason: 'there is no sound record in it', lost: loss.atLeast } as const
    return plan(step as Omit<Step, 'name'>, [loss])
  }

  // What is missing in a text is said now, because sealing will leave no trace of it.
  const missing = segment.sealed ? [] : segment.missing.map(exactly)
  const lastSeq = endOf(segment)
  const behind = lastSeq === null ? [] : short(lastSeq)
  missing.push(...behind)
  if (isNewest && !segment.sealed && segment.tailBytes > 0) {
    const lost = segment.tailLineEnds
    const reason =
      lost === 0 ? 'the last line was not written to its end' : `at its end ${counted(lost, 'line')} damaged`
    if (lost > 0 && behind.length === 0)
      missing.push(exactly({ fromSeq: segment.lastSeq + 1, toSeq: segment.lastSeq + lost }))
    return plan({ action: 'cut', toBytes: segment.soundBytes, reason, lost } as Omit<Step, 'name'>, missing)
  }
  const bad = segment.badStretches + (segment.tailBytes > 0 ? 1 : 0)
  const reason = bad === 0 ? 'it is sound' : `${counted(bad, 'stretch', 'es')} damaged`
  if (isNewest && lastSeq === null) missing.push(possible(segment.lastSeq + 1, firstSeq, sealedTextBytesMax))
  return keep(reason, missing, told)
}

/** The last number it can have held, as far as what is left of it tells. */
function endOf({ sealed, index, lastSeq, tailBytes }: FoundSegment): number | null {
  if (!sealed) return lastSeq
  if (index) return Math.max(index.lastSeq, lastSeq)
  return tailBytes === 0 ? lastSeq : null
}

/** Whether a gap record says of it that it goes, or most of it, and a crash came between. */
function toldOf({ firstSeq, index }: FoundSegment, telling: Gap | undefined, gaps: readonly Gap[]): Told {
  const keptBy = ({ kept }: Gap): Told => {
    if (kept === undefined) return {}
    // The neighbours before the one of which something stays go whole.
    return { kept: kept !== null && kept.fromSeq === firstSeq ? kept : null }
  }
  if (telling) return keptBy(telling)
  if (!index?.thinned) return null
  // Of one that was thinned before, the record that told of that speaks of the same numbers: only what it keeps tells them apart.
  const { types } = index
  const isLeft = ({ kept }: Gap): boolean =>
    kept === null ||
    (kept !== undefined && kept.fromSeq > firstSeq) ||
    (kept?.fromSeq === firstSeq && Object.keys(types).some(type => type !== 'context' && !kept.types.includes(type)))
  const gap = gaps.findLast(
    each => each.reason === 'overflow' && each.fromSeq <= index.firstSeq && index.lastSeq <= each.toSeq && isLeft(each),
  )
  return gap === undefined ? null : keptBy(gap)
}

const sumOf = (losses: readonly LostSpan[]): number => losses.reduce((sum, { atLeast }) => sum + atLeast, 0)

const counted = (count: number, noun: string, ending = 's'): string =>
  count === 1 ? `1 ${noun} is` : `${count} ${noun}${ending} are`

function planOther({ kind, name }: FoundFile): Step {
  switch (kind) {
    case 'temporary':
      return { name, action: 'delete', reason: 'it was never finished', lost: 0 }
    case 'absurd':
      return { name, action: 'quarantine', to: `${name}.bad`, reason: 'no ring reaches such a number', lost: 0 }
    case 'quarantined':
      return { name, action: 'keep', reason: 'it is in quarantine and goes first', lost: 0 }
    case 'index':
      return { name, action: 'delete', reason: 'each segment holds its own index', lost: 0 }
  }
}

/** A crash may have come between a quarantine and the gap record that tells of it. */
function quarantinedUnsaid(
  quarantined: readonly FoundFile[],
  segments: readonly FoundSegment[],
  starts: readonly number[],
  said: readonly Span[],
): LostSpan[] {
  return quarantined.flatMap(({ firstSeq, bytes }) => {
    const isSaid = said.some(({ fromSeq, toSeq }) => firstSeq !== null && fromSeq <= firstSeq && firstSeq <= toSeq)
    if (firstSeq === null || isSaid || segments.some(segment => segment.firstSeq === firstSeq)) return []
    const next = starts.find(start => start > firstSeq)
    return next === undefined ? possible(firstSeq, firstSeq, bytes) : exactly({ fromSeq: firstSeq, toSeq: next - 1 })
  })
}

/** Where two things speak of the same numbers they are told once, and with the count of the one that knows it. */
function toTell(lost: readonly LostSpan[], said: readonly Span[]): Loss[] {
  const isGuess = (loss: LostSpan): number => Number(loss.atLeast < sizeOf([loss]))
  const told = [...said]
  const left: LostSpan[] = []
  for (const loss of [...lost].sort((a, b) => isGuess(a) - isGuess(b))) {
    left.push(...unsaid(loss, told))
    told.push(loss)
  }
  return left
    .sort((a, b) => a.fromSeq - b.fromSeq)
    .map(({ fromSeq, toSeq, atLeast }) => ({ reason: 'damage', count: atLeast, fromSeq, toSeq }))
}

const unsaid = (loss: LostSpan, said: readonly Span[]): LostSpan[] =>
  without(loss, said).map(span => ({ ...span, atLeast: Math.min(loss.atLeast, sizeOf([span])) }))
