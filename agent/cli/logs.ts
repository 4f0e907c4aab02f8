/** `hubrec logs`: the records. */

import { AgentError } from '../errors.js'
import { readRecords } from '../evidence/read.js'
import { type InferredGap, type LogRecord, type RecordType, recordTypes } from '../evidence/record.js'
import { sentence } from '../evidence/sentence.js'
import { exportRing } from '../ring/export.js'
import type { Command, ExitCode, Io, Values } from './command.js'
import { sourceOptions, windowOptions } from './options.js'
import { openSource, windowOf } from './source.js'

export const logs: Command = {
  name: 'logs',
  summary: 'the records, all types, oldest first',
  usage: '[--since T] [--until T] [--around ID] [--type TYPE]... [--follow] [--raw]',
  details: [
    'What is known to be missing is printed in its place, as a gap. A damaged ring prints what is sound.',
    'With --raw the whole ring comes as one gzip file of JSON lines, as quickly as it can be copied: what is packed on',
    'the disk is not unpacked, and so not checked either.',
  ].join('\n'),
  options: {
    ...windowOptions,
    type: { type: 'string', multiple: true, value: 'TYPE', help: `only these: ${recordTypes.join(', ')}` },
    follow: { type: 'boolean', short: 'f', help: 'go on with what is written from now on, until Ctrl-C' },
    raw: { type: 'boolean', help: 'all of it, as a gzip file: hubrec logs --raw > ring.ndjson.gz' },
    ...sourceOptions,
  },
  positionalsMax: 0,
  async run(values, _positionals, io) {
    if (values.raw) return copyRing(values, io)
    const types = typesOf(values)
    const source = await openSource(values, io)
    const window = await windowOf(values, source, Date.now())
    if (values.follow && source.ringDir === null) throw new AgentError('USAGE', 'a bundle cannot be followed')
    const records =
      values.follow && source.ringDir !== null
        ? readRecords(source.ringDir, { ...window, ...types, signal: io.signal, follow: true })
        : source.records({ ...window, ...types, signal: io.signal })
    const show = values.json ? (record: LogRecord | InferredGap): string => JSON.stringify(record) : sentence
    await printAll(records, show, io)
    return 0
  },
}

async function copyRing(values: Values, io: Io): Promise<ExitCode> {
  const narrowing = ['since', 'until', 'around', 'type', 'follow', 'json'].filter(name => values[name] !== undefined)
  const problems = narrowing.map(name => `--${name}: not with --raw, which copies everything`)
  if (io.isTerminal) problems.push('--raw: a gzip file is nothing for a terminal; send it into a file with >')
  if (problems.length > 0) throw new AgentError('USAGE', 'the ring cannot be copied like this', problems)
  const { ringDir } = await openSource(values, io)
  if (ringDir === null) throw new AgentError('USAGE', 'a bundle is a copy already')
  for await (const piece of exportRing(ringDir)) {
    io.write(piece)
    await io.room()
  }
  return 0
}

async function printAll<T>(items: AsyncIterable<T>, show: (item: T) => string, io: Io): Promise<void> {
  try {
    for await (const item of items) {
      io.print(show(item))
      await io.room()
    }
  } catch (error) {
    // Ctrl-C is how one stops reading.
    if (!io.signal.aborted) throw error
  }
}

function typesOf(values: Values): { types?: readonly RecordType[] } {
  if (!Array.isArray(values.type)) return {}
  const named = values.type.map(String).flatMap(name => name.split(','))
  const types = recordTypes.filter(type => named.includes(type))
  const unknown = named.filter(name => !types.some(type => type === name))
  if (unknown.length > 0) {
    const problems = unknown.map(name => `--type: found "${name}"; expected one of ${recordTypes.join(', ')}`)
    throw new AgentError('USAGE', 'unknown type', problems)
  }
  return { types }
}
