#!/usr/bin/env node
/** The command line: finds the command, checks its arguments, and alone turns what happened into an exit code. */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { AgentError, type ErrorCode } from '../errors.js'
import { versions } from '../versions.js'
import type { Command, ExitCode, Io, Values } from './command.js'
import { commands } from './commands.js'
import { helpOf, overview } from './help.js'

async function main(args: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const all = await Promise.all(Object.values(commands).map(load => load()))
    for (const line of overview(all)) (name === undefined ? io.complain : io.print)(line)
    return name === undefined ? 2 : 0
  }
  if (name === '--version' || name === '-V') {
    io.print(versions().hubrec)
    return 0
  }
  const load = commands[name]
  if (!load) {
    io.complain(`hubrec: unknown command "${name}"; hubrec --help lists them`)
    return 2
  }
  const command = await load()
  const { values, positionals, problems } = parse(command, rest)
  if (values.help) {
    for (const line of helpOf(command)) io.print(line)
    return 0
  }
  if (problems.length > 0) {
    for (const problem of problems) io.complain(`hubrec ${name}: ${problem}`)
    io.complain(`usage: hubrec ${name} ${command.usage}; hubrec ${name} --help says more`)
    return 2
  }
  // A reader that had enough (`hubrec logs | head`) is no failure of a command, and none of the daemon's business.
  if (name !== 'run') process.stdout.on('error', error => leave(error))
  const code = await command.run(values, positionals, io)
  // The SDK may leave timers behind that would hold the daemon's process for minutes.
  if (name === 'run') setTimeout(() => process.exit(), 200).unref()
  return code
}

const leave = (error: NodeJS.ErrnoException): never => process.exit(error.code === 'EPIPE' ? 0 : 3)

type Parsed = { values: Values; positionals: string[]; problems: string[] }

/** Not strict, because Node stops at the first thing that is wrong, and we name all. */
function parse(command: Command, args: string[]): Parsed {
  const options = { ...command.options, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
  const known: Readonly<Record<string, { type: 'string' | 'boolean' }>> = options
  const { values, positionals, tokens } = parseArgs({
    args,
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const problems: string[] = []
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = known[token.name]
    if (!option) problems.push(`unknown option ${token.rawName}`)
    else if (option.type === 'string' && token.value === undefined) problems.push(`${token.rawName} needs a value`)
    else if (option.type === 'boolean' && token.value !== undefined) problems.push(`${token.rawName} takes no value`)
  }
  for (const extra of positionals.slice(command.positionalsMax)) problems.push(`unexpected argument "${extra}"`)
  return { values, positionals, problems }
}

/** What went wrong, for the person at the terminal; the exit code says whose fault it was. */
function explainFailure(error: unknown, io: Io): ExitCode {
  if (!(error instanceof AgentError)) {
    io.complain(`hubrec failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return 3
  }
  io.complain(`hubrec: ${error.message}`)
  for (const problem of error.problems) io.complain(`  ${problem}`)
  if (error.users) return 2
  return badNews.has(error.code) ? 1 : 3
}

const badNews: ReadonlySet<ErrorCode> = new Set([
  'BUNDLE_INVALID',
  'DAEMON_SILENT',
  'UPLOAD_REFUSED',
  'RING_UNREADABLE',
])

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal))

/** See sd-daemon(3): without a priority what is wrong would be one line among many. */
const isJournal = process.env.JOURNAL_STREAM !== undefined && process.argv[2] === 'run' && !process.stderr.isTTY

const io: Io = {
  print: line => void process.stdout.write(`${line}\n`),
  write: bytes => void process.stdout.write(bytes),
  room: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
  },
  complain: line => void process.stderr.write(`${isJournal ? '<3>' : ''}${line}\n`),
  env: process.env,
  signal: stop.signal,
  isTerminal: process.stdout.isTTY === true,
}
void main(process.argv.slice(2), io)
  .catch((error: unknown) => explainFailure(error, io))
  .then(code => {
    process.exitCode = code
  })
