/** A segment as the sequence of what is sound in it and what is not, in the order of the numbers, read a piece at a time. */
import { basename } from 'node:path'
import type { Disk, DiskFile } from './disk.js'
import type { Span } from './gap.js'
import { lineBytesMax, readLine } from './line.js'
import { scanMembers, type WantsMember } from './members.js'
import { readName } from './segment.js'

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
    if (sealed) yield* scanMembers(file, wants)
    else {
      const name = readName(basename(path))
      yield* inOrder(scanText(file, from), from === 0 && name.kind === 'segment' ? name.firstSeq : null)
    }
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

/** More than a text segment ever is. */
const heldBytesMax = 2 * 1024 * 1024

/**
 * A medium or a file system may put a block of a segment in the place of another. Its lines are sound there too, and must not
 * make those between the two places look as if they came late. So from where numbers are missing all is held back until it can
 * be put in order; as long as none is, nothing is.
 *
 * @param firstSeq the number of the first line; `null` where only the line itself tells
 */
async function* inOrder(
  scan: AsyncGenerator<readonly Scanned[]>,
  firstSeq: number | null,
): AsyncGenerator<readonly Scanned[]> {
  let expected = firstSeq
  let held: Scanned[] = []
  let heldBytes = 0
  for await (const items of scan) {
    const ready: Scanned[] = []
    for (const item of items) {
      if (item.kind === 'line') expected ??= item.seq
      const isInTurn = held.length === 0 && (item.kind !== 'line' || item.seq <= expected!)
      if (!isInTurn) {
        held.push(item)
        heldBytes += item.kind === 'line' ? item.json.length : 0
      } else {
        ready.push(item)
        if (item.kind === 'line') expected = Math.max(expected!, item.seq + 1)
      }
    }
    if (heldBytes > heldBytesMax) {
      ready.push(...ordered(held))
      held = []
      heldBytes = 0
      expected = null
    }
    if (ready.length > 0) yield ready
  }
  if (held.length > 0) yield ordered(held)
}

type Line = Extract<Scanned, { kind: 'line' }>

const isLine = (item: Scanned): item is Line => item.kind === 'line'

/** What is no record stays before the lines or after all of them: the latter may be what was being written. */
function ordered(items: readonly Scanned[]): readonly Scanned[] {
  const lines = items.filter(isLine)
  if (lines.every(({ seq }, at) => at === 0 || seq >= lines[at - 1]!.seq)) return items
  const lastLine = items.findLastIndex(isLine)
  const end = lines.at(-1)!.end
  return [
    ...items.slice(0, lastLine).filter(item => !isLine(item)),
    // Whoever reads on does so after all of them, and not after the one that comes last now.
    ...lines.sort((a, b) => a.seq - b.seq).map(line => ({ ...line, end })),
    ...items.slice(lastLine + 1),
  ]
}
