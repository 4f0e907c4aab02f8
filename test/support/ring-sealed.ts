/** Segments made by hand: as text, sealed as the ring seals them, and as any other program packs the same lines. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { lineOverheadBytes, writeLine } from '../../agent/ring/line.js'
import { Sealer } from '../../agent/ring/seal.js'
import { sealedName, segmentName } from '../../agent/ring/segment.js'
import type { SegmentIndex } from '../../agent/ring/segment-index.js'
import { withSeq } from './ring-records.js'

export { sealedName }

/** `json` is without its number, as `append` takes it. */
export type Numbered = Readonly<{ seq: number; json: string }>

/** The lines of a text segment. */
export function textOf(records: readonly Numbered[]): Buffer {
  const bytes = records.reduce((sum, { json }) => sum + Buffer.byteLength(json) + lineOverheadBytes, 0)
  const text = Buffer.alloc(bytes)
  let end = 0
  for (const { seq, json } of records) end = writeLine(text, end, seq, json)
  return text.subarray(0, end)
}

/** The lines as they stand in a sealed segment, unpacked. */
export const linesOf = (records: readonly Numbered[]): string =>
  records.map(({ seq, json }) => `${withSeq(seq, json)}\n`).join('')

/** @param span what the segment stands for, where that is more than what is in it */
export async function sealedOf(
  records: readonly Numbered[],
  span: Partial<Pick<SegmentIndex, 'firstSeq' | 'lastSeq' | 'thinned'>> = {},
): Promise<{ bytes: Buffer; index: SegmentIndex }> {
  const sealer = new Sealer(6)
  for (const { seq, json } of records) sealer.add(seq, Buffer.from(withSeq(seq, json)))
  const [firstSeq, lastSeq] = [records[0]?.seq ?? 1, records.at(-1)?.seq ?? 1]
  const { pieces, index } = await sealer.finish({ firstSeq, lastSeq, thinned: false, ...span })
  return { bytes: Buffer.concat(pieces), index }
}

/** Puts a segment into a ring's directory. @returns its path */
export async function writeSegment(
  dir: string,
  kind: 'text' | 'sealed',
  records: readonly Numbered[],
  span: Parameters<typeof sealedOf>[1] = {},
): Promise<string> {
  mkdirSync(dir, { recursive: true })
  const firstSeq = span.firstSeq ?? records[0]?.seq ?? 1
  const path = join(dir, kind === 'text' ? segmentName(firstSeq) : sealedName(firstSeq))
  writeFileSync(path, kind === 'text' ? textOf(records) : (await sealedOf(records, span)).bytes)
  return path
}

/** A gzip member without an index of ours. @param extra the member's extra field, as it stands */
export function member(text: string, extra: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.from(text)
  const header = Buffer.from([0x1f, 0x8b, 8, extra.length > 0 ? 4 : 0, 0, 0, 0, 0, 0, 3])
  const extraLength = Buffer.alloc(extra.length > 0 ? 2 : 0)
  if (extra.length > 0) extraLength.writeUInt16LE(extra.length)
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(bytes), 0)
  trailer.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([header, extraLength, extra, deflateRawSync(bytes), trailer])
}
