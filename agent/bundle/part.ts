/** What an entry of a bundle is: a name, and where its text comes from. To add one, write a file and name it in parts.ts. */
import type { Episode } from '../evidence/episode.js'
import type { InferredGap, LogRecord, RecordType } from '../evidence/record.js'
import type { Manifest } from './manifest.js'

/** What every part may ask; nothing that it gives was redacted beyond what the ring is. */
export type PartContext = Readonly<{
  /** The records of the window, oldest first. */
  records(types?: readonly RecordType[]): AsyncGenerator<LogRecord | InferredGap>
  /** Those of the window, by when they started; `seen.episodesGone` counts what could not be had. */
  episodes(): AsyncGenerator<Episode>
  /** What the manifest will say of the bundle. */
  about: Pick<Manifest, 'device' | 'createdAt' | 'requestedBy' | 'why' | 'window' | 'versions'>
  /** What is ours on the disk: nothing in it is gathered as it is. */
  stateDir: string
  /** Wall times in unix milliseconds. */
  window: Readonly<{ since: number; until: number }>
  config: unknown
  /** What the running daemon says of itself, as `hubrec status --json`. @throws Skipped where none runs */
  state(signal: AbortSignal): Promise<unknown>
  /** What stands between this device and its hub. */
  doctor(signal: AbortSignal): Promise<unknown>
  /** What the host is. */
  inventory(signal: AbortSignal): Promise<unknown>
  /** `/proc`; another place in tests. */
  procRoot: string
  /** Where programs are looked for, as in `$PATH`. */
  searchPath: string
  /** Plain data as JSON on one line, without secrets: whatever leaves this device goes through here. */
  json(value: unknown): string
  /** Any other text without secrets. */
  text(text: string): string
  /**
   * A file or the output of a program without secrets, of any length, in bounded memory, wherever its chunks were cut.
   *
   * @returns pieces of at most some 128 KiB, for `yield*`
   */
  textStream(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string>
  /** Goes into one record and into the inventory; a bundle in which it can be found is not shipped. */
  plantedSecret: string
  /** What the records have told to the parts that come after them. */
  seen: Seen
  signal: AbortSignal
}>

/** Grows while the parts are written. */
export type Seen = {
  /** So many of the oldest episodes have gone since the bundle was begun, because the ring is full and its writer goes on. */
  episodesGone: number
  /** From here on by `records.ndjson`. */
  covered: { from: string; to: string } | null
  gaps: (LogRecord | InferredGap)[]
  gapsLeftOut: number
  /** Names of the fields of samples. */
  sampleColumns: Set<string>
  /** Columns that were too many. */
  columnsLeftOut: number
}

export type Part = Readonly<{
  name: string
  /** Whole lines or whole documents at a time, at most some 64 KiB where there are many. */
  content(context: PartContext): AsyncGenerator<string>
  /** Why what it gave is less than it should be; asked at its end. */
  shortcoming?(context: PartContext): string | null
  timeLimitMs: number
  /** Of text, what it can be at most; left out where that is not known before. */
  bytesMax?: number
  /** Gone within moments: it comes before everything else. */
  fades?: true
}>

/** There is nothing to be had here, and nobody is to blame: thrown by a part that is told of as skipped, with this reason. */
export class Skipped extends Error {
  override readonly name = 'Skipped'
}

/** What was asked of a part, or by it, took too long. */
export class TimeOver extends Error {
  override readonly name = 'TimeOver'

  constructor(limitMs: number) {
    super(`not done within ${limitMs} ms`)
  }
}
