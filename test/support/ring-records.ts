/** Records as the tests of the ring write and find them. */
import { readRing } from '../../agent/ring/read.js'
import type { RingItem, RingStamp } from '../../agent/ring/ring.js'

export const stamp: RingStamp = () => ({ at: '2026-11-22T10:00:00.000Z', bootId: 'boot-1', monoMs: 1_000 })

/** @param paddingBytes how much longer than it need be */
export const recordJson = (id: number, paddingBytes = 0): string =>
  JSON.stringify({
    ...stamp(),
    level: 30,
    type: 'log',
    conn: null,
    inc: null,
    data: { id, x: 'x'.repeat(paddingBytes) },
  })

/** The record that opens a segment of a ring whose user says nothing: only the ring's own facts are in it. */
export const contextJson = (goneTo = 0, told: readonly (readonly [number, number])[] = []): string =>
  JSON.stringify({ ...stamp(), level: 30, type: 'context', conn: null, inc: null, data: { ring: { goneTo, told } } })

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export type WriterGap = Readonly<{ reason: string; count: number; fromSeq: number | null; toSeq: number | null }>

/** A ring as a list of what stands in it: an id for a record, an object for a gap or a context. */
export type Content = Readonly<{
  /** Of all records, the ring's own included. */
  seqs: readonly number[]
  /** By number. */
  ids: ReadonlyMap<number, number>
  /** By number, what the records that open segments say. */
  contexts: ReadonlyMap<number, unknown>
  gaps: readonly WriterGap[]
  /** Those a reader infers. */
  inferred: readonly RingItem[]
  items: readonly RingItem[]
}>

export async function contentOf(dir: string, fromSeq = 1): Promise<Content> {
  const items = await collect(readRing(dir, { fromSeq }))
  const seqs: number[] = []
  const ids = new Map<number, number>()
  const contexts = new Map<number, unknown>()
  const gaps: WriterGap[] = []
  for (const item of items) {
    if (item.kind === 'gap') continue
    const record = JSON.parse(item.json)
    if (record.seq !== item.seq) throw new Error(`${item.seq} says it is ${record.seq}`)
    seqs.push(item.seq)
    if (record.type === 'gap') gaps.push(record.data)
    else if (record.type === 'context') contexts.set(item.seq, record.data)
    else ids.set(item.seq, record.data.id)
  }
  return { seqs, ids, contexts, gaps, inferred: items.filter(({ kind }) => kind === 'gap'), items }
}

/** Whether the numbers rise by one each. */
export const areConsecutive = (seqs: readonly number[]): boolean =>
  seqs.every((seq, index) => index === 0 || seq === (seqs[index - 1] ?? 0) + 1)

/** A seed from the environment, so that a random test can be repeated as it was. */
export const seedFrom = (variable: string): number =>
  Number(process.env[variable] ?? Math.floor(Math.random() * 0x7fff_ffff))
