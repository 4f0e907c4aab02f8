/** `GetModuleLogs`: the records of the ring as IoT Edge's agent answers logs of a module. */
import { setImmediate as breathe } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { readRecords } from '../evidence/read.js'
import { type InferredGap, type LogRecord, levels } from '../evidence/record.js'
import { sentence, words } from '../evidence/sentence.js'
import { answerBytesMax } from './answer-size.js'
import { type Method, type MethodContext, Refusal } from './method.js'
import { type LogFilter, type ModuleLogsPayload, readModuleLogs } from './payloads.js'

/** The only module there is. */
const moduleName = 'hubrec'

/** What a tail may hold before the other filters narrow it. */
const tailCharactersMax = 8 << 20

export const getModuleLogs: Method = {
  name: 'GetModuleLogs',
  async answer(payload, context) {
    const request = readModuleLogs(payload, context.nowMs())
    if (!context.readers.enter()) throw new Refusal(429, 'other requests for logs are being answered')
    try {
      const answers: LogsAnswer[] = []
      for (const { id, filter } of request.items) {
        if (await isMeant(id, context)) answers.push(await answerOf(filter, request, context))
      }
      return { status: 200, payload: answers }
    } finally {
      context.readers.leave()
    }
  },
}

type LogsAnswer = Readonly<{ id: string; payloadBytes: string | null; payload: string | null }>

async function isMeant(id: string, { patterns }: MethodContext): Promise<boolean> {
  if (id.toLowerCase() === 'all') return true
  const [isFound] = await patterns.matcher('items.id', id, true)([moduleName])
  return isFound ?? false
}

async function answerOf(
  filter: LogFilter,
  { encoding, contentType }: ModuleLogsPayload,
  context: MethodContext,
): Promise<LogsAnswer> {
  const lines = linesOf(filter, contentType, context)
  const text = contentType === 'json' ? asArray(lines) : withLineEnds(lines)
  if (encoding === 'none') return { id: moduleName, payloadBytes: null, payload: await gather(text) }
  return { id: moduleName, payloadBytes: await compress(text), payload: null }
}

type AnyRecord = LogRecord | InferredGap

/** Narrowed by window, tail, level and expression, in this order; without secrets before a stranger's expression looks at it. */
async function* linesOf(
  filter: LogFilter,
  contentType: ModuleLogsPayload['contentType'],
  context: MethodContext,
): AsyncGenerator<string> {
  const { window, tail, loglevel, regex } = filter
  const matcher = regex === null ? null : context.patterns.matcher('items.filter.regex', regex)
  const inWindow = readRecords(context.ringDir, window)
  const inTail = tail === null ? inWindow : lastOf(inWindow, tail)
  for await (const batch of batches(inTail)) {
    const severe = batch.filter(({ level }) => loglevel === null || severityOf(level) <= loglevel)
    const told = severe.map(record => ({ record, text: context.redactor.text(words(record)) }))
    const isFound = matcher && told.length > 0 ? await matcher(told.map(({ text }) => text)) : null
    for (const [index, { record, text }] of told.entries()) {
      if (isFound && !isFound[index]) continue
      yield contentType === 'json' ? asObject(record, text, context) : context.redactor.text(sentence(record))
    }
  }
}

/** With IoT Edge's fields. */
const asObject = ({ level, at }: AnyRecord, text: string, { device }: MethodContext): string =>
  JSON.stringify({
    iothub: device.hub,
    device: device.deviceId,
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

/** After so many, others may have the loop. */
const batchMax = 100

async function* lastOf(records: AsyncIterable<AnyRecord>, count: number): AsyncGenerator<AnyRecord> {
  const kept: { record: AnyRecord; characters: number }[] = []
  let total = 0
  for await (const batch of batches(records)) {
    for (const record of batch) {
      const characters = words(record).length
      kept.push({ record, characters })
      total += characters
    }
    for (const { characters } of kept.splice(0, Math.max(0, kept.length - count))) total -= characters
    if (total > tailCharactersMax) throw tooLong()
  }
  for (const { record } of kept) yield record
}

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

/** Stops reading as soon as it is known to be too long. */
async function gather(text: AsyncIterable<string>): Promise<string> {
  const pieces: string[] = []
  let bytes = 0
  for await (const piece of text) {
    pieces.push(piece)
    bytes += Buffer.byteLength(piece)
    if (bytes > answerBytesMax) throw tooLong()
  }
  return pieces.join('')
}

async function compress(text: AsyncIterable<string>): Promise<string> {
  const gzip = createGzip()
  const pieces: Buffer[] = []
  let bytes = 0
  gzip.on('data', (piece: Buffer) => {
    pieces.push(piece)
    bytes += piece.length
  })
  const ended = new Promise<void>((resolve, reject) => {
    gzip.once('end', resolve)
    gzip.once('error', reject)
  })
  try {
    for await (const piece of text) {
      if (!gzip.write(piece)) await new Promise(resolve => gzip.once('drain', resolve))
      if ((bytes * 4) / 3 > answerBytesMax) throw tooLong()
    }
    gzip.end()
    await ended
  } finally {
    gzip.destroy()
  }
  return Buffer.concat(pieces).toString('base64')
}

const tooLong = (): Refusal =>
  new Refusal(
    400,
    `the answer would be over ${answerBytesMax} bytes; narrow it with since, until, tail, loglevel or regex, or use UploadSupportBundle`,
  )
