/**
 * What a ring has promised, and what therefore has to be found in it: told what was appended, what was answered and what became
 * of the machine, it says what is wrong with what is there.
 */
import { crc32, gunzipSync } from 'node:zlib'
import type { NumberedRecord } from '../../agent/ring/last.js'
import type { RingClass, RingHealth, RingItem } from '../../agent/ring/ring.js'
import { ringIsWhole } from '../../agent/ring/verify.js'
import type { Crash, SimulatedDisk } from './simulated-disk.js'

/** What nothing but an overflow may take any more: nobody knows, not a `kill -9`, not a power cut. */
type Safety = 'none' | 'kernel' | 'disk'

type Known = {
  readonly id: number
  readonly type: string
  readonly atMs: number
  readonly json: string
  /** The number it was promised, or found under; 0 for none. */
  seq: number
  safety: Safety
  /** It was there while the disk was too full, or failed, for its class to be kept: only its age counts. */
  isOrdinary: boolean
  /** No later sync is relied on to be of it. */
  isDropped: boolean
}

export type Told = Readonly<{
  items: readonly RingItem[]
  healths: readonly RingHealth[]
  /** The newest few, as a reader finds them from the end. */
  last: readonly NumberedRecord[]
  /** What a reader finds who knows nothing but the format. */
  grepped: ReadonlyMap<number, string>
}>

export type GapData = Readonly<{ reason: string; count: number; fromSeq: number | null; toSeq: number | null }>

export type Parsed = Readonly<{
  /** By number, in the order of the numbers; what the ring says of itself included. */
  records: ReadonlyMap<number, string>
  ids: ReadonlyMap<number, number>
  gaps: readonly (GapData & Readonly<{ seq: number }>)[]
  inferred: readonly Extract<RingItem, { kind: 'gap' }>[]
  /** The number up to which records went by overflow. */
  goneTo: number
  lastSeq: number
  problems: readonly string[]
}>

export class RingModel {
  readonly #known = new Map<number, Known>()
  readonly #classes: readonly RingClass[]
  /** Who was given a number last. */
  readonly #answered = new Map<number, number>()
  /** Each crash there was: who is answered late is told only what still holds. */
  readonly #crashes: Crash[] = []
  /** Numbers that damage may have taken, so that a reader's word is all there is about them. */
  readonly #damaged = new Set<number>()
  #nextId = 1
  /** Whether anything but overflow can have taken numbers: then gap records may say so. */
  #mayHaveHoles = false
  /** Whether something could not be read for a while: then gap records may say that it is lost. */
  #isConfused = false
  #isInTrouble = false
  /** Whether what is found now is all that the device has. */
  #isOnDevice = false

  constructor(classes: readonly RingClass[]) {
    this.#classes = classes
  }

  copy(): RingModel {
    const copy = new RingModel(this.#classes)
    for (const [id, known] of this.#known) copy.#known.set(id, { ...known })
    for (const [seq, id] of this.#answered) copy.#answered.set(seq, id)
    for (const seq of this.#damaged) copy.#damaged.add(seq)
    copy.#crashes.push(...this.#crashes)
    copy.#nextId = this.#nextId
    copy.#mayHaveHoles = this.#mayHaveHoles
    copy.#isConfused = this.#isConfused
    copy.#isInTrouble = this.#isInTrouble
    copy.#isOnDevice = this.#isOnDevice
    return copy
  }

  // ---- what is done to the ring

  /** @returns a record that is new, as `append` takes it, and how many crashes there were before it */
  make(type: string, bytes: number, atMs: number): Readonly<{ id: number; json: string; era: number }> {
    const id = this.#nextId++
    const data = { id, x: filler(id, bytes) }
    const at = new Date(atMs).toISOString()
    const json = JSON.stringify({ at, bootId: 'boot-1', monoMs: 1_000, level: 30, type, conn: null, inc: null, data })
    const isOrdinary = this.#isInTrouble
    this.#known.set(id, { id, type, atMs, json, seq: 0, safety: 'none', isDropped: false, isOrdinary })
    return { id, json, era: this.#crashes.length }
  }

  /** What the promise of `append` resolved to. */
  answered(id: number, seq: number, durability: 'kernel' | 'disk', era: number): string[] {
    const known = this.#known.get(id)
    if (seq === 0 || !known) return []
    const rival = this.#known.get(this.#answered.get(seq) ?? 0)
    this.#answered.set(seq, id)
    known.seq = seq
    known.safety = durability
    known.isDropped = false
    for (const crash of this.#crashes.slice(era)) weaken(known, crash)
    return rival && rival.safety !== 'none' ? [`${id} was promised the number ${seq}, and so was ${rival.id}`] : []
  }

  /** Everything that was promised is on the device by now. */
  synced(): void {
    for (const known of this.#known.values()) if (known.safety === 'kernel' && !known.isDropped) known.safety = 'disk'
  }

  /** Of what is there now no later sync need be: one failed, and the process ended before it could write anew what was dropped. */
  dropped(): void {
    for (const known of this.#known.values()) if (known.safety !== 'disk') known.isDropped = true
  }

  crashed(how: Crash): void {
    this.#crashes.push(how)
    for (const known of this.#known.values()) weaken(known, how)
    this.#isOnDevice = how === 'power'
    if (how === 'power') this.#mayHaveHoles = true
  }

  /** These numbers may be gone by damage, and with a gap record what it said of those that are not there. */
  damaged(seqs: readonly number[], there: ReadonlyMap<number, string>): void {
    for (const seq of seqs) this.#damaged.add(seq)
    if (seqs.some(seq => there.get(seq)?.includes('"type":"gap"')))
      for (const seq of range(1, Math.max(0, ...there.keys()))) if (!there.has(seq)) this.#damaged.add(seq)
    this.#mayHaveHoles = true
  }

  /** Something could not be read for a while, or stood there, that a recovery may have taken for records that are lost. */
  confused(): void {
    this.#mayHaveHoles = true
    this.#isConfused = true
    // What cannot be read may not be written to either, and then no sync is of it.
    this.dropped()
  }

  /** The disk has no room for all that was guaranteed, or does not give it back: what is there now can go by its age. */
  troubled(isInTrouble: boolean): void {
    this.#isInTrouble = isInTrouble
    for (const known of this.#known.values()) known.isOrdinary = true
  }

  get isDamaged(): boolean {
    return this.#damaged.size > 0
  }

  // ---- what is found in it

  /** Whatever a reader says at any moment: it may be less than there is, but never what was not appended. */
  parse(items: readonly RingItem[]): Parsed {
    const records = new Map<number, string>()
    const ids = new Map<number, number>()
    const gaps: (GapData & { seq: number })[] = []
    const problems: string[] = []
    let lastSeq = 0
    let lastId = 0
    for (const item of items) {
      if (item.kind === 'gap') continue
      const { seq, json } = item
      if (seq <= lastSeq) problems.push(`${seq} comes after ${lastSeq}`)
      lastSeq = seq
      records.set(seq, json)
      const record = JSON.parse(json)
      if (record.type === 'gap') gaps.push({ ...record.data, seq })
      if (record.type === 'gap' || record.type === 'context') continue
      const { id } = record.data
      const known = this.#known.get(id)
      if (known?.json.slice(1) !== json.slice(`{"seq":${seq},`.length))
        problems.push(`${seq} was never appended: ${json}`)
      if (id <= lastId) problems.push(`${id} comes after ${lastId}, under ${seq}`)
      lastId = id
      ids.set(seq, id)
      if (known && known.safety !== 'none' && known.seq !== seq)
        problems.push(`${id} was promised as ${known.seq} and is there as ${seq}`)
    }
    const goneTo = Math.max(0, ...gaps.map(({ reason, toSeq }) => (reason === 'overflow' ? (toSeq ?? 0) : 0)))
    const inferred = items.filter(item => item.kind === 'gap')
    return { records, ids, gaps, inferred, goneTo, lastSeq, problems }
  }

  /** Whatever was promised to survive has to be there, unless it went by overflow and was not worth more than its age. */
  missing({ ids, goneTo, gaps }: Parsed): string[] {
    const there = new Set(ids.values())
    const kept = this.#keptByClass()
    // Told of as lost when it could not be read, and gone since.
    const isTold = (seq: number) =>
      this.#isConfused && gaps.some(({ fromSeq, toSeq }) => (fromSeq ?? 0) <= seq && seq <= (toSeq ?? -1))
    return [...this.#known.values()]
      .filter(({ id, seq, safety }) => safety !== 'none' && !there.has(id) && !this.#damaged.has(seq))
      .filter(({ id, seq }) => (seq > goneTo && !isTold(seq)) || kept.has(id))
      .map(({ id, type, seq, safety }) => `${id} (${type}) was promised as ${seq} (${safety}) and is not there`)
  }

  /** All of a ring that was opened after whatever happened to it, and then closed: the truth from here on. */
  settle({ items, healths, last, grepped }: Told): string[] {
    const parsed = this.parse(items)
    const { records, ids, gaps, inferred, goneTo, lastSeq } = parsed
    const problems = [...parsed.problems, ...this.missing(parsed)]

    const said = gaps.filter(({ reason }) => reason === 'damage')
    if (said.length > 0 && !this.#mayHaveHoles)
      problems.push(`there was no damage to speak of: ${JSON.stringify(said)}`)
    const explained = new Set<number>()
    for (const { seq, fromSeq, toSeq, count } of said) {
      if (fromSeq === null || toSeq === null) problems.push(`${seq} tells of damage without numbers`)
      for (const number of range(fromSeq ?? 0, toSeq ?? -1)) {
        explained.add(number)
        if (records.has(number) && !this.#isConfused)
          problems.push(`${seq} says that ${number} is lost, but it is there`)
      }
      if (count < 1 || count > (toSeq ?? 0) - (fromSeq ?? 0) + 1)
        problems.push(`${seq} counts ${count} from ${fromSeq} to ${toSeq}`)
    }
    const read = new Set(inferred.flatMap(({ fromSeq, toSeq }) => range(fromSeq, toSeq)))
    for (const { fromSeq, toSeq, count } of inferred) {
      const numbers = range(fromSeq, toSeq)
      const others = numbers.filter(seq => !this.#damaged.has(seq))
      // Of a segment that was thinned the numbers in between went before, by overflow.
      if (
        count === numbers.length
          ? others.length > 0
          : numbers.length - others.length !== count || others.some(seq => seq > goneTo)
      )
        problems.push(`${others.join()} is missing, says a reader`)
    }
    for (const seq of range(goneTo + 1, lastSeq))
      if (!records.has(seq) && !explained.has(seq) && !read.has(seq)) problems.push(`nobody speaks of ${seq}`)
    if (!this.isDamaged && !ringIsWhole(healths)) problems.push(`verify: ${JSON.stringify(healths.filter(isDamaged))}`)
    if (this.isDamaged && read.size > 0 && ringIsWhole(healths))
      problems.push('verify knows nothing of what is missing')
    if (!this.isDamaged) {
      for (const [seq, json] of grepped) if (records.get(seq) !== json) problems.push(`grep finds ${seq}: ${json}`)
      for (const seq of records.keys()) if (!grepped.has(seq)) problems.push(`grep does not find ${seq}`)
    }

    const newest = [...records].slice(-last.length)
    if (JSON.stringify(newest) !== JSON.stringify(last.map(({ seq, json }) => [seq, json])))
      problems.push(`the last are said to be ${last.map(({ seq }) => seq)}, not ${newest.map(([seq]) => seq)}`)

    for (const [seq, id] of ids) {
      const known = this.#known.get(id)
      if (known) known.seq = seq
      if (known?.safety === 'none') known.safety = this.#isOnDevice ? 'disk' : 'kernel'
    }
    this.#isOnDevice = false
    // What is gone nobody has to keep; it may still come back with a file whose deletion was not on the device.
    const there = new Set(ids.values())
    for (const known of this.#known.values()) if (!there.has(known.id)) known.safety = 'none'
    return problems
  }

  /** Two of the times at which what is there was appended. */
  timesBetween({ ids }: Parsed, from: number, to: number): [number, number] {
    const times = [...ids.values()].flatMap(id => this.#known.get(id)?.atMs ?? []).sort((a, b) => a - b)
    const timeAt = (share: number) => times[Math.floor(share * (times.length - 1))] ?? 0
    return [timeAt(Math.min(from, to)), timeAt(Math.max(from, to))]
  }

  /** Of what is there: what a reader has to be given who asks for these times and types. */
  wanted({ ids }: Parsed, fromMs: number, toMs: number, types: readonly string[]): number[] {
    return [...ids].flatMap(([seq, id]) => {
      const known = this.#known.get(id)
      return known && known.atMs >= fromMs && known.atMs <= toMs && types.includes(known.type) ? [seq] : []
    })
  }

  /** Records that a guaranteed share keeps, whatever else overflows. */
  #keptByClass(): Set<number> {
    const kept = new Set<number>()
    for (const { types, share } of this.#classes) {
      let bytes = 0
      for (const { id, type, json, isOrdinary } of [...this.#known.values()].reverse()) {
        if (!types.includes(type)) continue
        bytes += json.length + lineOverheadBytes
        if (bytes > share * this.budgetBytes) break
        if (!isOrdinary) kept.add(id)
      }
    }
    return kept
  }

  /** The smallest budget that the ring was ever opened with. */
  budgetBytes = 262_144
}

const lineOverheadBytes = 33

const isDamaged = ({ status }: RingHealth): boolean => status === 'damaged'

function weaken(known: Known, crash: Crash): void {
  if (crash === 'power' && known.safety === 'kernel') known.safety = 'none'
}

/** By the format's own description, with nothing of the ring's: `null` for a line that is not as it was written. */
export function grep(disk: SimulatedDisk, dir: string): Map<number, string> {
  const found = new Map<number, string>()
  const add = (json: string) => found.set(Number(/^\{"seq":(\d+)/.exec(json)?.[1]), json)
  for (const { name, bytes } of disk.files(dir)) {
    if (name.endsWith('.ndjson.gz') && bytes > 0) {
      for (const json of unzipped(disk.contentOf(`${dir}/${name}`)).split('\n')) if (json !== '') add(json)
    } else if (name.endsWith('.log')) {
      for (const line of disk.contentOf(`${dir}/${name}`).toString().split('\n')) {
        const json = line.slice(9)
        if (line.slice(0, 8) === crc32(json).toString(16).padStart(8, '0')) add(json)
      }
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b))
}

export function unzipped(bytes: Buffer): string {
  try {
    return gunzipSync(bytes).toString()
  } catch {
    // Damaged; what zcat would still give of it is for other tests.
    return ''
  }
}

/** Text that hardly gets smaller by compressing, another for each id. */
function filler(id: number, bytes: number): string {
  const start = (id * 104_729) % (noise.length - 300_000)
  return noise.slice(start, start + bytes)
}

const noise = (() => {
  let state = 7
  const words = new Uint32Array(300_000)
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[at] = (state ^ (state >>> 15)) >>> 0
  }
  return Buffer.from(words.buffer).toString('base64')
})()

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)
