/**
 * A flight recorder's memory: what is too much for the ring goes to a file in memory, and what surrounds a loss is written down
 * with its episode; after a crash by the next start.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../transports/clock.js'
import { type Draft, levels, type RecordType } from '../evidence/record.js'
import type { Log } from '../operator-log.js'
import type { Redactor } from '../redact.js'
import type { Disk } from '../ring/disk.js'
import { timer } from '../timer.js'
import { describeStderr, type Gone, type LastWords, lastWords, type Stderr } from './last-words.js'
import { leavePlace, type Place } from './place.js'
import { readVerbose, VerboseFile, type VerboseLine } from './verbose-file.js'
import {
  type Allowance,
  Choice,
  calm,
  type News,
  refilled,
  type Stretch,
  type StretchName,
  step,
  type Watch,
  wakeAtMs,
} from './window.js'

export type RecallOptions = Readonly<{
  /** `null` where nothing verbose can be kept. */
  place: Place | null
  clock: Clock
  redactor: Redactor
  log: Log
  env: NodeJS.ProcessEnv
  /** How long a dead connection may go unnoticed. */
  detectionLimitMs: number
  ringBudgetBytes: number
  /** Whether what is verbose goes into the ring for now, and not into memory. */
  isRaised?: () => boolean
  /** Writes to the ring what was recorded here; resolves when the kernel has it. */
  write(drafts: readonly Draft[]): Promise<void>
  /** Writes a record of now. */
  say(data: Readonly<Record<string, unknown>>): Promise<void>
  /** In place of the real ones. */
  after?: (delayMs: number, act: () => void) => () => void
  disk?: Disk
  bytesMax?: number
  stderrLink?: string
  journalctl?: string
}>

/** How the run before ended, as the ring knows it. */
export type RunBefore = Readonly<{
  crashed: boolean
  /** Which process that was; `null` where the ring does not say. */
  pid: number | null
}>

export interface Recall {
  /** Keeps a verbose record for a while. Never throws, never waits. */
  note(type: RecordType, data: object, conn?: string | null, inc?: number | null): void
  /** Keeps what the SDK says to whoever debugs it. */
  sdk(namespace: string, text: string): void
  /** Told of each version of an episode. What comes before `begin` was begun by the run before. */
  episode(episode: Readonly<{ id: string; state: 'open' | 'closed'; planned: boolean }>): void
  /** Looks at what the run before has left, writes it down after a crash, and begins to write. Never rejects. */
  begin(before: RunBefore): Promise<void>
  /** Runs until the signal aborts, and writes down then what an outage that still lasts has left. */
  run(signal: AbortSignal): Promise<void>
  /** Hands over what waits: for the next start, which will ask. Never rejects. */
  close(): Promise<void>
  /** Leaves nothing: after a goodbye nobody asks. Never rejects. */
  forget(): Promise<void>
}

/** Of one outage at most, a third of it for each stretch, in a ring that is not small. */
const episodeBytesMax = 1 << 20
const hourlyEpisodes = 4

/** The part of the ring that one outage may take. */
const ringShare = 1 / 16

/** What is handed to the ring at once: it drops what is more than it can hold in memory. */
const recordsAtOnce = 128

/** Of a line of the SDK; what is read of it, so that a secret is known before the cut; how long a secret may be. */
const textMax = 2_000
const rawTextMax = 16_000
const secretMax = 2_000

/** A stop does not wait longer for what is written down. */
const stopLimitMs = 2_000

export function createRecall(options: RecallOptions): Recall {
  const {
    place,
    clock,
    redactor,
    log,
    env,
    ringBudgetBytes,
    write,
    say,
    isRaised = () => false,
    after = timer,
  } = options
  const spanMs = 2 * options.detectionLimitMs
  const hourlyBytesMax = hourlyEpisodes * Math.min(episodeBytesMax, ringBudgetBytes * ringShare)
  const stretchBytesMax = Math.floor(hourlyBytesMax / hourlyEpisodes / 3)

  let stderr: Stderr = { kind: 'other', what: 'not known yet' }
  /** The last that was looked at for writing down, whether it was kept or left out. */
  let writtenSeq = 0
  let watch: Watch = calm
  /** Of the run before, before `begin`. */
  let inherited: { id: string; planned: boolean } | null = null
  let begun = false
  let wake: () => void = () => undefined
  let allowance: Allowance = { bytes: hourlyBytesMax, atMs: clock.now().monoMs }
  /** One write-down after the other. */
  let work: Promise<unknown> = Promise.resolve()

  const draftOf = (type: RecordType, data: object, conn: string | null = null, inc: number | null = null): Draft => {
    const { wallMs, monoMs } = clock.now()
    const at = new Date(wallMs).toISOString()
    return { at, bootId: clock.bootId, monoMs, level: levels.trace, type, conn, inc, data: { ...data } }
  }
  const keep: Recall['note'] = (type, data, conn, inc) => {
    if (isRaised()) void write([draftOf(type, data, conn, inc)])
    else file?.append(jsonOf(type, data, conn, inc))
  }
  const jsonOf = (type: RecordType, data: object, conn?: string | null, inc?: number | null): string =>
    redactor.json(draftOf(type, data, conn, inc))

  const file =
    place &&
    new VerboseFile({
      place,
      opening: () => jsonOf('start', { pid: process.pid, stderr, writtenSeq } satisfies Opening),
      missing: (count, reason) => jsonOf('log', { msg: `${count} verbose records are missing here`, count, reason }),
      onRefusal: code =>
        code === null
          ? log.info('verbose records are kept again')
          : log.warn('verbose records cannot be kept for now', { dir: place.dir, code }),
      ...(options.disk === undefined ? {} : { disk: options.disk }),
      ...(options.bytesMax === undefined ? {} : { bytesMax: options.bytesMax }),
    })

  const inTurn = (what: string, act: () => Promise<void>): Promise<void> => {
    const done = work.then(act).catch((error: unknown) => log.error(`${what} failed`, { err: error }))
    work = done
    return done
  }

  const tell = (news: News): void => {
    if (file === null) return
    const next = step(watch, news, clock.now().monoMs, spanMs)
    watch = next.watch
    for (const stretch of next.stretches) {
      void inTurn('writing verbose records down', async () => {
        await file.flush()
        await writeDown(stretch, file.read(), writtenSeq, seq => {
          writtenSeq = seq
          file.openAgain()
        })
      })
    }
    wake()
    const dueMs = wakeAtMs(watch, spanMs)
    if (dueMs !== null) wake = after(Math.max(1, Math.ceil(dueMs - clock.now().monoMs)), () => tell({ what: 'time' }))
  }

  async function writeDown(
    stretch: Stretch,
    lines: AsyncIterable<VerboseLine>,
    after: number,
    seen: (seq: number) => void,
  ): Promise<void> {
    const { name, fromMs, toMs, keep } = stretch
    const nowMs = clock.now().monoMs
    allowance = refilled(allowance, nowMs, hourlyBytesMax)
    const choice = new Choice<VerboseLine & { draft: Draft }>(Math.min(stretchBytesMax, allowance.bytes), keep)
    let last = after
    let first: number | null = null
    for await (const line of lines) {
      const draft = draftIn(line)
      if (line.seq <= after || draft === null || draft.monoMs > toMs) continue
      last = line.seq
      if (draft.monoMs < fromMs) continue
      first ??= line.seq
      choice.add({ ...line, draft })
    }
    const { lines: kept, leftOut, bytes } = choice.kept
    allowance = { ...allowance, bytes: allowance.bytes - bytes }
    // Between the beginning of a long outage and its end there is more, some of it gone from the file by now.
    const between = name === 'back' ? (first ?? last + 1) - 1 - after : 0
    // A stop right after a start has nothing to tell; a loss has, if only that the outage before tells it.
    if (name !== 'back' || kept.length + leftOut + between > 0) await say(headOf(stretch, kept, leftOut + between))
    for (let index = 0; index < kept.length; index += recordsAtOnce) {
      const some = kept.slice(index, index + recordsAtOnce)
      await write(some.map(({ draft }) => draft))
      const { seq } = some.at(-1) ?? { seq: after }
      // The newest that were left out are looked at, too, but only when all is done.
      seen(index + recordsAtOnce < kept.length ? seq : last)
    }
    if (kept.length === 0) seen(last)
  }

  async function writeEnd(place: Place, before: RunBefore, episode: string | null): Promise<Gone | null> {
    let opening: Opening | null = null
    let bootId = ''
    let lastMs = Number.NEGATIVE_INFINITY
    for await (const line of readVerbose(place, options.disk)) {
      const record = parse(line)
      if (record?.type === 'start') {
        opening = record.data as Opening
        bootId = record.bootId
      } else if (record) lastMs = Math.max(lastMs, record.monoMs)
    }
    if (opening === null) return null
    const { pid, stderr } = opening
    // A file that the crashed run could not replace tells of another one.
    if (before.pid !== null && pid !== before.pid) return null
    const stretch: Stretch = { episode, name: 'end', fromMs: lastMs - spanMs, toMs: lastMs, keep: 'newest' }
    await writeDown(stretch, readVerbose(place, options.disk), opening.writtenSeq, () => undefined)
    return { pid, bootId, stderr }
  }

  async function writeLastWords(gone: Gone, episode: string | null): Promise<void> {
    const { journalctl } = options
    const redact = (text: string): string => redactor.text(text)
    const found = await lastWords(gone, { own: stderr, redact, ...(journalctl === undefined ? {} : { journalctl }) })
    await say({ msg: sayingOf(found), episode, pid: gone.pid })
  }

  return {
    note: keep,

    sdk: (namespace, text) => keep('log', { msg: clipped(redactor, text), sdk: namespace }),

    episode({ id, state, planned }) {
      if (!begun) inherited = { id, planned }
      else if (state === 'closed') tell({ what: 'back' })
      else tell(planned ? { what: 'left' } : { what: 'lost', episode: id })
    },

    async begin(before) {
      begun = true
      if (file === null || place === null) return log.warn('no place in memory: verbose records are not kept')
      const episode = inherited?.id ?? null
      if (inherited !== null && (before.crashed || !inherited.planned)) tell({ what: 'resumed', episode: inherited.id })
      let gone = null as Gone | null
      void inTurn('looking at stderr', async () => {
        const link = options.stderrLink
        stderr = await describeStderr({ env, ...(link === undefined ? {} : { link }) })
      })
      void inTurn('writing down the end of the run before', async () => {
        if (before.crashed) gone = await writeEnd(place, before, episode)
      })
      void inTurn('beginning the verbose file', () => file.begin())
      await inTurn('asking for last words', async () => {
        if (gone !== null) await writeLastWords(gone, episode)
      })
    },

    async run(signal) {
      if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      tell({ what: 'stopping' })
      wake()
      await Promise.race([work, sleep(stopLimitMs, undefined, { ref: false })])
    },

    async close() {
      wake()
      await file?.close()
    },

    async forget() {
      wake()
      await file?.remove()
      if (place) await leavePlace(place)
    },
  }
}

/** The data of an opening line. */
type Opening = Readonly<{ pid: number; stderr: Stderr; writtenSeq: number }>

/** A line with a sound checksum was written by this file, or by that of an earlier version. */
function parse({ json }: VerboseLine): (Draft & { seq?: number }) | null {
  try {
    return JSON.parse(json) as Draft
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function draftIn(line: VerboseLine): Draft | null {
  const record = parse(line)
  if (record === null || record.type === 'start') return null
  const { seq, ...draft } = record
  return draft
}

const stretchWords: Readonly<Record<StretchName, string>> = {
  before: 'from before the loss',
  after: 'from the beginning of the outage',
  back: 'from the outage until after it',
  end: 'from the end of the run before',
}

/** What a reader must know of the records that follow: whose they are, and how to find them in whatever order. */
function headOf(
  { episode, name, fromMs, toMs }: Stretch,
  kept: readonly Readonly<{ draft: Draft }>[],
  leftOut: number,
): Readonly<Record<string, unknown>> {
  const count = kept.length
  const omitted = leftOut === 0 ? '' : `; ${leftOut} more are left out`
  const [first, last] = [kept[0]?.draft, kept.at(-1)?.draft]
  return {
    msg: `${count} verbose records ${stretchWords[name]} are written down after this one${omitted}`,
    episode,
    stretch: name,
    count,
    leftOut,
    from: first?.at ?? null,
    to: last?.at ?? null,
    bootId: first?.bootId ?? null,
    fromMonoMs: round(fromMs),
    toMonoMs: round(toMs),
  }
}

const round = (ms: number): number => Math.round(ms * 1e3) / 1e3

function sayingOf(found: LastWords): string {
  if ('unknown' in found) return `the last words of the run before on stderr cannot be had: ${found.unknown}`
  return found.text === ''
    ? 'the run before said nothing on stderr'
    : `the run before said last on stderr: ${found.text}`
}

/** Only what went through the redactor as a whole may be cut. */
function clipped(redactor: Redactor, text: string): string {
  const isLong = text.length > rawTextMax
  const scrubbed = redactor.text(isLong ? text.slice(0, rawTextMax) : text)
  const sound = isLong ? scrubbed.slice(0, -secretMax) : scrubbed
  return sound.length > textMax || isLong ? `${sound.slice(0, textMax)}... (${text.length} characters)` : sound
}
