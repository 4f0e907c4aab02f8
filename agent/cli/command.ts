/** A command is a function from its arguments to an exit code; what it needs of the world comes in as `Io`. */
import type { ParseArgsConfig } from 'node:util'

/** 0 fine, 1 the answer is bad news, 2 usage or configuration, 3 hubrec itself failed. */
export type ExitCode = 0 | 1 | 2 | 3

export type Io = Readonly<{
  print(line: string): void
  /** For what is no text. */
  write(bytes: Uint8Array): void
  complain(line: string): void
  /** Resolves when the reader has room again; to be awaited where there is much to print. */
  room(): Promise<void>
  env: NodeJS.ProcessEnv
  /** Aborts at Ctrl-C and SIGTERM. */
  signal: AbortSignal
  /** Whether a person reads what is printed. */
  isTerminal: boolean
}>

/** What the command line said, after the options were checked against the command's. */
export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

export type Command = Readonly<{
  name: string
  /** One line for the list of commands. */
  summary: string
  /** After `hubrec <name>`, as in `[CAUSE|CODE]`. */
  usage: string
  /** More than one line of help, for `--help`. */
  details?: string
  /** Without `--json` and `--help`, which every command has. Each says in `help` what it is for. */
  options: Readonly<Record<string, Option>>
  /** How many arguments that are not options it takes. */
  positionalsMax: number
  run(values: Values, positionals: readonly string[], io: Io): Promise<ExitCode>
}>

export type Option = NonNullable<ParseArgsConfig['options']>[string] & Readonly<{ help: string; value?: string }>

/** A string option's value; the last one where it was given twice. */
export function text(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}
