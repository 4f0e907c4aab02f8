/** The records of the ring as text, as IoT Edge's agent shows logs of a module: filtered, without secrets, a piece at a time. */
import { setImmediate as breathe } from 'node:timers/promises'
import type { LogFilter, LogForm } from '../evidence/log-filter.js'
import { readRecords } from '../evidence/read.js'
import { type InferredGap, type LogRecord, levels } from '../evidence/record.js'
import { sentence, words } from '../evidence/sentence.js'
import type { Window } from '../evidence/window.js'
import type { Redactor } from '../redact.js'
import type { Device } from '../status.js'
import type { Patterns } from './pattern.js'

/** The only module there is. */
export const moduleName = 'hubrec'

export type LogSource = Readonly<{ ringDir: string; redactor: Redactor; device: Device; patterns: Patterns }>

/**
 * Narrowed by window, tail, level and expression, in this order.
 *
 * @throws Refusal 400 for an expression that cannot be used
 */
export function logText(
  filter: LogFilter,
  contentType: LogForm['contentType'],
  source: LogSource,
): AsyncGenerator<string> {
  const lines = linesOf(filter, contentType, source)
  return contentType === 'json' ? asArray(lines) : withLineEnds(lines)
}

/** Whether an item's `id` means this module. */
export async function isMeant(id: string, patterns: Patterns): Promise<boolean> {
  if (id.toLowerCase() === 'all') return true
  const [isFound] = await patterns.matcher('items.id', id, true)([moduleName])
  return isFound ?? false
}

type AnyRecord = LogRecord | InferredGap

/** Without secrets before a stranger's expression looks at it. */
async function* linesOf(
  { window, tail, loglevel, regex }: LogFilter,
  contentType: LogForm['contentType'],
  { ringDir, redactor, device, patterns }: LogSource,
): AsyncGenerator<string> {
  const matcher = regex === null ? null : patterns.matcher('items.filter.regex', regex)
  const records = tail === null ? readRecords(ringDir, window) : tailOf(ringDir, window, tail)
  for await (const batch of batches(records)) {
    const severe = batch.filter(({ level }) => loglevel === null || severityOf(level) <= loglevel)
    const told = severe.map(record => ({ record, text: redactor.text(words(record)) }))
    const isFound = matcher && told.length > 0 ? await matcher(told.map(({ text }) => text)) : null
    for (const [index, { record, text }] of told.entries()) {
      if (isFound && !isFound[index]) continue
      yield contentType === 'json' ? asObject(record, text, device) : redactor.text(sentence(record))
    }
  }
}

/** With IoT Edge's fields. */
const asObject = ({ level, at }: AnyRecord, text: string, { hub, deviceId }: Device): string =>
  JSON.stringify({
    iothub: hub,
    device: deviceId,
    id: moduleName,
    stream: 'stdout',
    loglevel: severityOf(level),
    text,
    timestamp: at,
  })

/** Syslog's number for one of pino's. */
function severityOf(level: number): number {
  if (level >= levels.fatal) return 2
  if (level >= levels.error) return 3
  if (level >= levels.warn) return 4
  return level >= levels.info ? 6 : 7
}

/** Read twice rather than kept: a window may be as long as the ring. What is written meanwhile is not part of it. */
async function* tailOf(ringDir: string, window: Window, count: number): AsyncGenerator<AnyRecord> {
  if (count === 0) return
  const seqs: number[] = []
  for await (const batch of batches(readRecords(ringDir, window))) seqs.push(...batch.map(seqOf))
  const newest = seqs.at(-1) ?? 0
  for await (const record of readRecords(ringDir, { ...window, fromSeq: seqs.at(-count) ?? 1 })) {
    if (seqOf(record) > newest) return
    yield record
  }
}

/** A gap that a reader infers stands where what is missing begins. */
const seqOf = (record: AnyRecord): number => ('seq' in record ? record.seq : Number(record.data.fromSeq))

/** After so many, others may have the loop. */
const batchMax = 100

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < batchMax) continue
    yield batch
    batch = []
    await breathe()
  }
  yield batch
}

async function* asArray(objects: AsyncIterable<string>): AsyncGenerator<string> {
  let before = '['
  for await (const object of objects) {
    yield `${before}${object}`
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

async function* withLineEnds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}
