/** Looking at a ring from its end: what is before is not read. */
import { readFacts } from './context.js'
import { type Disk, realDisk } from './disk.js'
import { typeOf } from './envelope.js'
import type { WantsMember } from './members.js'
import type { Scanned } from './scan.js'
import type { SegmentName } from './segment.js'
import { indexOf, listSegments, scanned } from './segments.js'

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
    const members = (await indexOf(disk, dir, segment))?.members ?? []
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
