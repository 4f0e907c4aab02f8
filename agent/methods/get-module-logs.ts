/** `GetModuleLogs`: the records of the ring as IoT Edge's agent answers logs of a module. */
import { createGzip } from 'node:zlib'
import type { LogFilter, LogForm } from '../evidence/log-filter.js'
import { answerBytesMax } from './answer-size.js'
import { isMeant, logText, moduleName } from './log-text.js'
import { type Method, type MethodContext, Refusal } from './method.js'
import { readModuleLogs } from './payloads.js'

export const getModuleLogs: Method = {
  name: 'GetModuleLogs',
  async answer(payload, context) {
    const request = readModuleLogs(payload, context.nowMs())
    if (!context.readers.enter()) throw new Refusal(429, 'other requests for logs are being answered')
    try {
      const answers: LogsAnswer[] = []
      for (const { id, filter } of request.items) {
        if (await isMeant(id, context.patterns)) answers.push(await answerOf(filter, request, context))
      }
      return { status: 200, payload: answers }
    } finally {
      context.readers.leave()
    }
  },
}

type LogsAnswer = Readonly<{ id: string; payloadBytes: string | null; payload: string | null }>

async function answerOf(
  filter: LogFilter,
  { encoding, contentType }: LogForm,
  context: MethodContext,
): Promise<LogsAnswer> {
  const text = logText(filter, contentType, context)
  if (encoding === 'none') return { id: moduleName, payloadBytes: null, payload: await gather(text) }
  return { id: moduleName, payloadBytes: await compress(text), payload: null }
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
    `the answer would be over ${answerBytesMax} bytes; narrow it with since, until, tail, loglevel or regex, or use UploadModuleLogs`,
  )
