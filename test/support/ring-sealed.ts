/** Sealed segments as a later ring will write them: gzip members with an extra field, each of which stands for itself. */
import { crc32, deflateRawSync } from 'node:zlib'

/** @param extra the member's extra field, as it stands */
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

export const sealedName = (firstSeq: number): string => `${String(firstSeq).padStart(20, '0')}.ndjson.gz`
