/** Records become a sealed segment: members of whole lines, each deflated off the event loop, and the index of them all. */
import { createTimeReader, typeOf } from './envelope.js'
import { type Gap, readGap } from './gap.js'
import {
  type DeflatedText,
  deflateText,
  encodeMember,
  headerBytesMax,
  memberTextBytes,
  plainMemberBytes,
} from './member.js'
import { type Latest, type MemberEntry, type SegmentIndex, type TypeShare, writeIndex } from './segment-index.js'

/** `pieces`, one after the other, are the file. */
export type Sealed = Readonly<{ pieces: readonly Buffer[]; bytes: number; index: SegmentIndex }>

/** `latest`: what is known of the records before, or of those that are sealed here once more. */
export type SealedSpan = Pick<SegmentIndex, 'firstSeq' | 'lastSeq' | 'thinned' | 'latest'>

type Packed = Readonly<{ text: DeflatedText; entry: Omit<MemberEntry, 'bytes'> }>

const newline = 0x0a
const nothing: TypeShare = { records: 0, textBytes: 0 }

export class Sealer {
  readonly #level: number
  readonly #atMsOf = createTimeReader()
  readonly #types = new Map<string, TypeShare>()
  readonly #gaps: Gap[] = []
  readonly #packed: Packed[] = []
  /** One member at a time, so that sealing takes one thread of those that read and write files too. */
  #packing: Promise<void> = Promise.resolve()

  #text = Buffer.allocUnsafeSlow(memberTextBytes)
  #textBytes = 0
  #entry = emptyEntry()
  #memberTypes = new Set<string>()
  #timed = true

  /** @param level zlib's, 1 to 9: how long deflating may take for how much */
  constructor(level: number) {
    this.#level = level
  }

  /** @param json with its number, as it stands in a line */
  add(seq: number, json: Buffer): void {
    const bytes = json.length + 1
    if (this.#textBytes > 0 && this.#textBytes + bytes > memberTextBytes) this.#endMember()
    if (bytes > this.#text.length) this.#text = Buffer.allocUnsafeSlow(bytes)
    json.copy(this.#text, this.#textBytes)
    this.#text[this.#textBytes + bytes - 1] = newline
    this.#textBytes += bytes

    const type = typeOf(json)
    const share = this.#types.get(type) ?? nothing
    this.#types.set(type, { records: share.records + 1, textBytes: share.textBytes + bytes })
    this.#memberTypes.add(type)
    const gap = type === 'gap' ? readGap(json) : null
    if (gap) this.#gaps.push(gap)

    const entry = this.#entry
    if (entry.records === 0) entry.firstSeq = seq
    entry.lastSeq = seq
    entry.records++
    const atMs = this.#atMsOf(json)
    if (atMs === null) this.#timed = false
    else {
      entry.minAtMs = Math.min(entry.minAtMs ?? atMs, atMs)
      entry.maxAtMs = Math.max(entry.maxAtMs ?? atMs, atMs)
    }
  }

  /** Call it once, after the last record; without any record there is nothing to seal. */
  async finish(span: SealedSpan): Promise<Sealed> {
    if (this.#textBytes > 0) this.#endMember()
    await this.#packing
    const packed = this.#packed
    const plain: MemberEntry[] = packed.map(({ text, entry }) => ({ bytes: plainMemberBytes(text), ...entry }))
    const { latest: known, ...numbers } = span
    const latest = latestOf(plain, known ?? { fromSeq: span.firstSeq, atMs: Number.NEGATIVE_INFINITY })
    const index = { ...numbers, types: Object.fromEntries(this.#types), gaps: this.#gaps, members: plain, ...latest }
    const { field, whole } = withOwnLength(index)
    const pieces = packed.map(({ text, entry }, at) => encodeMember(text, entry, at === 0 ? field : null))
    return { pieces, bytes: pieces.reduce((sum, { length }) => sum + length, 0), index: whole }
  }

  #endMember(): void {
    const text = this.#text.subarray(0, this.#textBytes)
    const untimed = this.#timed ? {} : { minAtMs: null, maxAtMs: null }
    const entry = { ...this.#entry, ...untimed, types: [...this.#memberTypes] }
    this.#packing = this.#packing.then(async () => {
      this.#packed.push({ text: await deflateText(text, this.#level), entry })
    })
    this.#text = Buffer.allocUnsafeSlow(memberTextBytes)
    this.#textBytes = 0
    this.#entry = emptyEntry()
    this.#memberTypes = new Set()
    this.#timed = true
  }
}

/** Nothing is known where one of them tells no time. */
function latestOf(members: readonly MemberEntry[], { fromSeq, atMs }: Latest): Pick<SegmentIndex, 'latest'> {
  const times = members.map(({ maxAtMs }) => maxAtMs).filter(maxAtMs => maxAtMs !== null)
  return times.length < members.length ? {} : { latest: { fromSeq, atMs: Math.max(atMs, ...times) } }
}

type OpenEntry = { -readonly [Key in Exclude<keyof MemberEntry, 'bytes' | 'types'>]: MemberEntry[Key] }

const emptyEntry = (): OpenEntry => ({ firstSeq: 0, lastSeq: 0, records: 0, minAtMs: null, maxAtMs: null })

/**
 * The index says how long each member is, and lies in the first of them itself: its length is found by writing it until it
 * says the truth. One that is too long for a header is left out, and readers go from member to member.
 */
function withOwnLength(plain: SegmentIndex): { field: Buffer | null; whole: SegmentIndex } {
  const [first, ...others] = plain.members
  if (!first) return { field: null, whole: plain }
  let whole = plain
  for (let field = writeIndex(plain); field.length < headerBytesMax / 2; ) {
    whole = { ...plain, members: [{ ...first, bytes: first.bytes + 4 + field.length }, ...others] }
    const again = writeIndex(whole)
    if (again.length === field.length) return { field: again, whole }
    field = again
  }
  return { field: null, whole: plain }
}
