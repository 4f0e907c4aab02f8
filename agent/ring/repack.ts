/** Segments packed anew: text becomes sealed, and of a sealed one only what is protected stays. */
import { AgentError } from '../errors.js'
import { codeOf, type Disk } from './disk.js'
import { typeOf } from './envelope.js'
import type { Files, SegmentFile } from './files.js'
import type { Span } from './gap.js'
import { scanSegment } from './scan.js'
import { type Sealed, type SealedSpan, Sealer } from './seal.js'
import { type MemberEntry, recordsIn, type SegmentIndex } from './segment-index.js'

/**
 * @param level zlib's
 * @returns `missing`: the numbers of the span of which there is no sound line
 * @throws what the disk says; AgentError `RING_UNREADABLE` where there is no sound line at all
 */
export async function sealText(
  disk: Disk,
  path: string,
  span: SealedSpan,
  level: number,
): Promise<{ sealed: Sealed; missing: readonly Span[] }> {
  const sealer = new Sealer(level)
  const missing: Span[] = []
  let expected = span.firstSeq
  for await (const items of scanSegment(disk, path, false)) {
    for (const item of items) {
      // A line that stands there twice is kept once.
      if (item.kind !== 'line' || item.seq < expected || item.seq > span.lastSeq) continue
      if (item.seq > expected) missing.push({ fromSeq: expected, toSeq: item.seq - 1 })
      sealer.add(item.seq, item.json)
      expected = item.seq + 1
    }
  }
  if (expected === span.firstSeq) throw new AgentError('RING_UNREADABLE', `${path} holds no sound record`)
  if (expected <= span.lastSeq) missing.push({ fromSeq: expected, toSeq: span.lastSeq })
  return { sealed: await sealer.finish(span), missing }
}

/** Whether all is there that the index tells of. */
export async function isWhole(disk: Disk, path: string, index: SegmentIndex): Promise<boolean> {
  let records = 0
  try {
    for await (const items of scanSegment(disk, path, true))
      records += items.filter(({ kind }) => kind === 'line').length
  } catch (error) {
    if (codeOf(error) === '') throw error
    return false
  }
  return records === recordsIn(index)
}

/** It is done while room is short, mostly in a storm: quick is better than small. */
const thinningLevel = 6

/**
 * @param before another one that is thinned already, to whose end the survivors are added
 * @param keepsOpening whether the record that opens the segment stays too, and goes on explaining what stays of it
 * @returns `survivors`: how many of the segment's own records stay
 */
export async function thinned(
  disk: Disk,
  files: Files,
  before: SegmentFile | null,
  segment: SegmentFile,
  index: SegmentIndex,
  survives: ReadonlySet<string>,
  keepsOpening: boolean,
): Promise<{ sealed: Sealed; survivors: number }> {
  const sealer = new Sealer(thinningLevel)
  let last = 0
  const add = (seq: number, json: Buffer): boolean => {
    if (seq <= last) return false
    last = seq
    sealer.add(seq, json)
    return true
  }
  if (before) {
    for await (const items of scanSegment(disk, files.path(before.name), true))
      for (const item of items) if (item.kind === 'line') add(item.seq, item.json)
  }
  let survivors = 0
  const [opening] = index.members
  const wants = ({ firstSeq, types }: MemberEntry) =>
    types.some(type => survives.has(type)) || (keepsOpening && firstSeq === opening?.firstSeq)
  for await (const items of scanSegment(disk, files.path(segment.name), true, { wants })) {
    for (const item of items) {
      if (item.kind !== 'line') continue
      const type = typeOf(item.json)
      const isOpening = keepsOpening && survivors === 0 && type === 'context'
      if ((survives.has(type) || isOpening) && add(item.seq, item.json)) survivors++
    }
  }
  if (survivors === 0) throw new AgentError('RING_UNREADABLE', `${segment.name} holds none of what it says`)
  const firstSeq = before?.index?.firstSeq ?? index.firstSeq
  const { lastSeq, latest } = index
  const span = { firstSeq, lastSeq, thinned: true, ...(latest ? { latest } : {}) }
  return { sealed: await sealer.finish(span), survivors }
}
