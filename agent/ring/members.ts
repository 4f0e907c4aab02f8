/**
 * Reading a sealed segment: gzip members, each of which stands for itself.
 *
 * Node's own gunzip takes several members as one stream and ends at the first damage. Here each is inflated alone and checked
 * against its own CRC, and after a damaged one the next that is sound is searched, so that damage costs one member.
 * The index at the beginning saves reading what nobody wants; whatever it says, only what is sound is handed out.
 */
import { ahead } from './ahead.js'
import { type Disk, type DiskFile, readPart } from './disk.js'
import { readSeq } from './line.js'
import { headerBytesMax, memberMagic, readHeader, readMember } from './member.js'
import type { Scanned } from './scan.js'
import type { MemberEntry, SegmentIndex } from './segment-index.js'

/** Four times what a segment may hold as text: whatever is larger was not made by a ring. */
const sealedBytesMax = 4 * 1024 * 1024

export type WantsMember = (member: MemberEntry) => boolean

/** The index of a sealed segment; `null` where it has none, or it is not sound, or does not fit the file's length. */
async function readSegmentIndex(file: DiskFile): Promise<SegmentIndex | null> {
  const { bytes: size } = await file.stat()
  // Most are in the first 8 KiB.
  for (const bytes of [8 * 1024, headerBytesMax]) {
    const header = readHeader(await readPart(file, 0, Math.min(bytes, size)), 0)
    if (header) return header.index && indexedBytes(header.index) === size ? header.index : null
  }
  return null
}

/** @throws what the disk says */
export async function indexIn(disk: Disk, path: string): Promise<SegmentIndex | null> {
  const file = await disk.open(path, 'read')
  try {
    return await readSegmentIndex(file)
  } finally {
    await file.close()
  }
}

/** @param wants asked for each member of which the index tells; those that are not wanted come as `skipped` */
export async function* scanMembers(
  file: DiskFile,
  wants: WantsMember = () => true,
): AsyncGenerator<readonly Scanned[]> {
  const { bytes: size } = await file.stat()
  if (size > sealedBytesMax) {
    yield [{ kind: 'bad', bytes: size, lineEnds: 1 }]
    return
  }
  const index = await readSegmentIndex(file)
  if (index) yield* scanIndexed(file, index, wants)
  else yield* scanAll(await readPart(file, 0, size))
}

async function* scanIndexed(
  file: DiskFile,
  index: SegmentIndex,
  wants: WantsMember,
): AsyncGenerator<readonly Scanned[]> {
  let at = 0
  const placed = index.members.map(member => {
    const start = at
    at += member.bytes
    return { member, start }
  })
  yield* ahead(placed, async ({ member, start }) => {
    const { bytes, firstSeq, lastSeq, records } = member
    if (!wants(member)) return [{ kind: 'skipped', firstSeq, lastSeq } as const]
    const read = await readMember(await readPart(file, start, bytes), 0)
    const numbers = { fromSeq: firstSeq, toSeq: lastSeq }
    return read && read.end === bytes ? lines(read.text) : [{ kind: 'bad', bytes, lineEnds: records, numbers } as const]
  })
}

/** How many records a damaged member held only the numbers around it tell; it counts as one where there are none. */
async function* scanAll(bytes: Buffer): AsyncGenerator<readonly Scanned[]> {
  let badBytes = 0
  for (let at = 0; at < bytes.length; ) {
    const member = await readMember(bytes, at)
    if (member) {
      if (badBytes > 0) yield [{ kind: 'bad', bytes: badBytes, lineEnds: 1 }]
      badBytes = 0
      yield lines(member.text)
      at = member.end
    } else {
      const next = bytes.indexOf(memberMagic, at + 1)
      const end = next === -1 ? bytes.length : next
      badBytes += end - at
      at = end
    }
  }
  if (badBytes > 0) yield [{ kind: 'bad', bytes: badBytes, lineEnds: 1 }]
}

const indexedBytes = ({ members }: SegmentIndex): number => members.reduce((sum, { bytes }) => sum + bytes, 0)

function lines(text: Buffer): Scanned[] {
  const found: Scanned[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start)
    const stop = newline === -1 ? text.length : newline
    const json = text.subarray(start, stop)
    const seq = readSeq(json)
    if (seq === null) found.push({ kind: 'bad', bytes: stop - start, lineEnds: 1 })
    else found.push({ kind: 'line', seq, json, end: 0 })
    start = stop + 1
  }
  return found
}
