/** The whole ring as it lies there, without unpacking what is packed: the quickest way off a device. */
import { join } from 'node:path'
import { AgentError } from '../errors.js'
import { codeOf, type Disk, readPart, realDisk } from './disk.js'
import { seqMax } from './line.js'
import { sealText } from './repack.js'
import type { SegmentName } from './segment.js'
import { listSegments } from './segments.js'

/** Of text that is packed on the way: as quick as it gets. */
const exportLevel = 1

/**
 * A gzip file in pieces, at most a segment each: its text is the JSON lines, oldest first. Sealed segments are copied as they
 * are, damage included; text segments are packed, sound lines only.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed; what the disk says
 */
export async function* exportRing(dir: string, disk: Disk = realDisk): AsyncGenerator<Buffer> {
  let doneTo = 0
  for (let segments = await listSegments(disk, dir); ; ) {
    const next = segments.find(({ firstSeq }) => firstSeq > doneTo)
    if (!next) return
    doneTo = next.firstSeq
    try {
      yield* next.sealed ? copied(disk, dir, next) : packed(disk, dir, next)
    } catch (error) {
      // Sealed meanwhile, or gone.
      if (codeOf(error) !== 'ENOENT') throw error
      const now = await listSegments(disk, dir)
      if (now.some(({ firstSeq }) => firstSeq === next.firstSeq)) doneTo = next.firstSeq - 1
      segments = now
    }
  }
}

async function* copied(disk: Disk, dir: string, { name }: SegmentName): AsyncGenerator<Buffer> {
  const file = await disk.open(join(dir, name), 'read')
  try {
    const { bytes } = await file.stat()
    yield await readPart(file, 0, bytes)
  } finally {
    await file.close()
  }
}

async function* packed(disk: Disk, dir: string, { name, firstSeq }: SegmentName): AsyncGenerator<Buffer> {
  const span = { firstSeq, lastSeq: seqMax, thinned: false }
  try {
    const { sealed } = await sealText(disk, join(dir, name), span, exportLevel)
    yield* sealed.pieces
  } catch (error) {
    // Just begun, or nothing in it is sound: there is nothing to copy.
    if (!(error instanceof AgentError)) throw error
  }
}
