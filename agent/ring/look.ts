/** Looks at a ring's directory, changing nothing: what recovery decides upon. Text is read, of sealed segments the index at most. */
import { join } from 'node:path'
import { type RingFacts, readFacts } from './context.js'
import { codeOf, type Disk } from './disk.js'
import { type Gap, readGap, type Span } from './gap.js'
import { indexIn } from './members.js'
import type { Found, FoundFile, FoundSegment } from './recovery.js'
import { scanSegment } from './scan.js'
import { readName, type SegmentName, segmentOrder } from './segment.js'
import type { SegmentIndex } from './segment-index.js'

export type Look = Omit<Found, 'givenOut' | 'owed'> & Readonly<{ lastRecord: string | null }>

type Named = SegmentName & Readonly<{ bytes: number }>

/** @throws what the disk says, where the directory cannot be listed or this process has too little of something */
export async function look(disk: Disk, dir: string): Promise<Look> {
  const files = await disk.list(dir)
  const named = files.map(({ name, bytes }) => ({ ...readName(name), bytes }))
  const names = named.filter(file => file.kind === 'segment').sort(segmentOrder)

  const looked = new Map<string, Scan>()
  for (const name of names) if (!name.sealed) looked.set(name.name, await lookInto(disk, dir, name))
  const newest = names.at(-1)
  const facts = newest ? (looked.get(newest.name)?.facts ?? null) : null
  const gaps = [...looked.values()].flatMap(({ gaps }) => gaps)

  // The newest segment tells what is known of those before it. Where it does not, they are asked themselves.
  const goneTo = facts?.goneTo ?? Number.POSITIVE_INFINITY
  // And the last that is sealed, up to which number it goes: what stood behind it may be gone, and a crash have come before
  // that was told.
  const lastSealed = names.findLast(({ sealed }) => sealed)
  // And one of which the text is there too, because only one of the two may stay.
  const texts = new Set(names.filter(({ sealed }) => !sealed).map(({ firstSeq }) => firstSeq))
  const isAsked = ({ sealed, firstSeq, name }: Named) =>
    sealed && (firstSeq <= goneTo || name === lastSealed?.name || texts.has(firstSeq))
  const indexes = await indexesOf(disk, dir, names.filter(isAsked))
  for (const { name } of names.filter(isAsked)) {
    if (facts === null) gaps.push(...(indexes.get(name)?.gaps ?? []))
  }
  for (const name of names) {
    const isUnknown = isAsked(name) && !indexes.has(name.name)
    if (!isUnknown && !(name.sealed && name.name === newest?.name)) continue
    const scan = await lookInto(disk, dir, name)
    looked.set(name.name, scan)
    if (isUnknown && facts === null) gaps.push(...scan.gaps)
  }

  const segments = names.map((name): FoundSegment => {
    const { gaps: _gaps, facts: _facts, last: _last, ...scan } = looked.get(name.name) ?? unread
    return { ...name, ...scan, isRead: looked.has(name.name), index: indexes.get(name.name) ?? null }
  })
  const others = named.flatMap((file): FoundFile[] => {
    if (file.kind === 'segment' || file.kind === 'foreign') return []
    return [
      { kind: file.kind, name: file.name, bytes: file.bytes, firstSeq: file.kind === 'absurd' ? null : file.firstSeq },
    ]
  })
  const last = names.map(({ name }) => looked.get(name)?.last).findLast(json => json)
  return { segments, others, gaps, facts, lastRecord: last?.toString() ?? null }
}

/** As many at once as there are threads to read with. */
const readersMax = 4

async function indexesOf(disk: Disk, dir: string, names: readonly Named[]): Promise<Map<string, SegmentIndex>> {
  const indexes = new Map<string, SegmentIndex>()
  const waiting = [...names]
  const read = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        const index = await indexIn(disk, join(dir, next.name))
        if (index) indexes.set(next.name, index)
      } catch (error) {
        // What cannot be read says so again when it is read as a whole.
        unlessOwn(error)
      }
    }
  }
  await Promise.all(Array.from({ length: readersMax }, read))
  return indexes
}

type Scan = Pick<
  FoundSegment,
  'unreadable' | 'records' | 'lastSeq' | 'badStretches' | 'soundBytes' | 'tailBytes' | 'tailLineEnds' | 'missing'
> &
  Readonly<{ gaps: readonly Gap[]; facts: RingFacts | null; last: Buffer | null }>

const unread: Scan = {
  unreadable: null,
  records: 0,
  lastSeq: 0,
  badStretches: 0,
  soundBytes: 0,
  tailBytes: 0,
  tailLineEnds: 0,
  missing: [],
  gaps: [],
  facts: null,
  last: null,
}

async function lookInto(disk: Disk, dir: string, { name, sealed, firstSeq }: Named): Promise<Scan> {
  const found = { records: 0, lastSeq: 0, badStretches: 0, soundBytes: 0, tailBytes: 0, tailLineEnds: 0 }
  const gaps: Gap[] = []
  const missing: Span[] = []
  let badSinceSound = 0
  let last: Buffer | null = null
  let facts: RingFacts | null = null
  let unreadable: string | null = null
  try {
    for await (const items of scanSegment(disk, join(dir, name), sealed)) {
      for (const item of items) {
        // One that stands there twice does not make whole what is damaged before it.
        if (item.kind === 'line' && badSinceSound > 0 && found.records > 0 && item.seq <= found.lastSeq) continue
        if (item.kind === 'line') {
          const gap = readGap(item.json)
          if (gap) gaps.push(gap)
          facts ??= readFacts(item.json)
          last = item.json
          const expected = found.records === 0 ? firstSeq : found.lastSeq + 1
          if (item.seq > expected) missing.push({ fromSeq: expected, toSeq: item.seq - 1 })
          found.records++
          found.lastSeq = Math.max(found.lastSeq, item.seq)
          found.soundBytes = item.end
          found.badStretches += badSinceSound
          badSinceSound = found.tailBytes = found.tailLineEnds = 0
        } else if (item.kind !== 'skipped') {
          found.tailBytes += item.bytes
          if (item.kind === 'bad') {
            badSinceSound++
            found.tailLineEnds += item.lineEnds
          }
        }
      }
    }
  } catch (error) {
    unreadable = unlessOwn(error)
  }
  return { unreadable, ...found, missing, gaps, facts, last }
}

/**
 * The errno name of what a file has to do with. Of anything else it has not, it is thrown again: what is read now would be
 * taken for damage, and later be there again.
 */
function unlessOwn(error: unknown): string {
  const code = codeOf(error)
  if (code === '' || ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOENT'].includes(code)) throw error
  return code
}
