/** Reads a bundle that somebody sent: it may be damaged, and it may be no bundle at all, made to harm whoever opens it. */
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { openPromise, type Entry as ZipEntry, type ZipFile } from 'yauzl'
import { AgentError } from '../errors.js'
import type { Episode } from '../evidence/episode.js'
import { overlaps, parseRecord, passes, type RecordFilter } from '../evidence/read.js'
import type { InferredGap, LogRecord } from '../evidence/record.js'
import type { RingHealth } from '../ring/ring.js'
import { type Entry, type Manifest, manifestName, readManifest } from './manifest.js'

export interface Bundle {
  readonly manifest: Manifest
  /**
   * The records that pass the filter, in order. A line that is no record is a gap in its place.
   *
   * @throws AgentError `BUNDLE_INVALID` where the entry is damaged, after what is sound before that
   */
  records(filter?: RecordFilter & Readonly<{ signal?: AbortSignal }>): AsyncGenerator<LogRecord | InferredGap>
  /** @throws AgentError `BUNDLE_INVALID` when they cannot be read */
  episodes(window?: Pick<RecordFilter, 'since' | 'until'>): Promise<Episode[]>
  /** An entry's bytes as they are. @throws AgentError `BUNDLE_INVALID` where it is missing or damaged */
  content(name: string): AsyncGenerator<Buffer>
}

/** An honest manifest is a page or two; gaps make it longer. */
const manifestBytesMax = 16 << 20
const episodesBytesMax = 256 << 20
const entriesMax = 1_000

/** A full ring of the largest kind is less; more is a bomb. */
const entryBytesMax = 2 ** 32

/** No line of a ring is longer. */
const lineBytesMax = 1 << 20

/** @throws AgentError `BUNDLE_INVALID`, also for a file that is none; what the file system says of the file itself */
export async function openBundle(file: string): Promise<Bundle> {
  const manifest = await withZip(file, async zip => {
    const read = await readAllEntries(zip, async entry =>
      entry.fileName === manifestName ? textOf(zip, entry, manifestBytesMax) : null,
    )
    const text = read.find(found => found !== null)
    if (text === undefined) throw invalid(`${manifestName} is missing`)
    const found = readManifest(text ?? '')
    if (!found) throw invalid(`${manifestName} is not the manifest of a bundle that this version knows`)
    return found
  })
  const holds = (name: string): boolean => manifest.entries.some(entry => entry.name === name)
  return {
    manifest,
    // What was not asked for when it was made is not there, and nothing is wrong with that.
    records: filter => (holds('records.ndjson') ? readBundleRecords(file, filter ?? {}) : nothing()),
    episodes: async window => (holds('episodes.json') ? readBundleEpisodes(file, window ?? {}) : []),
    content: name => readEntry(file, name),
  }
}

async function* nothing(): AsyncGenerator<never> {}

/**
 * One line for each entry: what the manifest lists, then the manifest, then what it does not list. `records` counts the
 * lines of `records.ndjson`. A file that is no bundle is one damaged line.
 */
export async function* verifyBundle(file: string): AsyncGenerator<RingHealth> {
  let manifest: Manifest
  try {
    manifest = (await openBundle(file)).manifest
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    yield health(file, null, 'damaged', 0, error.message.replace(/^BUNDLE_INVALID: /, ''))
    return
  }
  const listed = new Map(manifest.entries.map(entry => [entry.name, entry]))
  const found = new Map<string, Digest | { damage: string }>()
  const strangers: string[] = []
  try {
    await withZip(file, zip =>
      readAllEntries(zip, async zipEntry => {
        const { fileName } = zipEntry
        const entry = listed.get(fileName)
        if (fileName === manifestName && !found.has(fileName)) found.set(fileName, { damage: '' })
        else if (!entry || found.has(fileName)) strangers.push(fileName)
        else found.set(fileName, await digestOf(zip, zipEntry, entry))
      }),
    )
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
  }
  for (const entry of manifest.entries) yield judge(file, entry, found.get(entry.name))
  yield health(file, manifestName, 'ok', 0, null)
  for (const name of strangers) yield health(file, name, 'damaged', 0, 'the manifest does not list it')
}

function judge(file: string, entry: Entry, found: Digest | { damage: string } | undefined): RingHealth {
  const { name, bytes, sha256, status, reason } = entry
  if (found === undefined) return health(file, name, 'damaged', 0, 'it is missing')
  if ('damage' in found) return health(file, name, 'damaged', 0, found.damage)
  const records = name === 'records.ndjson' ? found.lines : 0
  if (found.bytes !== bytes) {
    return health(file, name, 'damaged', records, `it has ${found.bytes} bytes, the manifest says ${bytes}`)
  }
  if (found.sha256 !== sha256) return health(file, name, 'damaged', records, 'its SHA-256 is not that of the manifest')
  return health(file, name, 'ok', records, status === 'complete' ? null : `${status} when it was made: ${reason}`)
}

const health = (
  file: string,
  name: string | null,
  status: RingHealth['status'],
  records: number,
  reason: string | null,
): RingHealth => ({ path: name === null ? file : join(file, name), status, records, lost: 0, reason })

type Digest = Readonly<{ bytes: number; sha256: string; lines: number }>

/** Reads no more than the manifest promises. */
async function digestOf(zip: ZipFile, zipEntry: ZipEntry, entry: Entry): Promise<Digest | { damage: string }> {
  if (zipEntry.uncompressedSize > Math.min(entry.bytes, entryBytesMax)) {
    return { damage: `it has ${zipEntry.uncompressedSize} bytes, the manifest says ${entry.bytes}` }
  }
  const hash = createHash('sha256')
  let bytes = 0
  let lines = 0
  try {
    for await (const chunk of await contentOf(zip, zipEntry)) {
      hash.update(chunk)
      bytes += chunk.length
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines += 1
    }
  } catch (error) {
    return { damage: `it cannot be read: ${messageOf(error)}` }
  }
  return { bytes, sha256: hash.digest('hex'), lines }
}

async function* readBundleRecords(
  file: string,
  { signal, ...filter }: RecordFilter & Readonly<{ signal?: AbortSignal }>,
): AsyncGenerator<LogRecord | InferredGap> {
  let last = { at: '1970-01-01T00:00:00.000Z', bootId: '', monoMs: 0 }
  for await (const line of linesOf(file, 'records.ndjson')) {
    signal?.throwIfAborted()
    const record = parseRecord(line) ?? parseInferredGap(line) ?? gapOf(last)
    last = { at: record.at, bootId: record.bootId, monoMs: record.monoMs }
    if (passes(record, filter)) yield record
  }
}

/** As `records.ndjson` has it: a record without a number, and of no other type. */
function parseInferredGap(line: string): InferredGap | null {
  const numbered = /^\{/.test(line) ? parseRecord(line.replace('{', '{"seq":0,')) : null
  if (numbered?.type !== 'gap') return null
  const { seq: _, ...gap } = numbered
  return { ...gap, type: 'gap' }
}

const gapOf = (stamp: Pick<LogRecord, 'at' | 'bootId' | 'monoMs'>): InferredGap => ({
  ...stamp,
  level: 40,
  type: 'gap',
  conn: null,
  inc: null,
  data: { reason: 'damage', count: 1, fromSeq: null, toSeq: null },
})

async function readBundleEpisodes(
  file: string,
  { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY }: Pick<RecordFilter, 'since' | 'until'>,
): Promise<Episode[]> {
  const text = await withZip(file, async zip => {
    const read = await readAllEntries(zip, async entry =>
      entry.fileName === 'episodes.json' ? textOf(zip, entry, episodesBytesMax) : null,
    )
    return read.find(found => found !== null) ?? null
  })
  if (text === null) throw invalid('episodes.json is missing')
  const values = parseJson(text)
  if (!Array.isArray(values) || !values.every(isEpisode)) throw invalid('episodes.json is no list of episodes')
  return values.filter(episode => overlaps(episode, { since, until }))
}

/** What readers rely on; the rest is handed through as it is. */
function isEpisode(value: unknown): value is Episode {
  if (typeof value !== 'object' || value === null) return false
  const { id, conn, state, startedAt, endedAt, verdict } = value as Partial<Record<keyof Episode, unknown>>
  const isTime = (time: unknown): boolean => typeof time === 'string' && !Number.isNaN(Date.parse(time))
  return (
    typeof id === 'string' &&
    typeof conn === 'string' &&
    (state === 'open' || state === 'closed') &&
    isTime(startedAt) &&
    (endedAt === null || isTime(endedAt)) &&
    typeof verdict === 'object' &&
    verdict !== null
  )
}

async function* readEntry(file: string, name: string): AsyncGenerator<Buffer> {
  const zip = await openZip(file)
  try {
    yield* await contentOf(zip, await findEntry(zip, name))
  } catch (error) {
    throw translated(error)
  } finally {
    zip.close()
  }
}

async function* linesOf(file: string, name: string): AsyncGenerator<string> {
  const zip = await openZip(file)
  try {
    const entry = await findEntry(zip, name)
    let carry = Buffer.alloc(0)
    for await (const chunk of await contentOf(zip, entry)) {
      const bytes = Buffer.concat([carry, chunk])
      let start = 0
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
        yield bytes.toString('utf8', start, end)
        start = end + 1
      }
      carry = bytes.subarray(start)
      if (carry.length > lineBytesMax) throw invalid(`${name} has a line that is longer than any record`)
    }
    if (carry.length > 0) yield carry.toString('utf8')
  } catch (error) {
    throw translated(error)
  } finally {
    zip.close()
  }
}

async function findEntry(zip: ZipFile, name: string): Promise<ZipEntry> {
  for await (const entry of zip.eachEntry()) if (entry.fileName === name) return entry
  throw invalid(`${name} is missing`)
}

async function textOf(zip: ZipFile, entry: ZipEntry, bytesMax: number): Promise<string> {
  if (entry.uncompressedSize > bytesMax) throw invalid(`${entry.fileName} is too long`)
  const chunks: Buffer[] = []
  for await (const chunk of await contentOf(zip, entry)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Ends with an error where there is more than the archive says, so its sizes can be relied on. */
async function contentOf(zip: ZipFile, entry: ZipEntry): Promise<AsyncIterable<Buffer>> {
  const stream: Readable = await zip.openReadStreamPromise(entry)
  return stream
}

async function readAllEntries<T>(zip: ZipFile, read: (entry: ZipEntry) => Promise<T>): Promise<T[]> {
  if (zip.entryCount > entriesMax) throw invalid(`it has ${zip.entryCount} entries`)
  const found: T[] = []
  for await (const entry of zip.eachEntry()) found.push(await read(entry))
  return found
}

async function withZip<T>(file: string, use: (zip: ZipFile) => Promise<T>): Promise<T> {
  const zip = await openZip(file)
  try {
    return await use(zip)
  } catch (error) {
    throw translated(error)
  } finally {
    zip.close()
  }
}

async function openZip(file: string): Promise<ZipFile> {
  try {
    return await openPromise(file, { autoClose: false, strictFileNames: true })
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error
    throw invalid(`${basename(file)} is not a whole ZIP file: ${messageOf(error)}`)
  }
}

/** What the library and zlib say of the bytes is about the bundle; what the system says of the file is not. */
const translated = (error: unknown): unknown =>
  error instanceof AgentError || (error instanceof Error && ('syscall' in error || error.name === 'AbortError'))
    ? error
    : invalid(`it cannot be read: ${messageOf(error)}`)

const invalid = (message: string): AgentError => new AgentError('BUNDLE_INVALID', message)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
