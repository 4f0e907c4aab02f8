/** The segments of a ring as its readers meet them: listed by name, and read where they are by the time they are read. */
import { join } from 'node:path'
import { AgentError } from '../errors.js'
import { codeOf, type Disk } from './disk.js'
import { indexIn } from './members.js'
import { type Scanned, type ScanOptions, scanSegment } from './scan.js'
import { readName, type SegmentName, segmentOrder } from './segment.js'
import type { MemberEntry, SegmentIndex } from './segment-index.js'

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
  const index = before ? await indexOf(disk, dir, before) : null
  return index && index.lastSeq >= gone.firstSeq ? before : undefined
}

/** `null` where there is none that is sound; a segment that cannot be read is told of where it is read as a whole. */
export async function indexOf(disk: Disk, dir: string, { name, sealed }: SegmentName): Promise<SegmentIndex | null> {
  if (!sealed) return null
  try {
    return await indexIn(disk, join(dir, name))
  } catch (error) {
    if (codeOf(error) === '') throw error
    return null
  }
}

/**
 * How many of the segments, from the oldest, are known to hold nothing that is as new. The index of each says how new all
 * before it is, whatever a clock did in between: so only a few of them are asked.
 */
export async function tooOld(
  disk: Disk,
  dir: string,
  segments: readonly SegmentName[],
  sinceMs: number,
): Promise<number> {
  const oldest = segments[0]
  if (!oldest) return 0
  let known = 0
  for (let unknown = segments.length; known < unknown; ) {
    const middle = (known + unknown) >> 1
    const index = await indexOf(disk, dir, segments[middle]!)
    const isTooOld = index?.latest && index.latest.fromSeq <= oldest.firstSeq && index.latest.atMs < sinceMs
    if (isTooOld) known = middle + 1
    else unknown = middle
  }
  return known
}
