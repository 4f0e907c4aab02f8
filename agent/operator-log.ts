/**
 * What the operator reads on stdout: JSON lines, a short line on a terminal, a line with a priority under systemd.
 * Logging never fails its caller: what stdout does not take is counted, and said when it takes lines again.
 */
import { isatty } from 'node:tty'
import pino from 'pino'
import type { Config } from './config/config.js'
import { levels } from './evidence/record.js'
import { type OpenSink, openLineOutput, waitingBytesMax } from './line-output.js'
import type { Redactor } from './redact.js'

export type Fields = Readonly<Record<string, unknown>>
export type LogLevel = keyof typeof levels

/** An Error under `err` or `error` is written with its causes; other values as JSON has them. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: Fields) => void>>

export interface OperatorLog {
  readonly log: Log
  /** Lines that will never come out on stdout; see LineOutput. */
  readonly lost: number
  /** What stdout shows from now on. */
  show(level: Config['logLevel']): void
  /** Waits at most a second for what stdout has not taken yet. Later lines go to the ring alone. */
  close(): Promise<void>
}

export type OperatorLogOptions = Readonly<{
  /** What stdout shows. The ring gets everything from `info` on, however quiet stdout is. */
  level: Config['logLevel']
  redactor: Redactor
  /** Everything from `info` on, already redacted; `level` is pino's number. */
  onRecord(level: number, message: string, fields: Fields): void
  env: NodeJS.ProcessEnv
  /** In place of stdout. */
  fd?: number
}>

export function createOperatorLog({ level, redactor, onRecord, env, fd = 1 }: OperatorLogOptions): OperatorLog {
  const output = openLineOutput(fd, openFile, (lost, why) => log.warn('lines of this log were lost', { lost, why }))
  const format = isatty(fd) ? onTerminal : env.JOURNAL_STREAM ? forJournal : asJson
  let shownFrom = shownFromOf(level)
  let recording = false

  const record = (entry: Entry) => {
    // The ring may log while it records; that line must not come back to it.
    if (entry.level < levels.info || recording) return
    recording = true
    try {
      onRecord(entry.level, entry.message, entry.fields)
    } catch (error) {
      log.error('a line of this log could not be recorded', { error })
    } finally {
      recording = false
    }
  }

  const write = (line: string) => {
    const json = redactor.json(JSON.parse(line))
    const { level, time, msg, ...fields } = JSON.parse(json)
    const entry: Entry = { level, time, message: String(msg), fields }
    if (entry.level >= shownFrom) output.write(`${format(entry, json)}\n`)
    record(entry)
  }

  const logger = pino(
    {
      level: madeFrom(level),
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: pino.stdSerializers.errWithCause, error: pino.stdSerializers.errWithCause },
    },
    { write },
  )
  const attempt = (level: LogLevel, message: string, fields: Fields, otherwise: (error: unknown) => void) => {
    try {
      logger[level](withoutReserved(fields), message)
    } catch (error) {
      otherwise(error)
    }
  }
  const method =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}) =>
      attempt(level, message, fields, error => {
        // A field that cannot be read; what it was about is worth a line all the same.
        const why = error instanceof Error ? error.message : 'thrown'
        attempt(level, message, { unreadableFields: why }, () => output.lose())
      })
  const names = Object.keys(levels) as LogLevel[]
  const log = Object.fromEntries(names.map(name => [name, method(name)])) as Log

  return {
    log,
    get lost() {
      return output.lost
    },
    show(level) {
      shownFrom = shownFromOf(level)
      logger.level = madeFrom(level)
    },
    close: () => output.close(),
  }
}

const shownFromOf = (level: Config['logLevel']): number =>
  level === 'silent' ? Number.POSITIVE_INFINITY : levels[level]

/** The ring gets everything from `info` on. */
const madeFrom = (level: Config['logLevel']): string => (shownFromOf(level) < levels.info ? level : 'info')

type Entry = Readonly<{ level: number; time: string; message: string; fields: Fields }>

/** A file, a terminal or a device; a write that failed is tried again with the next line. */
const openFile: OpenSink = (fd, listener) => {
  let dropped = false
  let destroyed = false
  const stream = pino.destination({
    dest: fd,
    sync: false,
    maxLength: waitingBytesMax,
    // A write that is refused for now would otherwise be tried for ever, and hold the process.
    retryEAGAIN: () => !destroyed,
  })
  stream.on('drop', () => {
    dropped = true
  })
  stream.on('error', listener.failed)
  stream.on('drain', listener.drained)
  stream.on('close', listener.ended)
  return {
    write(line) {
      dropped = false
      stream.write(line)
      return !dropped
    },
    end: () => stream.end(),
    // What waits would otherwise be written at exit, by a call that does not return before it could.
    destroy() {
      destroyed = true
      stream.destroy()
    },
  }
}

const asJson = (_: Entry, json: string): string => json

const onTerminal = (entry: Entry): string => {
  const name = pino.levels.labels[entry.level] ?? ''
  return `${entry.time.slice(11, 19)}Z ${name.padEnd(5)} ${readable(entry)}`
}

/** The journal adds the time itself; see sd-daemon(3) for the priorities. */
const forJournal = (entry: Entry): string => `<${priorityOf(entry.level)}>${readable(entry)}`

function priorityOf(level: number): number {
  if (level >= levels.fatal) return 2
  if (level >= levels.error) return 3
  if (level >= levels.warn) return 4
  return level >= levels.info ? 6 : 7
}

/** The journal cuts longer lines in two, and the second one has no priority. */
const readableMax = 8_000

function readable({ message, fields }: Entry): string {
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${shown(value)}`)
  // One line is one record, whatever text the hub or the network put into it.
  const line = [message, ...pairs]
    .join(' ')
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return line.length > readableMax ? `${line.slice(0, readableMax)}...` : line
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  // Of an error its message is enough here; stack and causes are in the ring.
  const isError = typeof value === 'object' && value !== null && 'stack' in value && 'message' in value
  return JSON.stringify(isError ? value.message : value)
}

const reserved: ReadonlySet<string> = new Set(['level', 'time', 'msg'])

/** A field must not pass itself off as the level, the time or the message. */
const withoutReserved = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [reserved.has(key) ? `${key}_` : key, value]))
