/** Records as the tests of the ring write and find them. */
import { readdir } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
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

/**
 * A record that compressing makes little smaller, so that a ring of few of them is full.
 *
 * @param different what is not as in other records
 */
export const noisyJson = (id: number, noiseBytes: number, different: object = {}): string =>
  JSON.stringify({
    ...stamp(),
    level: 30,
    type: 'log',
    conn: null,
    inc: null,
    ...different,
    data: { id, noise: noise(id, noiseBytes) },
  })

/** Always the same for the same id. */
function noise(id: number, bytes: number): string {
  const words = new Uint32Array(Math.ceil((bytes * 3) / 16) + 1)
  let state = Math.imul(id + 1, 0x9e3779b1) | 1
  for (const [at] of words.entries()) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
  return Buffer.from(words.buffer).toString('base64').slice(0, bytes)
}

/** The record that opens a segment of a ring whose user says nothing: only the ring's own facts are in it. */
export const contextJson = (goneTo = 0, told: readonly (readonly [number, number])[] = []): string =>
  JSON.stringify({ ...stamp(), level: 30, type: 'context', conn: null, inc: null, data: { ring: { goneTo, told } } })

/** As the ring writes it. @param json the text of a JSON object without `seq` */
export const withSeq = (seq: number, json: string): string =>
  json === '{}' ? `{"seq":${seq}}` : `{"seq":${seq},${json.slice(1)}`

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

/**
 * What gap records by overflow say together.
 *
 * @throws where one does not begin where the one before it ended, as they do when nothing is guaranteed a share
 */
export function goneIn(gaps: readonly WriterGap[]): Omit<WriterGap, 'reason'> {
  const fromSeq = gaps[0]?.fromSeq ?? 1
  let toSeq = fromSeq - 1
  let count = 0
  for (const gap of gaps) {
    if (gap.reason !== 'overflow' || gap.fromSeq !== toSeq + 1) throw new Error(`${JSON.stringify(gaps)} do not join`)
    toSeq = gap.toSeq ?? 0
    count += gap.count
  }
  return { count, fromSeq, toSeq }
}

/** Resolves once no segment is left to be sealed. */
export async function allSealed(dir: string): Promise<void> {
  const areLeft = (names: readonly string[]) =>
    names.some(name => name.endsWith('.tmp')) || names.filter(name => name.endsWith('.log')).length > 1
  while (areLeft(await readdir(dir))) await setImmediate()
}

/** Whether the numbers rise by one each. */
export const areConsecutive = (seqs: readonly number[]): boolean =>
  seqs.every((seq, index) => index === 0 || seq === (seqs[index - 1] ?? 0) + 1)

/** A seed from the environment, so that a random test can be repeated as it was. */
export const seedFrom = (variable: string): number =>
  Number(process.env[variable] ?? Math.floor(Math.random() * 0x7fff_ffff))
