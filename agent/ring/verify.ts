/** The truth about every segment, told from the bytes alone: works on a live ring, a dead one and a copy. */
import { join } from 'node:path'
import { type Disk, realDisk } from './disk.js'
import { explained, type Gap, readGap, type Span, sizeOf, without } from './gap.js'
import type { RingHealth } from './ring.js'
import type { SegmentName } from './segment.js'
import { listSegments, scanned } from './segments.js'

/** What was found in one segment, before it is known which losses are accounted for. */
type Findings = {
  readonly segment: SegmentName
  /** Up to here its numbers were seen in files before it: what stays of it was added to them, and it is about to go. */
  readonly copiedTo: number
  records: number
  /** Numbers missing before, in or after it. */
  readonly missing: Span[]
  /** Members whose numbers an index tells, and how many records each held. */
  readonly damaged: (Span & Readonly<{ count: number }>)[]
  /** Before its last record. */
  badStretches: number
  /** After it, and how many records that may have been. */
  badAtEnd: number
  badLineEnds: number
  tailBytes: number
  refusal: string | null
}

/** Where reading goes on: the number that would come next, and where the last sound line ends. */
type Place = { expected: number; offset: number }

/**
 * One for each segment, oldest first. All of the ring is read before the first is told, because the records that account for
 * a loss stand after it.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function* verifyRing(dir: string, disk: Disk = realDisk): AsyncGenerator<RingHealth> {
  const all: Findings[] = []
  const accounted: Gap[] = []
  const place: Place = { expected: 1, offset: 0 }
  let segments = await listSegments(disk, dir)
  for (let segment = segments[0]; segment; ) {
    const { firstSeq } = segment
    const isNewer = (other: SegmentName) => other.firstSeq > firstSeq
    const findings = all.find(known => known.segment.firstSeq === firstSeq) ?? enter(segment, all, place)
    // Once it has a successor nothing more is written to it. Only what was listed before the reading proves that.
    const next = segments.find(isNewer)
    await examine(disk, dir, findings, place, gap => accounted.push(gap))
    if (next) segment = next
    else {
      segments = await listSegments(disk, dir)
      const newer = segments.find(isNewer)
      if (!newer) break
      if (segment.sealed) segment = newer
    }
  }
  for (const findings of all) {
    // One may have been sealed meanwhile. What went by overflow is no segment any more; the gap record that says so was read.
    const now = segments.find(({ firstSeq }) => firstSeq === findings.segment.firstSeq)
    if (now) yield healthOf(join(dir, now.name), findings, accounted, findings === all.at(-1))
  }
}

/** False whenever something is wrong that no gap record accounts for; a last line that was not written to its end is no such thing. */
export const ringIsWhole = (healths: readonly RingHealth[]): boolean =>
  healths.every(({ status }) => status !== 'damaged')

/** A segment says by its name with which number it begins. What is missing before is put down to the damage, where there is one. */
function enter(segment: SegmentName, all: Findings[], place: Place): Findings {
  const findings: Findings = {
    segment,
    copiedTo: place.expected - 1,
    records: 0,
    missing: [],
    damaged: [],
    badStretches: 0,
    badAtEnd: 0,
    badLineEnds: 0,
    tailBytes: 0,
    refusal: null,
  }
  const before = all.at(-1)
  all.push(findings)
  if (segment.firstSeq > place.expected) {
    const damaged = before && before.badAtEnd > 0 ? before : findings
    damaged.missing.push({ fromSeq: place.expected, toSeq: segment.firstSeq - 1 })
    place.expected = segment.firstSeq
  }
  place.offset = 0
  return findings
}

async function examine(
  disk: Disk,
  dir: string,
  findings: Findings,
  place: Place,
  account: (gap: Gap) => void,
): Promise<void> {
  findings.badAtEnd = findings.badLineEnds = findings.tailBytes = 0
  const { segment } = findings
  for await (const items of scanned(disk, dir, segment, { from: place.offset, afterSeq: place.expected - 1 })) {
    for (const item of items) {
      if (item.kind === 'tail') findings.tailBytes = item.bytes
      else if (item.kind === 'bad') {
        findings.badAtEnd++
        findings.badLineEnds += item.lineEnds
        findings.refusal = item.refusal ?? findings.refusal
        if (item.numbers) noteDamaged(findings, place, item.numbers, item.lineEnds)
      } else if (item.kind === 'skipped') {
        throw new Error('a verification leaves nothing out')
      } else if (segment.firstSeq <= item.seq && item.seq <= findings.copiedTo) {
        // It was counted where it stands too.
      } else if (item.seq < place.expected) {
        // A line that stands there twice: no false record comes of it, but it is not what the writer wrote.
        findings.badAtEnd++
      } else {
        if (item.seq > place.expected) findings.missing.push({ fromSeq: place.expected, toSeq: item.seq - 1 })
        place.expected = item.seq + 1
        if (!segment.sealed) place.offset = item.end
        findings.records++
        findings.badStretches += findings.badAtEnd
        findings.badAtEnd = findings.badLineEnds = 0
        const gap = readGap(item.json)
        if (gap) account(gap)
      }
    }
  }
}

/** What its index says was in it is lost, however much else of the segment is gone and accounted for. */
function noteDamaged(findings: Findings, place: Place, { fromSeq, toSeq }: Span, count: number): void {
  findings.badLineEnds -= count
  if (toSeq < place.expected) return
  if (fromSeq > place.expected) findings.missing.push({ fromSeq: place.expected, toSeq: fromSeq - 1 })
  findings.damaged.push({ fromSeq: Math.max(fromSeq, place.expected), toSeq, count })
  place.expected = toSeq + 1
}

function healthOf(path: string, findings: Findings, gaps: readonly Gap[], isLast: boolean): RingHealth {
  const { records, badLineEnds, tailBytes, refusal } = findings
  const badStretches = findings.badStretches + findings.badAtEnd
  const accounted = gaps.map(explained)
  const saidDamaged = gaps.filter(({ reason }) => reason === 'damage')
  const unsaid = findings.damaged.filter(span => without(span, saidDamaged).length > 0)
  const missing = [...findings.missing.flatMap(span => without(span, accounted)), ...unsaid]
  const lost =
    sizeOf(findings.missing.flatMap(span => without(span, accounted))) +
    unsaid.reduce((sum, { count }) => sum + count, 0) +
    (isLast ? badLineEnds : 0)
  // Bad bytes whose records are all accounted for are history; with nothing missing they are something that does not belong there.
  const isStrange = badStretches > 0 && findings.missing.length + findings.damaged.length === 0
  const status = lost > 0 || isStrange ? 'damaged' : tailBytes > 0 ? 'torn' : 'ok'
  const said = [
    ...(refusal ? [`the disk does not give all of it back (${refusal})`] : []),
    ...(badStretches > 0 ? [`${badStretches} ${badStretches === 1 ? 'stretch is' : 'stretches are'} no record`] : []),
    ...(missing.length > 0 ? [`missing: ${missing.map(range).join(', ')}`] : []),
    ...(tailBytes > 0 ? [`it ends in ${tailBytes} bytes of a line that was not written to its end`] : []),
  ]
  return { path, status, records, lost, reason: said.length > 0 ? said.join('; ') : null }
}

const range = ({ fromSeq, toSeq }: Span): string => (fromSeq === toSeq ? `${fromSeq}` : `${fromSeq} to ${toSeq}`)
