/** What is in a sealed segment, told at its beginning: so that opening, reading a window and making room need not unpack it. */
import { crc32 } from 'node:zlib'
import type { Gap } from './gap.js'
import { seqMax } from './line.js'

export type SegmentIndex = Readonly<{
  /** The numbers it stands for. In a thinned one, those of all records that it once held, or its neighbours did. */
  firstSeq: number
  lastSeq: number
  /** Whether records were taken out to make room; a gap record has told of them. */
  thinned: boolean
  /** By `type`, an empty word for records without one. Both counts are of the text: what was deflated. */
  types: Readonly<Record<string, TypeShare>>
  /** What its gap records say of numbers. */
  gaps: readonly Gap[]
  members: readonly MemberEntry[]
  /** Where times are all that is wanted, what lies before is found to be too old without being asked one by one. */
  latest?: Latest
}>

/** The latest `at`, in ms since 1970, of all records from that number to the end of the segment. */
export type Latest = Readonly<{ fromSeq: number; atMs: number }>

export type TypeShare = Readonly<{ records: number; textBytes: number }>

export type MemberEntry = Readonly<{
  bytes: number
  firstSeq: number
  lastSeq: number
  records: number
  /** The earliest and the latest `at` in it, in ms since 1970; both `null` where a record tells none. */
  minAtMs: number | null
  maxAtMs: number | null
  types: readonly string[]
}>

export const recordsIn = ({ members }: SegmentIndex): number => members.reduce((sum, { records }) => sum + records, 0)

export const textBytesIn = ({ types }: SegmentIndex): number =>
  Object.values(types).reduce((sum, { textBytes }) => sum + textBytes, 0)

/** As it stands on the disk: numbers in lists, because a segment has it once for every 64 KiB. */
type Stored = {
  format: 1
  firstSeq: number
  lastSeq: number
  thinned: boolean
  types: [type: string, records: number, textBytes: number][]
  gaps: [reason: string, count: number, fromSeq: number, toSeq: number][]
  members: [
    bytes: number,
    firstSeq: number,
    lastSeq: number,
    records: number,
    minAtMs: number | null,
    maxAtMs: number | null,
    /** Positions in `types`. */
    types: number[],
  ][]
  /** Left out where a record tells no time, and by versions that did not know of it. */
  latest?: [fromSeq: number, atMs: number]
}

/** CRC32, then JSON. */
export function writeIndex({ firstSeq, lastSeq, thinned, types, gaps, members, latest }: SegmentIndex): Buffer {
  const names = Object.keys(types)
  const stored: Stored = {
    format: 1,
    firstSeq,
    lastSeq,
    thinned,
    types: Object.entries(types).map(([type, { records, textBytes }]) => [type, records, textBytes]),
    gaps: gaps.map(({ reason, count, fromSeq, toSeq }) => [reason, count, fromSeq, toSeq]),
    members: members.map(member => [
      member.bytes,
      member.firstSeq,
      member.lastSeq,
      member.records,
      member.minAtMs,
      member.maxAtMs,
      member.types.map(type => names.indexOf(type)),
    ]),
    ...(latest ? { latest: [latest.fromSeq, latest.atMs] } : {}),
  }
  const json = Buffer.from(JSON.stringify(stored))
  const field = Buffer.alloc(4 + json.length)
  field.writeUInt32LE(crc32(json))
  json.copy(field, 4)
  return field
}

/** @returns `null` for anything that is not as it was written: then the segment must be read to know what is in it */
export function readIndex(field: Buffer): SegmentIndex | null {
  if (field.length < 4 || field.readUInt32LE(0) !== crc32(field.subarray(4))) return null
  const stored = parse(field.toString('utf8', 4))
  if (stored?.format !== 1 || stored.lastSeq > seqMax) return null
  const names = stored.types.map(([type]) => type)
  return {
    firstSeq: stored.firstSeq,
    lastSeq: stored.lastSeq,
    thinned: stored.thinned,
    types: Object.fromEntries(stored.types.map(([type, records, textBytes]) => [type, { records, textBytes }])),
    gaps: stored.gaps.flatMap(([reason, count, fromSeq, toSeq]) =>
      reason === 'overflow' || reason === 'damage' ? [{ reason, count, fromSeq, toSeq }] : [],
    ),
    members: stored.members.map(([bytes, firstSeq, lastSeq, records, minAtMs, maxAtMs, types]) => ({
      bytes,
      firstSeq,
      lastSeq,
      records,
      minAtMs,
      maxAtMs,
      types: types.map(at => names[at] ?? ''),
    })),
    ...(stored.latest ? { latest: { fromSeq: stored.latest[0], atMs: stored.latest[1] } } : {}),
  }
}

/** The checksum was right, so it has the shape in which some version of the ring wrote it. */
function parse(text: string): Stored | null {
  try {
    return JSON.parse(text) as Stored
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
