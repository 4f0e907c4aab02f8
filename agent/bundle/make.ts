/** Makes a bundle: one archive of a time window, everything redacted, whatever some part of it does. */
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as breathe } from 'node:timers/promises'
import type { Secrets } from '../../transports/secrets.js'
import type { CollectorSettings } from '../config/config.js'
import { AgentError } from '../errors.js'
import type { Episode } from '../evidence/episode.js'
import { type EpisodeOrder, orderEpisodes } from '../evidence/episode-order.js'
import { takeInventory } from '../evidence/inventory.js'
import { readRecords } from '../evidence/read.js'
import type { RecordType } from '../evidence/record.js'
import type { Window } from '../evidence/window.js'
import type { Redactor } from '../redact.js'
import type { Versions } from '../versions.js'
import { type Choice, choiceOf } from './choice.js'
import type { CollectContext } from './collectors/collector.js'
import { collectors } from './collectors/collectors.js'
import { fit } from './fit.js'
import { legendOf } from './legend.js'
import { bundleFormat, type Entry, type EntryStatus, type LeftOut, type Manifest, manifestName } from './manifest.js'
import { type Part, type PartContext, type Seen, Skipped, TimeOver } from './part.js'
import { parts as allParts } from './parts.js'
import { createSelfTest, type SelfTest } from './self-test.js'
import { createZip, type ZipWriter } from './zip.js'

export type BundleOptions = Readonly<{
  /** Where it goes; the directory is there already. */
  file: string
  /** A side that is open is closed by the oldest record and by `nowMs`. */
  window: Window
  requestedBy: string
  why: string
  ringDir: string
  /** `device` or `device/module`. */
  device: string
  /** Without secrets, as `config.json` shows it. */
  config: unknown
  versions: Versions
  /** Titles by id. */
  causes: Readonly<Record<string, string>>
  /** A redactor of this bundle's own, so that its counts are the bundle's. */
  redactor: Redactor
  /** Those that the redactor takes out. */
  secrets: Secrets
  signal?: AbortSignal
  /** Wall time. */
  nowMs: number
  parts?: readonly Part[]
  /** What the running daemon says of itself; by default that nobody asked. */
  state?: (signal: AbortSignal) => Promise<unknown>
  /** Default: `/proc`. */
  procRoot?: string
  /** Names of choice.ts; left out: everything. */
  types?: readonly string[]
  /** Of the file. Default: 32 MiB. */
  bytesMax?: number
  /** What to gather from outside hubrec; by default nothing. */
  collect?: CollectorSettings
  /** Default: where the system's own programs are. */
  searchPath?: string
  /** Told of each piece that goes in. */
  onProgress?: (progress: Progress) => void
  /** Called once, when what fades within moments has been taken. */
  onFadingTaken?: () => void
  /** What `hubrec doctor` finds; by default that nobody asked. */
  doctor?: (signal: AbortSignal) => Promise<unknown>
  /** Default: the host's. */
  inventory?: (signal: AbortSignal) => Promise<unknown>
}>

/**
 * How many of the bundle's own parts are done; what is collected besides does not count. `bytes`: of all so far, before they
 * are compressed; how many there will be is not known.
 */
export type Progress = Readonly<{ part: string; partsDone: number; partsTotal: number; bytes: number }>

export type Made = Readonly<{ bytes: number; fileName: string; manifest: Manifest }>

/**
 * Streams, with bounded memory; the file is on disk under its name when the promise resolves, and no file is left by a
 * failure. A part that fails, hangs or is damaged ends as far as it came, and the manifest says so.
 *
 * @throws AgentError `BUNDLE_INVALID` when a secret was found in it; the file system's error when it cannot be written;
 *   the signal's reason
 */
export async function makeBundle(options: BundleOptions): Promise<Made> {
  const { file, redactor, secrets, ringDir, nowMs, signal = new AbortController().signal } = options
  const window = await closedWindow(options.window, ringDir, nowMs)
  const selfTest = createSelfTest(secrets)
  const about: PartContext['about'] = {
    device: options.device,
    createdAt: timeOf(nowMs),
    requestedBy: options.requestedBy,
    why: options.why,
    window: { from: timeOf(window.since), to: timeOf(window.until) },
    versions: options.versions,
  }
  const seen: Seen = {
    episodesGone: 0,
    covered: null,
    gaps: [],
    gapsLeftOut: 0,
    sampleColumns: new Set(),
    columnsLeftOut: 0,
  }
  const choice = choiceOf(options.types)
  /** What is older is left out, because not everything fits. */
  let fromSeq = 1
  let order: Promise<EpisodeOrder> | null = null
  // Which they are is decided once, so that all parts tell of the same.
  async function* episodesUntil(partSignal: AbortSignal): AsyncGenerator<Episode> {
    order ??= orderEpisodes(ringDir, window, { signal, fromSeq })
    yield* (await order).read(partSignal, missed => {
      seen.episodesGone = Math.max(seen.episodesGone, missed)
    })
  }
  const context: Shared = {
    ringDir,
    about,
    episodesUntil,
    stateDir: dirname(ringDir),
    window,
    config: options.config,
    state: options.state ?? notAsked,
    procRoot: options.procRoot ?? '/proc',
    searchPath: options.searchPath ?? standardSearchPath,
    doctor: options.doctor ?? (async () => null),
    inventory: options.inventory ?? (signal => takeInventory({ signal })),
    json: value => redactor.json(value),
    text: text => redactor.text(text),
    textStream: source => redactor.stream(source),
    plantedSecret: selfTest.plantedSecret,
    seen,
  }
  const zip = createZip(file, window.until)
  try {
    const entries: Entry[] = []
    const { parts = allParts, bytesMax: fileBytesMax = bytesMaxDefault } = options
    const bytesMax = fileBytesMax - reserveBytes
    const chosen = parts.filter(choice.takesPart)
    let [partsDone, takenBytes] = [0, 0]
    const add = async (part: Part, partBytesMax: number): Promise<void> => {
      const onPiece = (pieceBytes: number): void => {
        takenBytes += pieceBytes
        options.onProgress?.({ part: part.name, partsDone, partsTotal: chosen.length, bytes: takenBytes })
      }
      onPiece(0)
      const into = { zip, selfTest, signal, fromSeq, types: choice.types, bytesMax: partBytesMax, onPiece }
      entries.push(await addPart(into, part, context))
      if (chosen.includes(part)) partsDone += 1
    }
    for (const part of chosen) if (part.fades) await add(part, bytesMax)
    options.onFadingTaken?.()
    // What others hold may not take the room of what only we have.
    for await (const part of gathered(options.collect, choice, { ...context, signal })) await add(part, bytesMax / 2)
    const { types } = choice
    const roomBytes = bytesMax - zip.bytesWritten()
    const fitted = await fit({ ringDir, window, ...(types ? { types } : {}), roomBytes, signal, json: context.json })
    fromSeq = fitted.fromSeq
    for (const part of chosen) if (!part.fades) await add(part, bytesMax)
    const leftOut = [
      ...(fitted.leftOut ? [fitted.leftOut] : []),
      ...parts.filter(part => !choice.takesPart(part)).map(({ name }) => notChosen(name, 'not asked for')),
      ...(types && types.length > 0 ? [notChosen('records.ndjson', `only ${types.join(', ')} were asked for`)] : []),
    ]
    const manifest: Manifest = {
      format: bundleFormat,
      ...about,
      covered: seen.covered,
      entries,
      redactions: redactor.removed(),
      gaps: seen.gaps,
      gapsLeftOut: seen.gapsLeftOut,
      leftOut,
      legend: legendOf(options.causes),
    }
    const text = `${JSON.stringify(JSON.parse(redactor.json(manifest)), null, 2)}\n`
    selfTest.search(text)
    if (selfTest.failed)
      throw new AgentError('BUNDLE_INVALID', 'the self-test found a secret in it; nothing is shipped')
    await zip.add(manifestName, once(text))
    const bytes = await zip.finish()
    return { bytes, fileName: bundleName(options.device, window), manifest }
  } catch (error) {
    await zip.discard()
    throw error
  }
}

/** `hubrec-<device>-<from>-<to>.zip`, of characters that every file system and every URL takes. */
export function bundleName(device: string, window: Readonly<{ since: number; until: number }>): string {
  const compact = (ms: number): string => timeOf(ms).replace(/[-:]/g, '')
  const safe = device.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 128)
  return `hubrec-${safe}-${compact(window.since)}-${compact(window.until)}.zip`
}

export const bytesMaxDefault = 32 << 20
export const bytesMaxLowest = 1 << 20

/** For the manifest, the archive's own list, and what is on its way out while a part is stopped. */
const reserveBytes = 384 << 10

const standardSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const notAsked = (): Promise<never> => Promise.reject(new Skipped('no daemon was asked'))

/** What all parts are given; the rest ends with the time of each. */
type Shared = Omit<PartContext, 'signal' | 'records' | 'episodes'> &
  Readonly<{ ringDir: string; episodesUntil(signal: AbortSignal): AsyncGenerator<Episode> }>

/** In which their truth fades: after what is gone within moments, before what we hold ourselves. */
export async function* gathered(
  settings: CollectorSettings | undefined,
  { takesCollector }: Choice,
  context: CollectContext,
): AsyncGenerator<Part> {
  if (!settings) return
  for (const { name, partsOf } of collectors) if (takesCollector(name)) yield* partsOf(settings, context)
}

const notChosen = (name: string, reason: string): LeftOut => ({
  name,
  records: null,
  bytes: null,
  window: null,
  reason,
})

type ClosedWindow = PartContext['window']

export async function closedWindow({ since, until }: Window, ringDir: string, nowMs: number): Promise<ClosedWindow> {
  const end = until ?? nowMs
  return { since: since ?? Math.min((await oldest(ringDir)) ?? end, end), until: end }
}

/** A ring that cannot be read has no oldest record; the parts will say why. */
async function oldest(ringDir: string): Promise<number | null> {
  try {
    for await (const { at } of readRecords(ringDir)) return Date.parse(at)
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
  }
  return null
}

const full = 'there was no more room for it in the bundle'

type Into = Readonly<{
  zip: ZipWriter
  selfTest: SelfTest
  signal: AbortSignal
  fromSeq: number
  types: readonly RecordType[] | undefined
  /** The file's, when the part is done. */
  bytesMax: number
  onPiece(bytes: number): void
}>

async function addPart(into: Into, part: Part, context: Shared): Promise<Entry> {
  const { zip, selfTest, signal, fromSeq, bytesMax, onPiece } = into
  signal.throwIfAborted()
  const startedMs = performance.now()
  const limit = new AbortController()
  const stop = (): void => limit.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(() => limit.abort(new TimeOver(part.timeLimitMs)), part.timeLimitMs)
  const { ringDir, window, episodesUntil } = context
  const whole: PartContext = {
    ...context,
    signal: limit.signal,
    episodes: () => episodesUntil(limit.signal),
    records(asked) {
      const types = asked && into.types ? asked.filter(type => into.types?.includes(type)) : (asked ?? into.types)
      return readRecords(ringDir, { ...window, fromSeq, ...(types ? { types } : {}), signal: limit.signal })
    },
  }
  let failure: unknown = null
  let isBegun = false

  async function* content(): AsyncGenerator<Buffer> {
    try {
      for await (const piece of untilAborted(part.content(whole), limit.signal)) {
        if (zip.bytesWritten() > bytesMax) throw isBegun ? new Error(full) : new Skipped(full)
        selfTest.search(piece)
        isBegun = true
        const bytes = Buffer.from(piece)
        yield bytes
        onPiece(bytes.length)
        // A ring that is read from memory would otherwise keep the loop for itself.
        await breathe()
      }
    } catch (error) {
      failure = error ?? new Error('unknown')
      throw error
    }
  }

  try {
    const { bytes, sha256 } = await zip.add(part.name, content())
    signal.throwIfAborted()
    const durationMs = Math.round(performance.now() - startedMs)
    const shortcoming = part.shortcoming?.(whole) ?? null
    if (failure === null) {
      const status = shortcoming === null ? 'complete' : 'truncated'
      return { name: part.name, bytes, sha256, durationMs, status, reason: shortcoming }
    }
    return { name: part.name, bytes, sha256, durationMs, ...described(failure, isBegun) }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

function described(failure: unknown, isBegun: boolean): { status: EntryStatus; reason: string } {
  if (failure instanceof TimeOver) return { status: 'timedOut', reason: failure.message }
  if (failure instanceof Skipped) return { status: 'skipped', reason: failure.message }
  const reason = failure instanceof Error ? failure.message : String(failure)
  return { status: isBegun ? 'truncated' : 'failed', reason }
}

/** Whatever the generator waits for, the waiting ends with the signal; it may never hear of it itself. */
async function* untilAborted(content: AsyncGenerator<string>, signal: AbortSignal): AsyncGenerator<string> {
  let stop = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  // Nobody may be waiting when it happens.
  aborted.catch(() => undefined)
  try {
    for (;;) {
      const { done, value } = await Promise.race([content.next(), aborted])
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    // Not awaited: a generator that hangs would hang here too.
    content.return(undefined).catch(() => undefined)
  }
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

/** As far as a date can say it. */
const timeOf = (ms: number): string =>
  new Date(Math.min(Math.max(ms, -62_135_596_800_000), 253_402_300_799_999)).toISOString()
