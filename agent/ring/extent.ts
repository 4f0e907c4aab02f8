/** How much a ring holds of a window, told by its indexes: what is sealed is not unpacked for it. */
import { type Disk, realDisk } from './disk.js'
import { createTimeReader, typeOf } from './envelope.js'
import type { ReadOptions } from './read.js'
import type { SegmentName } from './segment.js'
import type { MemberEntry, SegmentIndex } from './segment-index.js'
import { indexOf, listSegments, scanned } from './segments.js'

export type Extent = Readonly<{
  /** By `type`; `textBytes` are those of JSON lines. */
  types: Readonly<Record<string, Readonly<{ records: number; textBytes: number }>>>
  /** On the disk: sealed segments are packed, the others are not. */
  bytes: number
}>

/**
 * About as much as reading it would give: types are counted by segments, and shared among the parts of a segment that lie in
 * the window as their text is.
 *
 * @throws AgentError `RING_UNREADABLE` where the directory cannot be listed
 */
export async function extentOf(dir: string, window: ExtentOptions = {}): Promise<Extent> {
  const { disk = realDisk } = window
  const types = new Map<string, { records: number; textBytes: number }>()
  let bytes = 0
  for (const segment of await listSegments(disk, dir)) {
    const index = await indexOf(disk, dir, segment)
    const held = index ? heldIn(index, window) : await countedIn(disk, dir, segment, window)
    bytes += held.bytes
    for (const [type, { records, textBytes }] of Object.entries(held.types)) {
      const sum = types.get(type) ?? { records: 0, textBytes: 0 }
      types.set(type, { records: sum.records + records, textBytes: sum.textBytes + textBytes })
    }
  }
  return { types: Object.fromEntries(types), bytes: Math.round(bytes) }
}

export type ExtentOptions = Pick<ReadOptions, 'sinceMs' | 'untilMs' | 'types' | 'disk'>

function heldIn(index: SegmentIndex, { sinceMs, untilMs, types }: ExtentOptions): Extent {
  const isInside = ({ minAtMs, maxAtMs }: MemberEntry): boolean =>
    (sinceMs === undefined || maxAtMs === null || maxAtMs >= sinceMs) &&
    (untilMs === undefined || minAtMs === null || minAtMs <= untilMs)
  const inside = index.members.filter(isInside)
  const share =
    sumOf(inside, ({ records }) => records) /
    Math.max(
      1,
      sumOf(index.members, ({ records }) => records),
    )
  const wanted = Object.entries(index.types).filter(([type]) => types?.includes(type) ?? true)
  const textBytes = sumOf(Object.values(index.types), type => type.textBytes)
  const wantedShare = sumOf(wanted, ([, type]) => type.textBytes) / Math.max(1, textBytes)
  return {
    types: Object.fromEntries(
      wanted.map(([type, held]) => [
        type,
        { records: Math.round(held.records * share), textBytes: Math.round(held.textBytes * share) },
      ]),
    ),
    bytes: wantedShare * sumOf(inside, member => member.bytes),
  }
}

async function countedIn(
  disk: Disk,
  dir: string,
  segment: SegmentName,
  { sinceMs, untilMs, types }: ExtentOptions,
): Promise<Extent> {
  const timeOf = createTimeReader()
  const counted: Record<string, { records: number; textBytes: number }> = {}
  let bytes = 0
  for await (const items of scanned(disk, dir, segment)) {
    for (const item of items) {
      if (item.kind !== 'line') continue
      const type = typeOf(item.json)
      const atMs = timeOf(item.json)
      const isInside = atMs === null || ((sinceMs ?? atMs) <= atMs && atMs <= (untilMs ?? atMs))
      if (!isInside || types?.includes(type) === false) continue
      const held = counted[type] ?? { records: 0, textBytes: 0 }
      counted[type] = held
      held.records += 1
      held.textBytes += item.json.length + 1
      bytes += item.json.length + 1
    }
  }
  return { types: counted, bytes }
}

const sumOf = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0)
