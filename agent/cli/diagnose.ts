/** `hubrec diagnose`: what this release makes of records that somebody sent. */
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { createGunzip } from 'node:zlib'
import { AgentError } from '../errors.js'
import { incidents } from '../evidence/incidents.js'
import { parseRecord } from '../evidence/read.js'
import { createReplay } from '../replay.js'
import type { Command } from './command.js'
import { describe, summary } from './episodes.js'

export const diagnose: Command = {
  name: 'diagnose',
  summary: 'replay recorded events through the rules of this release',
  usage: 'FILE.ndjson',
  details: [
    'FILE holds records, a line each: what `hubrec logs --json` or `--raw` printed, records.ndjson of a bundle, or a',
    'segment of a ring, packed or not. The verdicts that stand in it are not looked at. - reads standard input.',
  ].join('\n'),
  options: {},
  positionalsMax: 1,
  async run(values, [file], io) {
    if (file === undefined) throw new AgentError('USAGE', 'expected a file of records: hubrec diagnose FILE.ndjson')
    const replay = createReplay()
    const unread: string[] = []
    let records = 0
    let line = 0
    for await (const text of linesOf(file)) {
      line += 1
      if (text.trim() === '') continue
      const record = parseRecord(withoutChecksum(text))
      if (record === null) {
        unread.push(`line ${line}: no record`)
        continue
      }
      records += 1
      try {
        replay.take(record)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        unread.push(`line ${line}: a ${record.type} record that cannot be read: ${error.message}`)
      }
    }
    for (const problem of unread.slice(0, problemsMax)) io.complain(`${file}: ${problem}`)
    if (unread.length > problemsMax) io.complain(`${file}: and ${unread.length - problemsMax} lines more`)
    if (records === 0) throw new AgentError('USAGE', `${file} holds no records; hubrec logs --json prints some`)
    const found = replay.episodes()
    if (values.json) for (const episode of found) io.print(JSON.stringify(episode))
    else for (const text of [...incidents(found).flatMap(describe), ...summary(found)]) io.print(text)
    return 0
  },
}

const problemsMax = 10

/** In the active segment of a ring the CRC stands before the JSON. */
const withoutChecksum = (text: string): string => (/^[0-9a-f]{8} \{/.test(text) ? text.slice(9) : text)

/** @throws AgentError `USAGE` for a file that cannot be read, or is packed and damaged */
async function* linesOf(file: string): AsyncGenerator<string> {
  const bytes = file === '-' ? process.stdin : createReadStream(file)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  try {
    for await (const piece of unpacked(bytes)) {
      const lines = (rest + decoder.write(piece)).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new AgentError('USAGE', `${file} cannot be read: ${error.code}`)
  }
  yield rest + decoder.end()
}

async function* unpacked(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const pieces = bytes[Symbol.asyncIterator]()
  const first = await pieces.next()
  if (first.done) return
  const all = Readable.from(from(first.value, pieces))
  const isPacked = first.value[0] === 0x1f && first.value[1] === 0x8b
  if (!isPacked) yield* all
  else {
    const text = createGunzip()
    // Its error comes out of the iteration.
    pipeline(all, text, () => undefined)
    yield* text
  }
}

async function* from(first: Buffer, others: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first
  for (let next = await others.next(); !next.done; next = await others.next()) yield next.value
}
