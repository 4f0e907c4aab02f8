/**
 * Segments that were damaged: each bit flipped, cut off at each length, sectors of zeros, garbage, blocks in the wrong place.
 * Whatever is read is what was written, whatever stands there whole is read, and the rest is counted exactly.
 *
 * `RING_FLIPS`, `RING_TRUNCATIONS` and `RING_DAMAGES` set how many of each a segment has to bear.
 */
import t, { type Test } from 'tap'
import { withSeq, writeLine } from '../../agent/ring/line.js'
import { openRing } from '../../agent/ring/open.js'
import { lastRecords, readRing } from '../../agent/ring/read.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { BytesDisk } from '../support/bytes-disk.js'
import { among, countOf, isLong, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { collect, recordJson, stamp } from '../support/ring-records.js'
import { member, sealedName } from '../support/ring-sealed.js'

const segmentBytes = 64 * 1024
const every = Number.POSITIVE_INFINITY
const flips = countOf('RING_FLIPS', { slice: 3_000, long: every })
const truncations = countOf('RING_TRUNCATIONS', { slice: 500, long: every })
const damages = countOf('RING_DAMAGES', { slice: 3_000, long: 30_000 })

t.setTimeout(isLong ? 4 * 3_600_000 : 400_000)

const dir = 'ring'

/** A segment with neighbours, and what is in them. */
type Scene = Readonly<{
  what: string
  name: string
  bytes: Buffer
  /** Where the parts that stand or fall alone begin, lines or members, the end of the last included, and their numbers. */
  parts: readonly Readonly<{ from: number; to: number; fromSeq: number; toSeq: number }>[]
  others: readonly (readonly [string, Buffer])[]
  /** By number, all of the ring. */
  jsons: ReadonlyMap<number, string>
  lastSeq: number
  /** Whether a number after it says how many are missing. */
  isFollowed: boolean
}>

const jsonOf = (seq: number): string => withSeq(seq, recordJson(seq).replace('"x":""', `"x":"${words(seq)}"`))

/** Some 100 characters that do not compress too well. */
function words(seq: number): string {
  const random = randomFrom(seq)
  return Array.from({ length: 20 }, () => Math.floor(random() * 36 ** 5).toString(36)).join(' ')
}

const line = (seq: number): Buffer => {
  const json = jsonOf(seq).replace(/^\{"seq":\d+,/, '{')
  const target = Buffer.alloc(json.length + 64)
  return target.subarray(0, writeLine(target, 0, seq, json))
}

/** Consecutive numbers from `fromSeq` on, as long as they fit. */
function partsOf(fromSeq: number, partOf: (seq: number) => Readonly<{ bytes: Buffer; toSeq: number }>) {
  const bytes: Buffer[] = []
  const parts: Scene['parts'][number][] = []
  let at = 0
  for (let seq = fromSeq; ; ) {
    const part = partOf(seq)
    if (at + part.bytes.length > segmentBytes) return { bytes: Buffer.concat(bytes), parts, nextSeq: seq }
    bytes.push(part.bytes)
    parts.push({ from: at, to: at + part.bytes.length, fromSeq: seq, toSeq: part.toSeq })
    at += part.bytes.length
    seq = part.toSeq + 1
  }
}

/** The target begins with number 4; three lines are before it, and two after it where it is followed. */
function scene(what: string, sealed: boolean, isFollowed: boolean): Scene {
  const before = [1, 2, 3].map(line)
  const { bytes, parts, nextSeq } = partsOf(4, seq => {
    if (!sealed) return { bytes: line(seq), toSeq: seq }
    const seqs = Array.from({ length: 80 }, (_, n) => seq + n)
    return { bytes: member(seqs.map(seq => `${jsonOf(seq)}\n`).join('')), toSeq: seq + 79 }
  })
  const after = isFollowed ? [nextSeq, nextSeq + 1] : []
  const lastSeq = nextSeq - 1 + after.length
  return {
    what,
    name: sealed ? sealedName(4) : segmentName(4),
    bytes,
    parts,
    others: [
      [segmentName(1), Buffer.concat(before)],
      ...(isFollowed ? [[segmentName(nextSeq), Buffer.concat(after.map(line))] as const] : []),
    ],
    jsons: new Map(Array.from({ length: lastSeq }, (_, n) => [n + 1, jsonOf(n + 1)])),
    lastSeq,
    isFollowed,
  }
}

const scenes: readonly Scene[] = [
  scene('a text segment', false, true),
  scene('the newest text segment', false, false),
  scene('a sealed segment', true, true),
  scene('a sealed segment that is the newest', true, false),
]

/** The numbers of what stands in the damaged bytes as it did in the sound ones: whole lines, or whole members. */
function standing({ parts, bytes, name }: Scene, damaged: Buffer): number[] {
  if (name.endsWith('.log')) {
    const lines = new Set(damaged.toString('latin1').split('\n').slice(0, -1))
    return parts.flatMap(({ from, to, fromSeq }) => (lines.has(bytes.toString('latin1', from, to - 1)) ? fromSeq : []))
  }
  return parts.flatMap(({ from, to, fromSeq, toSeq }) =>
    damaged.includes(bytes.subarray(from, to))
      ? Array.from({ length: toSeq - fromSeq + 1 }, (_, n) => fromSeq + n)
      : [],
  )
}

/** @returns everything that is wrong with what is made of the damaged segment */
async function problemsOf(on: Scene, damaged: Buffer, thorough: boolean): Promise<string[]> {
  const problems: string[] = []
  const files = [...on.others, [on.name, damaged] as const]
  const disk = new BytesDisk(files)
  const found = new Set<number>()
  let at = 0
  let counted = 0
  for await (const item of readRing(dir, { disk })) {
    if (item.kind === 'record') {
      if (item.seq <= at) problems.push(`${item.seq} comes after ${at}`)
      if (item.seq > at + 1) problems.push(`from ${at} to ${item.seq} without a word`)
      if (item.json !== on.jsons.get(item.seq)) problems.push(`${item.seq} was never written: ${item.json}`)
      found.add(item.seq)
      at = item.seq
    } else {
      if (item.fromSeq !== at + 1 || item.toSeq < item.fromSeq || item.count !== item.toSeq - item.fromSeq + 1)
        problems.push(`after ${at} a gap: ${JSON.stringify(item)}`)
      counted += item.count
      at = item.toSeq
    }
  }
  for (const seq of standing(on, damaged)) if (!found.has(seq)) problems.push(`${seq} stands there and was not read`)
  // At the very end of a ring only line ends tell how many there may have been.
  if (on.isFollowed && at !== on.lastSeq) problems.push(`it ends with ${at}`)

  const healths = await collect(verifyRing(dir, disk))
  const lost = healths.reduce((sum, health) => sum + health.lost, 0)
  const records = healths.reduce((sum, health) => sum + health.records, 0)
  if (lost !== counted) problems.push(`verify calls ${lost} lost, a reader counts ${counted}`)
  if (records !== found.size) problems.push(`verify calls ${records} sound, a reader finds ${found.size}`)
  if (ringIsWhole(healths) && counted > 0) problems.push('verify calls it whole')
  if (!ringIsWhole(healths) && damaged.equals(on.bytes)) problems.push('verify calls it damaged')
  if (thorough) problems.push(...(await openedProblems(on, files, [...found])))
  return problems
}

/** What a writer makes of it, and whoever comes after the writer. */
async function openedProblems(
  { jsons, lastSeq, isFollowed }: Scene,
  files: readonly (readonly [string, Buffer])[],
  found: readonly number[],
): Promise<string[]> {
  const problems: string[] = []
  const disk = new BytesDisk(files)
  const newest = await lastRecords(dir, 5, { disk })
  if (newest.map(({ seq }) => seq).join() !== found.slice(-5).join())
    problems.push(`the last: ${JSON.stringify(newest)}`)
  if (newest.some(({ seq, json }) => json !== jsons.get(seq))) problems.push(`false ones: ${JSON.stringify(newest)}`)

  const { ring } = await openRing({ dir, budgetBytes: 1 << 20, stamp, disk })
  if (ring.state.mode !== 'disk') problems.push(`it opens in memory: ${ring.state.refusal}`)
  const next = await ring.append(recordJson(0), 'kernel')
  await ring.close()
  const there = new Map<number, string>()
  let counted = 0
  let said = 0
  for await (const item of readRing(dir, { disk })) {
    if (item.kind === 'gap') counted += item.count
    else {
      there.set(item.seq, item.json)
      const { type, data } = JSON.parse(item.json)
      if (type === 'gap') said += data.count
    }
  }
  for (const seq of found) if (there.get(seq) !== jsons.get(seq)) problems.push(`opening it took ${seq}`)
  if (there.get(next) !== withSeq(next, recordJson(0))) problems.push(`the new record is not there: ${there.get(next)}`)
  if (next <= Math.max(0, ...found)) problems.push(`it goes on with ${next}`)
  const missing = lastSeq - found.length
  if (isFollowed && counted + said !== missing)
    problems.push(`${missing} are missing; ${said} said, ${counted} inferred`)
  return problems
}

/** @param damageOf by index, one after the other */
async function bear(
  t: Test,
  on: Scene,
  count: number,
  damageOf: (index: number) => Readonly<{ what: string; damaged: Buffer }>,
): Promise<void> {
  const problems: string[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count && problems.length < 10) {
      const index = next++
      const { what, damaged } = damageOf(index)
      try {
        // To open it costs ten times more than to read it.
        const found = await problemsOf(on, damaged, index % 16 === 0)
        problems.push(...found.slice(0, 3).map(problem => `${what}: ${problem.slice(0, 300)}`))
      } catch (error) {
        problems.push(`${what}: it throws ${error instanceof Error ? error.stack : error}`)
      }
    }
  }
  // Inflating waits for other threads; meanwhile there are more to be read.
  await Promise.all(Array.from({ length: 4 }, lane))
  t.strictSame(problems, [])
}

/** All of them in order, or some at random. */
const someOf = (random: () => number, all: number, count: number): ((index: number) => number) =>
  count >= all ? index => index : () => Math.floor(random() * all)

const flipped = (bytes: Buffer, bit: number): Buffer => {
  const damaged = Buffer.from(bytes)
  damaged[bit >> 3]! ^= 1 << (bit & 7)
  return damaged
}

const sector = 512

/** What media, file systems and people do to files. Each may change what it is given. */
const kinds: readonly (readonly [what: string, damage: (bytes: Buffer, random: () => number) => Buffer])[] = [
  ['sectors of zeros', (bytes, random) => onSectors(bytes, random, part => part.fill(0))],
  ['sectors of ones', (bytes, random) => onSectors(bytes, random, part => part.fill(0xff))],
  ['sectors of noise', (bytes, random) => onSectors(bytes, random, part => noise(part, random))],
  [
    'several bits flipped',
    (bytes, random) => {
      for (let n = among(random, 2, 8); n > 0; n--) {
        const bit = Math.floor(random() * bytes.length * 8)
        bytes[bit >> 3]! ^= 1 << (bit & 7)
      }
      return bytes
    },
  ],
  ['noise at the end', (bytes, random) => Buffer.concat([bytes, noise(Buffer.alloc(among(random, 1, 2_000)), random)])],
  ['zeros at the end', (bytes, random) => Buffer.concat([bytes, Buffer.alloc(among(random, 1, 20_000))])],
  ['cut and noise after it', noisyEnd],
  [
    'one block twice, in the place of another',
    (bytes, random) => {
      const { from, to, length } = twoBlocks(bytes, random)
      Buffer.from(bytes.subarray(from, from + length)).copy(bytes, to)
      return bytes
    },
  ],
  [
    'one block twice, pushed in',
    (bytes, random) => {
      const { from, to, length } = twoBlocks(bytes, random)
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, from + length), bytes.subarray(to)])
    },
  ],
  [
    'a block taken out',
    (bytes, random) => {
      const { to, length } = twoBlocks(bytes, random)
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(to + length)])
    },
  ],
  [
    'two blocks in each other’s place',
    (bytes, random) => {
      const { from, to, length } = twoBlocks(bytes, random)
      const one = Buffer.from(bytes.subarray(from, from + length))
      bytes.copy(bytes, from, to, to + length)
      one.copy(bytes, to)
      return bytes
    },
  ],
  ['all of it twice', bytes => Buffer.concat([bytes, bytes])],
]

function onSectors(bytes: Buffer, random: () => number, damage: (part: Buffer) => unknown): Buffer {
  for (let n = among(random, 1, 4); n > 0; n--) {
    const from = sector * Math.floor((random() * bytes.length) / sector)
    damage(bytes.subarray(from, from + sector * among(random, 1, 8)))
  }
  return bytes
}

/** The first bytes are as they were; what follows is of any length. */
function noisyEnd(bytes: Buffer, random: () => number): Buffer {
  const kept = bytes.subarray(0, Math.floor(random() * bytes.length))
  return Buffer.concat([kept, noise(Buffer.alloc(among(random, 1, 4_000)), random)])
}

function noise(part: Buffer, random: () => number): Buffer {
  for (let at = 0; at < part.length; at++) part[at] = Math.floor(random() * 256)
  return part
}

/** As media have them or file systems, each wholly within. */
function twoBlocks(bytes: Buffer, random: () => number): Readonly<{ from: number; to: number; length: number }> {
  const length = random() < 0.5 ? sector : 4_096
  const place = (): number => length * Math.floor((random() * (bytes.length - length)) / length)
  return { from: place(), to: place(), length }
}

for (const on of scenes) {
  const bits = on.bytes.length * 8
  t.test(`${Math.min(flips, bits)} bits of ${on.what} flipped, one at a time`, async t => {
    t.comment(seedSaid)
    const bitOf = someOf(randomFrom(seed), bits, flips)
    await bear(t, on, Math.min(flips, bits), index => {
      const bit = bitOf(index)
      return { what: `bit ${bit}`, damaged: flipped(on.bytes, bit) }
    })
  })

  t.test(`${on.what} cut off at ${Math.min(truncations, on.bytes.length)} lengths`, async t => {
    t.comment(seedSaid)
    const lengthOf = someOf(randomFrom(seed), on.bytes.length, truncations)
    await bear(t, on, Math.min(truncations, on.bytes.length), index => {
      const length = lengthOf(index)
      return { what: `cut to ${length} bytes`, damaged: on.bytes.subarray(0, length) }
    })
  })

  t.test(`${on.what} damaged in ${damages} ways`, async t => {
    t.comment(seedSaid)
    const random = randomFrom(seed)
    await bear(t, on, damages, index => {
      const [what, damage] = kinds[index % kinds.length]!
      return { what: `${what} (${index})`, damaged: damage(Buffer.from(on.bytes), random) }
    })
  })
}
