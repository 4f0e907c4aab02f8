/** What the writer's gap records explain, for a reader who misses something. */
import { join } from 'node:path'
import { codeOf, type Disk } from './disk.js'
import { explained, type Gap, readGap, type Span, without } from './gap.js'
import type { SegmentName } from './segment.js'
import { indexOf, listSegments, scanned } from './segments.js'

/**
 * The writer's gap records, searched only when something is missing: they stand after what they speak of. Text segments are
 * read for them; of sealed ones the index tells.
 */
export class Explanations {
  readonly #dir: string
  readonly #disk: Disk
  /** By the first number of the segment they stand in. `bytes`: of one that was still written, how long it was. */
  readonly #found = new Map<number, Readonly<{ gaps: readonly Gap[]; bytes: number | null }>>()

  constructor(dir: string, disk: Disk) {
    this.#dir = dir
    this.#disk = disk
  }

  /** @returns what of the span no gap record speaks of, or none that speaks of damage */
  async lackingFor(span: Span, reason?: 'damage'): Promise<Span[]> {
    const isMeant = (gap: Gap) => reason === undefined || gap.reason === reason
    const lacking = () => {
      const gaps = [...this.#found.values()].flatMap(({ gaps }) => gaps)
      return without(span, gaps.filter(isMeant).map(explained))
    }
    if (lacking().length === 0) return []
    // Looked at again each time: what makes room tells of it in the newest before anything is missing.
    const segments = await listSegments(this.#disk, this.#dir)
    for (const [at, segment] of segments.reverse().entries()) {
      const bytes = at === 0 ? await this.#bytesOf(segment) : null
      const known = this.#found.get(segment.firstSeq)
      if (known && known.bytes === bytes) continue
      this.#found.set(segment.firstSeq, { gaps: await this.#gapsIn(segment), bytes })
      // The newest mostly say it all, and then the rest need not be read.
      if (lacking().length === 0) return []
    }
    return lacking()
  }

  async #bytesOf({ name }: SegmentName): Promise<number> {
    try {
      const file = await this.#disk.open(join(this.#dir, name), 'read')
      try {
        return (await file.stat()).bytes
      } finally {
        await file.close()
      }
    } catch (error) {
      if (codeOf(error) === '') throw error
      return 0
    }
  }

  async #gapsIn(segment: SegmentName): Promise<readonly Gap[]> {
    const index = await indexOf(this.#disk, this.#dir, segment)
    if (index) return index.gaps
    const gaps: Gap[] = []
    for await (const items of scanned(this.#disk, this.#dir, segment)) {
      for (const item of items) {
        const gap = item.kind === 'line' ? readGap(item.json) : null
        if (gap) gaps.push(gap)
      }
    }
    return gaps
  }
}
