/**
 * Segments as the ring writes them, what media and people do to such, and what must be true of whatever is read of them then.
 * It runs in workers of its own, without the test runner, whose watch over every promise costs more than all the reading.
 */
import { parentPort } from 'node:worker_threads'
import { lastRecords } from '../../agent/ring/last.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { segmentName } from '../../agent/ring/segment.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { BytesDisk } from './bytes-disk.js'
import { among, isLong, randomFrom } from './campaign.js'
import { collect, recordJson, stamp, withSeq } from './ring-records.js'
import { linesOf, member, type Numbered, sealedName, sealedOf, textOf } from './ring-sealed.js'

/** What is to be borne by one of the segments: the damages with these indexes, the last not included. */
export type Task = Readonly<{
  segment: number
  campaign: 'flips' | 'truncations' | 'damages'
  seed: number
  /** Whether there are as many as there are places: then each has its turn, else they are taken at random. */
  isComplete: boolean
  from: number
  to: number
}>

const segmentBytes = 64 * 1024
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

/** Without its number. They compress to less than half, so that a sealed segment of that size has several members. */
const jsonOf = (seq: number): string => recordJson(seq).replace('"x":""', `"x":"${words(seq)}"`)

function words(seq: number): string {
  const random = randomFrom(seq)
  return Array.from({ length: 12 }, () => `${Math.floor(random() * 36 ** 4).toString(36)} ping answered`).join(' ')
}

const numbered = (fromSeq: number, count: number): Numbered[] =>
  Array.from({ length: count }, (_, n) => ({ seq: fromSeq + n, json: jsonOf(fromSeq + n) }))

type Made = Pick<Scene, 'bytes' | 'parts'>

/** Pieces one after the other, each of so many records. */
function joined(fromSeq: number, pieces: readonly Readonly<{ bytes: Buffer; records: number }>[]): Made {
  let [from, seq] = [0, fromSeq]
  const parts = pieces.map(({ bytes, records }) => {
    const part = { from, to: from + bytes.length, fromSeq: seq, toSeq: seq + records - 1 }
    from = part.to
    seq += records
    return part
  })
  return { bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)), parts }
}

const textSegment = async (records: readonly Numbered[]): Promise<Made> =>
  joined(
    records[0]!.seq,
    records.map(record => ({ bytes: textOf([record]), records: 1 })),
  )

async function sealedSegment(records: readonly Numbered[]): Promise<Made> {
  const { bytes, index } = await sealedOf(records)
  let from = 0
  const pieces = index.members.map(member => {
    from += member.bytes
    return { bytes: bytes.subarray(from - member.bytes, from), records: member.records }
  })
  return joined(records[0]!.seq, pieces)
}

/** As any other program packs them, without an index. */
async function foreignSegment(records: readonly Numbered[]): Promise<Made> {
  const pieces: { bytes: Buffer; records: number }[] = []
  for (let at = 0; at < records.length; at += 100) {
    const some = records.slice(at, at + 100)
    pieces.push({ bytes: member(linesOf(some)), records: some.length })
  }
  return joined(records[0]!.seq, pieces)
}

/** The damaged segment begins with number 4; three lines are before it, and two after it where it is followed. */
async function scene(
  what: string,
  name: string,
  make: (records: readonly Numbered[]) => Promise<Made>,
  isFollowed: boolean,
): Promise<Scene> {
  const hundred = (await make(numbered(4, 100))).bytes.length
  let count = Math.ceil((100 * segmentBytes) / hundred)
  let made = await make(numbered(4, count))
  while (made.bytes.length > segmentBytes) made = await make(numbered(4, --count))
  return { what, name, ...made, ...neighbours(made.parts.at(-1)!.toSeq, isFollowed) }
}

function neighbours(toSeq: number, isFollowed: boolean): Pick<Scene, 'others' | 'jsons' | 'lastSeq' | 'isFollowed'> {
  const after = numbered(toSeq + 1, isFollowed ? 2 : 0)
  const lastSeq = toSeq + after.length
  return {
    others: [
      [segmentName(1), textOf(numbered(1, 3))],
      ...(isFollowed ? [[segmentName(toSeq + 1), textOf(after)] as const] : []),
    ],
    jsons: new Map(numbered(1, lastSeq).map(({ seq, json }) => [seq, withSeq(seq, json)])),
    lastSeq,
    isFollowed,
  }
}

const scenes: readonly Scene[] = [
  await scene('a text segment', segmentName(4), textSegment, true),
  await scene('the newest text segment', segmentName(4), textSegment, false),
  await scene('a sealed segment', sealedName(4), sealedSegment, true),
  await scene('a sealed segment that is the newest', sealedName(4), sealedSegment, false),
  await scene('a segment that another program has packed', sealedName(4), foreignSegment, true),
]

/** How much of a campaign each has to bear: of a slice, less where reading takes long; of all, less where it is the same. */
const shares = isLong ? [1, 1, 1, 0.4, 0.15] : [1, 1, 0.35, 0.2, 0.1]

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

/** Each damage has a seed of its own, so that one alone can be had again. */
function damageOf(
  on: Scene,
  { campaign, seed, isComplete }: Task,
  index: number,
): Readonly<{ what: string; damaged: Buffer }> {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1) + index)
  const placeOf = (places: number) => (isComplete ? index : Math.floor(random() * places))
  if (campaign === 'flips') {
    const bit = placeOf(on.bytes.length * 8)
    const damaged = Buffer.from(on.bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    return { what: `bit ${bit}`, damaged }
  }
  if (campaign === 'truncations') {
    const length = placeOf(on.bytes.length)
    return { what: `cut to ${length} bytes`, damaged: on.bytes.subarray(0, length) }
  }
  const [what, damage] = kinds[index % kinds.length]!
  return { what: `${what} (${index})`, damaged: damage(Buffer.from(on.bytes), random) }
}

/** @returns what is wrong, at the most three for each damage */
async function bear(task: Task): Promise<string[]> {
  const on = scenes[task.segment]!
  const problems: string[] = []
  for (let index = task.from; index < task.to && problems.length < 10; index++) {
    const { what, damaged } = damageOf(on, task, index)
    try {
      // To open it costs much more than to read it.
      const found = await problemsOf(on, damaged, index % 32 === 0)
      problems.push(...found.slice(0, 3).map(problem => `${what}: ${problem.slice(0, 300)}`))
    } catch (error) {
      problems.push(`${what}: it throws ${error instanceof Error ? error.stack : error}`)
    }
  }
  return problems
}

export const segments = scenes.map(({ what, bytes }, at) => ({ what, bytes: bytes.length, share: shares[at]! }))

parentPort?.on('message', (task: Task) => void bear(task).then(problems => parentPort?.postMessage(problems)))
