/** What the files of a ring's directory are called, and how large a segment may become. */
import { seqMax } from './line.js'

export type SegmentName = Readonly<{ name: string; firstSeq: number; sealed: boolean }>

export type FileName =
  | (Readonly<{ kind: 'segment' }> & SegmentName)
  /** `firstSeq` of the segment it belongs to, `null` where the name does not tell. */
  | Readonly<{ kind: 'index' | 'temporary' | 'quarantined'; name: string; firstSeq: number | null }>
  /** Named like a segment, but with a number no ring reaches. */
  | Readonly<{ kind: 'absurd'; name: string }>
  /** Not the ring's: neither counted nor touched. */
  | Readonly<{ kind: 'foreign'; name: string }>

export const segmentName = (firstSeq: number): string => `${String(firstSeq).padStart(20, '0')}.log`

export function readName(name: string): FileName {
  const segment = /^(\d{20})\.(log|ndjson\.gz)$/.exec(name)
  if (segment) {
    const firstSeq = Number(segment[1])
    if (firstSeq < 1 || firstSeq > seqMax) return { kind: 'absurd', name }
    return { kind: 'segment', name, firstSeq, sealed: segment[2] !== 'log' }
  }
  const digits = Number(/^(\d{20})\./.exec(name)?.[1] ?? 0)
  const firstSeq = digits >= 1 && digits <= seqMax ? digits : null
  if (name.endsWith('.idx')) return { kind: 'index', name, firstSeq }
  if (name.endsWith('.tmp')) return { kind: 'temporary', name, firstSeq }
  if (name.endsWith('.bad')) return { kind: 'quarantined', name, firstSeq }
  return { kind: 'foreign', name }
}

/** Oldest first. Of a text and a sealed segment with one number the text comes first: each of its lines has a checksum. */
export const segmentOrder = (a: SegmentName, b: SegmentName): number =>
  a.firstSeq - b.firstSeq || Number(a.sealed) - Number(b.sealed)

/** Of raw text: a sixteenth of the budget, but between 16 KiB and 1 MiB. */
export const segmentBytesOf = (budgetBytes: number): number =>
  Math.min(Math.max(Math.floor(budgetBytes / 16), 16 * 1024), 1024 * 1024)
