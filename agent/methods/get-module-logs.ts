/** `GetModuleLogs`: the records of the ring as IoT Edge's agent answers logs of a module. */
import { setImmediate as breathe } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { readRecords } from '../evidence/read.js'
import { type InferredGap, type LogRecord, levels } from '../evidence/record.js'
import { sentence, words } from '../evidence/sentence.js'
import { answerBytesMax } from './answer-size.js'
import { type Method, type MethodContext, Refusal } from './method.js'
import type { Matcher } from './pattern.js'
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

/** A record as it is chosen by, and as it is shown. */
type Line = Readonly<{ loglevel: number; text: string; shown: string }>

/** Narrowed by window, tail, level and expression, in this order. */
async function* linesOf(
  filter: LogFilter,
  contentType: ModuleLogsPayload['contentType'],
  context: MethodContext,
): AsyncGenerator<string> {
  const { window, tail, loglevel, regex } = filter
  const matcher = regex === null ? null : context.patterns.matcher('items.filter.regex', regex)
  const inWindow = shownLines(readRecords(context.ringDir, window), contentType, context)
  const inTail = tail === null ? inWindow : lastOf(inWindow, tail)
  for await (const batch of batches(inTail)) {
    const severe = batch.filter(line => loglevel === null || line.loglevel <= loglevel)
    yield* await matching(severe, matcher)
  }
}

async function* shownLines(
  records: AsyncIterable<LogRecord | InferredGap>,
  contentType: ModuleLogsPayload['contentType'],
  { device, redactor }: MethodContext,
): AsyncGenerator<Line> {
  for await (const record of records) {
    const loglevel = severityOf(record.level)
    // The ring is redacted; a token that became known since then is not.
    const text = redactor.text(words(record))
    const json = (): string =>
      JSON.stringify({
        iothub: device.hub,
        device: device.deviceId,
        id: moduleName,
        stream: 'stdout',
        loglevel,
        text,
        timestamp: record.at,
      })
    yield { loglevel, text, shown: contentType === 'json' ? json() : redactor.text(sentence(record)) }
  }
}

/** Syslog's number for one of pino's. */
function severityOf(level: number): number {
  if (level >= levels.fatal) return 2
  if (level >= levels.error) return 3
  if (level >= levels.warn) return 4
  return level >= levels.info ? 6 : 7
}

async function* lastOf(lines: AsyncIterable<Line>, count: number): AsyncGenerator<Line> {
  let kept: Line[] = []
  let first = 0
  let characters = 0
  for await (const line of lines) {
    kept.push(line)
    characters += line.shown.length
    while (kept.length - first > count) {
      characters -= kept[first]?.shown.length ?? 0
      first += 1
    }
    if (characters > tailCharactersMax) throw tooLong()
    if (first > 10_000) {
      kept = kept.slice(first)
      first = 0
    }
  }
  yield* kept.slice(first)
}

/** So many go to the matching thread in one message, and then others may have the loop. */
const batchMax = 200

async function* batches(lines: AsyncIterable<Line>): AsyncGenerator<readonly Line[]> {
  let batch: Line[] = []
  for await (const line of lines) {
    batch.push(line)
    if (batch.length < batchMax) continue
    yield batch
    batch = []
    await breathe()
  }
  yield batch
}

async function matching(lines: readonly Line[], matcher: Matcher | null): Promise<string[]> {
  if (matcher === null || lines.length === 0) return lines.map(({ shown }) => shown)
  const found = await matcher(lines.map(({ text }) => text))
  return lines.filter((_, index) => found[index]).map(({ shown }) => shown)
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
