/** A segment as the sequence of what is sound in it and what is not, read a piece at a time. */
import type { Disk, DiskFile } from './disk.js'
import type { Span } from './gap.js'
import { lineBytesMax, readLine } from './line.js'
import { scanMembers, type WantsMember } from './members.js'

export type Scanned =
  /** `end`: the offset after it, in a text segment. */
  | Readonly<{ kind: 'line'; seq: number; json: Buffer; end: number }>
  /** Bytes that are no record. `lineEnds`: how many records they may have been, where the text tells. `numbers`: which they
   * were, where an index tells. `refusal`: the errno name where the medium would not give them back. */
  | Readonly<{ kind: 'bad'; bytes: number; lineEnds: number; numbers?: Span; refusal?: string }>
  /** What was not read because nobody wanted it. Records may be missing in it, and nobody knows. */
  | Readonly<{ kind: 'skipped'; firstSeq: number; lastSeq: number }>
  /** What stands after the last newline of a text segment: a line that is being written, or was torn. */
  | Readonly<{ kind: 'tail'; bytes: number }>

export type ScanOptions = Readonly<{
  /** Of a text segment: the offset of a line's beginning. */
  from?: number
  /** Of a sealed segment: which members are read. Left out: all. */
  wants?: WantsMember
}>

export async function* scanSegment(
  disk: Disk,
  path: string,
  sealed: boolean,
  { from = 0, wants }: ScanOptions = {},
): AsyncGenerator<readonly Scanned[]> {
  const file = await disk.open(path, 'read')
  try {
    yield* sealed ? scanMembers(file, wants) : scanText(file, from)
  } finally {
    await file.close()
  }
}

const newline = 0x0a
const pieceBytes = 128 * 1024

async function* scanText(file: DiskFile, from: number): AsyncGenerator<readonly Scanned[]> {
  let position = from
  let carry = Buffer.alloc(0)
  // Bytes of a stretch without newline that is too long to be a line, and so is not kept.
  let givenUp = 0

  for (;;) {
    // Fresh memory for each piece, because the lines that are handed out are views of it.
    const piece = Buffer.allocUnsafeSlow(carry.length + pieceBytes)
    carry.copy(piece)
    const read = await file.read(piece, carry.length, pieceBytes, position)
    if (read === 0) break
    const bytes = piece.subarray(0, carry.length + read)
    const base = position - carry.length
    position += read

    const found: Scanned[] = []
    let start = 0
    for (let end = bytes.indexOf(newline, carry.length); end !== -1; end = bytes.indexOf(newline, start)) {
      const line = givenUp === 0 ? readLine(bytes.subarray(start, end)) : null
      if (line) found.push({ kind: 'line', seq: line.seq, json: line.json, end: base + end + 1 })
      else found.push({ kind: 'bad', bytes: givenUp + end + 1 - start, lineEnds: 1 })
      givenUp = 0
      start = end + 1
    }
    carry = bytes.subarray(start)
    if (carry.length > lineBytesMax) {
      givenUp += carry.length
      carry = Buffer.alloc(0)
    }
    if (found.length > 0) yield found
  }
  if (givenUp + carry.length > 0) yield [{ kind: 'tail', bytes: givenUp + carry.length }]
}
