/** Where a reading command reads: a ring directory or a bundle, beside a running daemon or long after it. */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openBundle } from '../bundle/unzip.js'
import { loadConfig } from '../config/load.js'
import { AgentError } from '../errors.js'
import { pointedAt, windowAround } from '../evidence/around.js'
import type { Episode } from '../evidence/episode.js'
import { type RecordOptions, readEpisodes, readRecords } from '../evidence/read.js'
import type { InferredGap, LogRecord } from '../evidence/record.js'
import { parseWindow, type Window } from '../evidence/window.js'
import { type Io, text, type Values } from './command.js'

export interface Source {
  records(options: RecordOptions): AsyncIterable<LogRecord | InferredGap>
  episodes(window: Window): Promise<readonly Episode[]>
  /** `null` for a bundle, which cannot be followed. */
  readonly ringDir: string | null
}

/** The state directory that the options, the environment and the configuration lead to. */
export async function stateDirOf(values: Values, io: Io): Promise<string> {
  const given = text(values, 'state-dir')
  if (given !== undefined) return resolve(given)
  return (await loadConfig({ file: text(values, 'config'), env: io.env })).config.stateDir
}

/** @throws AgentError `USAGE` when there is nothing to read at that place */
export async function openSource(values: Values, io: Io): Promise<Source> {
  const file = text(values, 'bundle')
  if (file !== undefined) {
    const bundle = await openBundle(file).catch((error: NodeJS.ErrnoException) => {
      throw error.syscall ? new AgentError('USAGE', `${file} cannot be read: ${error.code}`) : error
    })
    return { ...bundle, ringDir: null }
  }
  const ringDir = join(await stateDirOf(values, io), 'ring')
  const found = await stat(ringDir).catch((error: NodeJS.ErrnoException) => {
    throw new AgentError(
      'USAGE',
      `${ringDir} cannot be read: ${error.code}; name another place with --state-dir or --config`,
    )
  })
  if (!found.isDirectory()) throw new AgentError('USAGE', `${ringDir} is not a directory`)
  return {
    records: options => readRecords(ringDir, options),
    episodes: window => readEpisodes(ringDir, window),
    ringDir,
  }
}

/** Where a daemon of this state answers, and what it writes to. */
export async function placesOf(values: Values, io: Io): Promise<{ socket: string; dir: string }> {
  const given = text(values, 'state-dir')
  if (given !== undefined) return { socket: join(resolve(given), 'control.sock'), dir: resolve(given) }
  const { config } = await loadConfig({ file: text(values, 'config'), env: io.env })
  return { socket: config.controlSocket, dir: config.stateDir }
}

/** @throws AgentError `USAGE` for a time that cannot be read, and for an id that no record has */
export async function windowOf(values: Values, source: Pick<Source, 'records'>, nowMs: number): Promise<Window> {
  const id = text(values, 'around')
  if (id !== undefined) return around(id, values, source, nowMs)
  const parsed = parseWindow({ since: text(values, 'since'), until: text(values, 'until') }, nowMs)
  if ('problems' in parsed) throw new AgentError('USAGE', 'the times cannot be read', parsed.problems)
  return parsed.window
}

async function around(id: string, values: Values, source: Pick<Source, 'records'>, nowMs: number): Promise<Window> {
  const others = ['since', 'until'].filter(name => values[name] !== undefined)
  if (others.length > 0) {
    throw new AgentError(
      'USAGE',
      'the window is given twice',
      others.map(name => `--${name}: not with --around`),
    )
  }
  const window = await windowAround(source.records({ types: pointedAt }), id, nowMs)
  if (window === null)
    throw new AgentError('USAGE', `no mark and no outage has the id ${id}; hubrec episodes shows theirs`)
  return window
}
