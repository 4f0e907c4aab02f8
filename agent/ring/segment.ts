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

const digits = (firstSeq: number): string => String(firstSeq).padStart(20, '0')

export const segmentName = (firstSeq: number): string => `${digits(firstSeq)}.log`

export const sealedName = (firstSeq: number): string => `${digits(firstSeq)}.ndjson.gz`

export function readName(name: string): FileName {
  const segment = /^(\d{20})\.(log|ndjson\.gz)$/.exec(name)
  if (segment) {
    const firstSeq = Number(segment[1])
    if (firstSeq < 1 || firstSeq > seqMax) return { kind: 'absurd', name }
    return { kind: 'segment', name, firstSeq, sealed: segment[2] !== 'log' }
  }
  const number = Number(/^(\d{20})\./.exec(name)?.[1] ?? 0)
  const firstSeq = number >= 1 && number <= seqMax ? number : null
  if (name.endsWith('.idx')) return { kind: 'index', name, firstSeq }
  if (name.endsWith('.tmp')) return { kind: 'temporary', name, firstSeq }
  if (name.endsWith('.bad')) return { kind: 'quarantined', name, firstSeq }
  return { kind: 'foreign', name }
}

/** Oldest first. Of a text and a sealed segment with one number the text comes first: each of its lines has a checksum. */
export const segmentOrder = (a: SegmentName, b: SegmentName): number =>
  a.firstSeq - b.firstSeq || Number(a.sealed) - Number(b.sealed)

/**
 * Of raw text: a 32nd of the budget, but between 16 KiB and 512 KiB. The format allows twice that; small ones leave more of
 * the budget to sealed segments, because two of them and a temporary file must fit beside those.
 */
export const segmentBytesOf = (budgetBytes: number): number =>
  Math.min(Math.max(Math.floor(budgetBytes / 32), segmentBytesMin), 512 * 1024)

/** The least room in which a segment is begun. */
export const segmentBytesMin = 16 * 1024

/** So that a ring of records that compress well does not use up a file system's inodes: 512 at the default budget. */
export const filesMaxOf = (budgetBytes: number): number => Math.ceil((16 * budgetBytes) / segmentBytesOf(budgetBytes))
