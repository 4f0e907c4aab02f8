/** What of the records goes in where not all of them fit: the newest, and how much is left out is known. */
import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { AgentError } from '../errors.js'
import { readRecords } from '../evidence/read.js'
import type { RecordType } from '../evidence/record.js'
import { extentOf } from '../ring/extent.js'
import type { LeftOut } from './manifest.js'
import type { PartContext } from './part.js'

export type FitOptions = Readonly<{
  ringDir: string
  window: PartContext['window']
  /** Left out: all of them. */
  types?: readonly RecordType[]
  /** Compressed, of all parts that are made of records. */
  roomBytes: number
  signal: AbortSignal
}> &
  Pick<PartContext, 'json'>

export type Fit = Readonly<{ fromSeq: number; leftOut: LeftOut | null }>

/** Measured in stretches of so much text. */
const stretchCharacters = 64 << 10

/** These stand in several entries: as records, and in `episodes.json`, `samples.csv` or the report. */
const repeated: ReadonlySet<string> = new Set<RecordType>(['sample', 'episode'])
const repeatedWeight = 1.5

const compressed = promisify(deflateRaw)

type Stretch = {
  fromSeq: number
  toSeq: number
  from: string
  to: string
  records: number
  bytes: number
  cost: number
}

/**
 * Where the ring's indexes say that there is room enough, nothing is read. Else everything is read and compressed once, to know
 * from which number on it fits. A ring that cannot be read is told of by the parts.
 */
export async function fit({ ringDir, window, types, roomBytes, signal, json }: FitOptions): Promise<Fit> {
  const { since: sinceMs, until: untilMs } = window
  const extent = await extentOf(ringDir, { sinceMs, untilMs, ...(types ? { types } : {}) }).catch(unreadable)
  if (extent === null) return { fromSeq: 1, leftOut: null }
  const texts = Object.entries(extent.types)
  const textBytes = texts.reduce((sum, [, held]) => sum + held.textBytes, 0)
  const repeatedBytes = texts.reduce((sum, [type, held]) => sum + (repeated.has(type) ? held.textBytes : 0), 0)
  if (extent.bytes * weightOf(repeatedBytes / Math.max(1, textBytes)) <= roomBytes) return { fromSeq: 1, leftOut: null }

  const stretches: Stretch[] = []
  const records = readRecords(ringDir, { ...window, ...(types ? { types } : {}), signal })
  for await (const stretch of measured(records, json)) stretches.push(stretch)
  let room = roomBytes
  let kept = stretches.length
  while (kept > 0 && (stretches[kept - 1]?.cost ?? 0) <= room) {
    kept -= 1
    room -= stretches[kept]?.cost ?? 0
  }
  const lost = stretches.slice(0, kept)
  const last = lost.at(-1)
  if (last === undefined) return { fromSeq: 1, leftOut: null }
  const leftOut: LeftOut = {
    name: 'records.ndjson',
    records: lost.reduce((sum, { records }) => sum + records, 0),
    bytes: lost.reduce((sum, { bytes }) => sum + bytes, 0),
    window: { from: lost[0]?.from ?? last.from, to: last.to },
    reason: 'the bundle would have been larger than it may be: the newest were taken',
  }
  return { fromSeq: stretches[kept]?.fromSeq ?? last.toSeq + 1, leftOut }
}

function unreadable(error: unknown): null {
  if (error instanceof AgentError) return null
  throw error
}

const weightOf = (share: number): number => 1 + repeatedWeight * share

async function* measured(
  records: ReturnType<typeof readRecords>,
  json: (value: unknown) => string,
): AsyncGenerator<Stretch> {
  let text = ''
  let repeatedCharacters = 0
  let stretch: Omit<Stretch, 'bytes' | 'cost'> | null = null
  const finish = async (done: Omit<Stretch, 'bytes' | 'cost'>): Promise<Stretch> => {
    const packed = await compressed(text)
    const cost = packed.length * weightOf(repeatedCharacters / Math.max(1, text.length))
    return { ...done, bytes: Buffer.byteLength(text), cost }
  }
  for await (const record of records) {
    const line = `${json(record)}\n`
    // What a reader infers has no number: it belongs to what is before it.
    const seq: number = 'seq' in record ? record.seq : (stretch?.toSeq ?? 0)
    if (stretch !== null && text.length >= stretchCharacters) {
      yield await finish(stretch)
      stretch = null
      text = ''
      repeatedCharacters = 0
    }
    stretch ??= { fromSeq: seq, toSeq: seq, from: record.at, to: record.at, records: 0 }
    stretch = { ...stretch, toSeq: seq, to: record.at, records: stretch.records + 1 }
    text += line
    if (repeated.has(record.type)) repeatedCharacters += line.length
  }
  if (stretch !== null) yield await finish(stretch)
}
