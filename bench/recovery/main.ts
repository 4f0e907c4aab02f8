/**
 * `npm run bench:recovery`: how soon hubrec and the stock SDK notice what goes wrong, and how soon they are back. It exits with 0
 * whatever comes out, because a time is no test; only what cannot be measured is a failure.
 */
import { setMaxListeners } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startHub } from '../../test/hub/hub.js'
import { defaultLimits } from '../../transports/backoff.js'
import { machineOf } from '../machine.js'
import { faults } from './faults.js'
import type { Settings } from './measure.js'
import { asJson, markdownTable, type Report, textTable } from './report.js'
import { type Row, runRounds } from './rounds.js'

const protocols = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'] as const

const help = `npm run bench:recovery -- [FAULT...] [options]

faults: ${faults.map(({ name }) => name).join(' ')} (all of them, if none is named)

  --protocol P,...   of ${protocols.join(' ')} (default: all, each where the fault can happen)
  --rounds N         the medians are shown (default 3)
  --lasts N          seconds for which a lasting fault holds (default 20; 300 with --long)
  --patience N       seconds that each side gets to come back (default 60; 300 with --long)
  --pairs N          at once, of a daemon and an application (default 12)
  --long             nothing is shortened: faults of 300 s, default keepalives and floors; only ${faults
    .filter(({ long }) => long)
    .map(({ name }) => name)
    .join(', ')}, if none is named
  --json             print everything as JSON
  --markdown         print the table as it stands in bench/README.md`

const options = {
  protocol: { type: 'string', default: protocols.join(',') },
  rounds: { type: 'string', default: '3' },
  lasts: { type: 'string' },
  patience: { type: 'string' },
  pairs: { type: 'string', default: '12' },
  long: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Task = Readonly<{ settings: Settings; rows: readonly Row[]; show: 'text' | 'json' | 'markdown' }>

/** @returns `null` where help was asked for. @throws Error for the person who typed it */
function readTask(args: readonly string[]): Task | null {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options })
  if (values.help) return null
  const { long } = values
  const settings: Settings = {
    rounds: whole('rounds', values.rounds),
    lastsSeconds: whole('lasts', values.lasts ?? (long ? '300' : '20')),
    patienceSeconds: whole('patience', values.patience ?? (long ? '300' : '60')),
    // The same for both, so that a black hole is found in the time of the short form; or what each has by default.
    keepaliveSeconds: long ? { hubrec: 60, sdk: 180 } : { hubrec: 5, sdk: 5 },
    takeOverSeconds: long
      ? { floor: defaultLimits.takeOverFloorMs / 1e3, cap: defaultLimits.takeOverCapMs / 1e3 }
      : { floor: 3, cap: 6 },
    pairs: whole('pairs', values.pairs),
    long,
  }
  const wanted = values.protocol.split(',')
  for (const name of wanted) if (!protocols.some(known => known === name)) throw new Error(`${name} is no protocol`)
  const chosen = positionals.length === 0 ? faults.filter(fault => !long || fault.long) : positionals.map(faultNamed)
  const rows = chosen.flatMap(fault =>
    fault.protocols.filter(protocol => wanted.includes(protocol)).map(protocol => ({ fault, protocol })),
  )
  if (rows.length === 0) throw new Error(`none of that happens over ${wanted.join(', ')}`)
  return { settings, rows, show: values.json ? 'json' : values.markdown ? 'markdown' : 'text' }
}

/** @returns whether everything could be measured */
async function run({ settings, rows, show }: Task, signal: AbortSignal): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'hubrec-'))
  const hub = await startHub({ hostName: 'bench-hub.azure-devices.net' })
  try {
    const outcomes = await runRounds(rows, settings, { hub, dir, signal, progress })
    progress('')
    const report: Report = { machine: machineOf(dir), settings, outcomes }
    console.log({ text: textTable, markdown: markdownTable, json: asJson }[show](report))
    return outcomes.every(({ failures }) => failures.length === 0)
  } finally {
    await hub.close()
    await rm(dir, { recursive: true, force: true })
  }
}

async function main(): Promise<number> {
  let task: Task | null
  try {
    task = readTask(process.argv.slice(2))
  } catch (error) {
    console.error(`bench:recovery: ${messageOf(error)}`)
    return 2
  }
  if (task === null) {
    console.log(help)
    return 0
  }
  // An interruption ends the daemons and the applications too.
  const stop = new AbortController()
  // Every pair waits with it.
  setMaxListeners(0, stop.signal)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  try {
    return (await run(task, stop.signal)) ? 0 : 1
  } catch (error) {
    if (!stop.signal.aborted) throw error
    console.error('bench:recovery: interrupted')
    return 130
  }
}

function faultNamed(name: string) {
  const found = faults.find(fault => fault.name === name)
  if (!found) throw new Error(`${name} is no fault; there are ${faults.map(({ name }) => name).join(', ')}`)
  return found
}

function whole(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} takes a whole number, and not ${text}`)
  return value
}

/** One line that is written over on a terminal, and a line each in a log. */
function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : text === '' ? '' : `${text}\n`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

process.exitCode = await main()
