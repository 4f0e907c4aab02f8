/** Looks at all of a ring's directory, changing nothing: what recovery decides upon. */
import { join } from 'node:path'
import { codeOf, type Disk } from './disk.js'
import { type Gap, readGap } from './gap.js'
import type { Found, FoundFile, FoundSegment } from './recovery.js'
import { scanSegment } from './scan.js'
import { readName, type SegmentName, segmentOrder } from './segment.js'

export type Look = Omit<Found, 'givenOut'> & Readonly<{ lastRecord: string | null }>

/** @throws what the disk says, where the directory cannot be listed or this process has too little of something */
export async function look(disk: Disk, dir: string): Promise<Look> {
  const files = await disk.list(dir)
  const named = files.map(({ name, bytes }) => ({ ...readName(name), bytes }))

  const segments: FoundSegment[] = []
  const gaps: Gap[] = []
  let lastRecord: string | null = null
  const names = named.filter(file => file.kind === 'segment').sort(segmentOrder)
  for (const name of names) {
    const { last, ...segment } = await lookInto(disk, dir, name, name.bytes, gap => gaps.push(gap))
    segments.push(segment)
    if (last) lastRecord = last.toString()
  }

  const others = named.flatMap((file): FoundFile[] => {
    if (file.kind === 'segment' || file.kind === 'foreign') return []
    return [
      { kind: file.kind, name: file.name, bytes: file.bytes, firstSeq: file.kind === 'absurd' ? null : file.firstSeq },
    ]
  })
  return { segments, others, gaps, lastRecord }
}

async function lookInto(
  disk: Disk,
  dir: string,
  { name, firstSeq, sealed }: SegmentName,
  bytes: number,
  onGap: (gap: Gap) => void,
): Promise<FoundSegment & { last: Buffer | null }> {
  const found = { records: 0, lastSeq: 0, badStretches: 0, soundBytes: 0, tailBytes: 0, tailLineEnds: 0 }
  let badSinceSound = 0
  let last: Buffer | null = null
  let unreadable: string | null = null
  try {
    for await (const items of scanSegment(disk, join(dir, name), sealed)) {
      for (const item of items) {
        if (item.kind === 'line') {
          const gap = readGap(item.json)
          if (gap) onGap(gap)
          last = item.json
          found.records++
          found.lastSeq = Math.max(found.lastSeq, item.seq)
          found.soundBytes = item.end
          found.badStretches += badSinceSound
          badSinceSound = found.tailBytes = found.tailLineEnds = 0
        } else {
          found.tailBytes += item.bytes
          if (item.kind === 'bad') {
            badSinceSound++
            found.tailLineEnds += item.lineEnds
          }
        }
      }
    }
  } catch (error) {
    unreadable = codeOf(error)
    // The file has nothing to do with these: what is read now would be taken for damage, and later be there again.
    if (unreadable === '' || ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOENT'].includes(unreadable)) throw error
  }
  return { name, firstSeq, sealed, bytes, unreadable, ...found, last }
}
