/**
 * One member of a sealed segment, byte for byte: a gzip member (RFC 1952) whose extra field says how long it is and which
 * numbers it holds. The first member's extra field holds the index of the segment too, so that one read at the beginning of
 * the file tells what is in all of it.
 */

import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRaw } from 'node:zlib'
import { readIndex, type SegmentIndex } from './segment-index.js'

/** Of a member's text, unless a single record is longer: so that damage costs little, and readers need little memory. */
export const memberTextBytes = 64 * 1024

export const memberMagic = Buffer.from([0x1f, 0x8b, 0x08])

const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const
const unixSystem = 3
const fixedHeaderBytes = 10
const trailerBytes = 8

/** The ring's subfields of the extra field: `HR` of every member, `HI` of the first. */
const rangeId = 'HR'
const rangeBytes = 4 + 8 + 8
const indexId = 'HI'

/** A header tells this much at most: the extra field's length is a number of 16 bits. */
export const headerBytesMax = fixedHeaderBytes + 2 + 65_535

/** `bytes`: of the whole member, header and trailer included. */
export type MemberRange = Readonly<{ bytes: number; firstSeq: number; lastSeq: number }>

export type MemberHeader = Readonly<{
  /** Where the deflated bytes begin. */
  dataStart: number
  /** `null` in what another program has made. */
  range: MemberRange | null
  index: SegmentIndex | null
}>

export type DeflatedText = Readonly<{ deflated: Buffer; crc: number; textBytes: number }>

const deflate = promisify<Buffer, { level: number; memLevel: number }, Buffer>(deflateRaw)

/** Off the event loop. @param level zlib's, 1 to 9 */
export async function deflateText(text: Buffer, level: number): Promise<DeflatedText> {
  return { deflated: await deflate(text, { level, memLevel: 9 }), crc: crc32(text), textBytes: text.length }
}

/** How long a member becomes without an index. */
export const plainMemberBytes = ({ deflated }: DeflatedText): number =>
  fixedHeaderBytes + 2 + 4 + rangeBytes + deflated.length + trailerBytes

/**
 * @param range `bytes` need not be known yet
 * @param index of the whole segment, for its first member
 */
export function encodeMember(
  { deflated, crc, textBytes }: DeflatedText,
  { firstSeq, lastSeq }: Omit<MemberRange, 'bytes'>,
  index: Buffer | null,
): Buffer {
  const indexBytes = index ? 4 + index.length : 0
  const extraBytes = 4 + rangeBytes + indexBytes
  const bytes = fixedHeaderBytes + 2 + extraBytes + deflated.length + trailerBytes
  const member = Buffer.alloc(bytes)
  memberMagic.copy(member)
  member[3] = flag.extra
  member[9] = unixSystem
  let at = member.writeUInt16LE(extraBytes, fixedHeaderBytes)
  at = writeSubfield(member, at, rangeId, rangeBytes)
  at = member.writeUInt32LE(bytes, at)
  at = member.writeBigUInt64LE(BigInt(firstSeq), at)
  at = member.writeBigUInt64LE(BigInt(lastSeq), at)
  if (index) {
    at = writeSubfield(member, at, indexId, index.length)
    at += index.copy(member, at)
  }
  at += deflated.copy(member, at)
  at = member.writeUInt32LE(crc, at)
  member.writeUInt32LE(textBytes, at)
  return member
}

function writeSubfield(target: Buffer, at: number, id: string, bytes: number): number {
  return target.writeUInt16LE(bytes, at + target.write(id, at, 'latin1'))
}

/** @returns `null` where no member begins at `at`, or where its header goes on beyond `bytes` */
export function readHeader(bytes: Buffer, at: number): MemberHeader | null {
  if (at + fixedHeaderBytes > bytes.length || bytes.compare(memberMagic, 0, 3, at, at + 3) !== 0) return null
  const flags = bytes[at + 3]!
  if ((flags & flag.reserved) !== 0) return null
  let end = at + fixedHeaderBytes
  let extra: Buffer | null = null
  if (flags & flag.extra) {
    if (end + 2 > bytes.length) return null
    const start = end + 2
    end = start + bytes.readUInt16LE(end)
    if (end > bytes.length) return null
    extra = bytes.subarray(start, end)
  }
  for (const text of [flag.name, flag.comment]) {
    if ((flags & text) === 0) continue
    const zero = bytes.indexOf(0, end)
    if (zero === -1) return null
    end = zero + 1
  }
  if (flags & flag.headerCrc) end += 2
  if (end > bytes.length) return null
  return { dataStart: end, ...readExtra(extra) }
}

function readExtra(extra: Buffer | null): Pick<MemberHeader, 'range' | 'index'> {
  let range: MemberRange | null = null
  let index: SegmentIndex | null = null
  for (let at = 0; extra && at + 4 <= extra.length; ) {
    const id = extra.toString('latin1', at, at + 2)
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2))
    if (id === rangeId && field.length === rangeBytes) {
      const [firstSeq, lastSeq] = [Number(field.readBigUInt64LE(4)), Number(field.readBigUInt64LE(12))]
      range = { bytes: field.readUInt32LE(0), firstSeq, lastSeq }
    }
    if (id === indexId) index = readIndex(field)
    at += 4 + field.length
  }
  return { range, index }
}

/** @returns the text of the member that begins at `at` and where it ends; `null` where none that is sound does */
export async function readMember(bytes: Buffer, at: number): Promise<{ text: Buffer; end: number } | null> {
  const header = readHeader(bytes, at)
  if (header === null) return null
  const inflated = await inflate(bytes.subarray(header.dataStart))
  if (inflated === null) return null
  const { text, consumedBytes } = inflated
  const trailer = header.dataStart + consumedBytes
  if (trailer + trailerBytes > bytes.length) return null
  const isSound = bytes.readUInt32LE(trailer) === crc32(text) && bytes.readUInt32LE(trailer + 4) === text.length
  return isSound ? { text, end: trailer + trailerBytes } : null
}

const inflate = (bytes: Buffer): Promise<{ text: Buffer; consumedBytes: number } | null> =>
  new Promise(resolve => {
    inflateRaw(bytes, { info: true, maxOutputLength: foreignTextBytesMax }, (error, result) => {
      // With `info` the result has another shape than its declaration says. An error here only means: not sound.
      const { buffer, engine } = (result ?? {}) as unknown as { buffer?: Buffer; engine?: { bytesWritten: number } }
      resolve(error || !buffer || !engine ? null : { text: buffer, consumedBytes: engine.bytesWritten })
    })
  })

/** Of what another program has packed again, as one member. */
const foreignTextBytesMax = 4 * 1024 * 1024
