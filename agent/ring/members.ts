/**
 * A sealed segment: gzip members, each of which stands for itself.
 *
 * Node's own gunzip takes several members as one stream and ends at the first damage. Here each is inflated alone and checked
 * against its own CRC, and after a damaged one the next that is sound is searched, so that damage costs one member.
 * How many records a damaged one held only the numbers around it tell; it counts as one where there are none.
 */
import { crc32, inflateRaw } from 'node:zlib'
import type { DiskFile } from './disk.js'
import { readSeq } from './line.js'
import type { Scanned } from './scan.js'

/** Four times what a segment may hold as text: whatever is larger was not made by a ring. */
const sealedBytesMax = 4 * 1024 * 1024

const magic = Buffer.from([0x1f, 0x8b, 0x08])
const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const
const fixedHeaderBytes = 10
const trailerBytes = 8

export async function* scanMembers(file: DiskFile): AsyncGenerator<readonly Scanned[]> {
  const { bytes: size } = await file.stat()
  if (size > sealedBytesMax) {
    yield [{ kind: 'bad', bytes: size, lineEnds: 1 }]
    return
  }
  const bytes = await readWhole(file, size)
  let badBytes = 0
  for (let at = 0; at < bytes.length; ) {
    const member = await readMember(bytes, at)
    if (member) {
      if (badBytes > 0) yield [{ kind: 'bad', bytes: badBytes, lineEnds: 1 }]
      badBytes = 0
      yield lines(member.text, member.end)
      at = member.end
    } else {
      const next = bytes.indexOf(magic, at + 1)
      const end = next === -1 ? bytes.length : next
      badBytes += end - at
      at = end
    }
  }
  if (badBytes > 0) yield [{ kind: 'bad', bytes: badBytes, lineEnds: 1 }]
}

async function readWhole(file: DiskFile, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  let filled = 0
  while (filled < size) {
    const read = await file.read(bytes, filled, size - filled, filled)
    if (read === 0) break
    filled += read
  }
  return bytes.subarray(0, filled)
}

type Member = Readonly<{ text: Buffer; end: number }>

async function readMember(bytes: Buffer, at: number): Promise<Member | null> {
  const start = headerEnd(bytes, at)
  if (start === null) return null
  const inflated = await inflate(bytes.subarray(start))
  if (inflated === null) return null
  const trailer = start + inflated.consumedBytes
  if (trailer + trailerBytes > bytes.length) return null
  const sound =
    bytes.readUInt32LE(trailer) === crc32(inflated.text) && bytes.readUInt32LE(trailer + 4) === inflated.text.length
  return sound ? { text: inflated.text, end: trailer + trailerBytes } : null
}

/** Where the deflated bytes begin (RFC 1952, 2.3); `null` where no member begins at `at`. */
function headerEnd(bytes: Buffer, at: number): number | null {
  if (at + fixedHeaderBytes > bytes.length || bytes.compare(magic, 0, magic.length, at, at + magic.length) !== 0)
    return null
  const flags = bytes[at + 3]!
  if ((flags & flag.reserved) !== 0) return null
  let end = at + fixedHeaderBytes
  if (flags & flag.extra) {
    if (end + 2 > bytes.length) return null
    end += 2 + bytes.readUInt16LE(end)
  }
  for (const text of [flag.name, flag.comment]) {
    if ((flags & text) === 0) continue
    const zero = bytes.indexOf(0, end)
    if (zero === -1) return null
    end = zero + 1
  }
  if (flags & flag.headerCrc) end += 2
  return end < bytes.length ? end : null
}

const inflate = (bytes: Buffer): Promise<{ text: Buffer; consumedBytes: number } | null> =>
  new Promise(resolve => {
    inflateRaw(bytes, { info: true, maxOutputLength: sealedBytesMax }, (error, result) => {
      // With `info` the result has another shape than its declaration says. An error here only means: not sound.
      const { buffer, engine } = (result ?? {}) as unknown as { buffer?: Buffer; engine?: { bytesWritten: number } }
      resolve(error || !buffer || !engine ? null : { text: buffer, consumedBytes: engine.bytesWritten })
    })
  })

function lines(text: Buffer, end: number): Scanned[] {
  const found: Scanned[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start)
    const stop = newline === -1 ? text.length : newline
    const json = text.subarray(start, stop)
    const seq = readSeq(json)
    if (seq === null) found.push({ kind: 'bad', bytes: stop - start, lineEnds: 1 })
    else found.push({ kind: 'line', seq, json, end })
    start = stop + 1
  }
  return found
}
