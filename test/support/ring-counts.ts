/** Whether a ring's gap records, added up, say what is gone: each record once, whatever became of the gap records themselves. */
import type { Disk } from '../../agent/ring/disk.js'
import { readRing } from '../../agent/ring/read.js'
import type { WriterGap } from './ring-records.js'

/** By the numbers of their records. */
export type Gaps = ReadonlyMap<number, WriterGap>

/** @param before those that were seen earlier: gap records go like others */
export async function countsOf(
  disk: Disk,
  dir: string,
  before: Gaps = new Map(),
): Promise<{ said: number; gone: number; gaps: Gaps }> {
  const gaps = new Map(before)
  let there = 0
  let last = 0
  for await (const item of readRing(dir, { disk })) {
    if (item.kind === 'gap') continue
    const { type, data } = JSON.parse(item.json)
    if (type === 'gap') gaps.set(item.seq, data)
    there++
    last = item.seq
  }
  return { said: [...gaps.values()].reduce((sum, { count }) => sum + count, 0), gone: last - there, gaps }
}
