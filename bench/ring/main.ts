/**
 * `npm run bench:ring`: what the ring costs beside what a user would pick instead. It exits with 0 whatever comes out, because
 * a time is no test; only what cannot be measured, or was not the same work for everybody, is a failure.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machineOf } from '../machine.js'
import type { Contender } from './contender.js'
import { contenderNamed, contenders } from './contenders.js'
import type { Measure, Settings } from './measure.js'
import { measures } from './measures.js'
import { benchDir, installedPeers } from './peers.js'
import { asJson, markdownTable, type Report, textTable } from './report.js'
import { type Outcome, runMeasure } from './rounds.js'
import { nobody, ours } from './verdict.js'

const help = `npm run bench:ring -- [MEASURE...] [options]

measures: ${measures.map(({ name }) => name).join(' ')} (all of them, if none is named)

  --rounds N        of each measure; the medians are shown (default 5)
  --long            take the time that the slow measures really need
  --only NAME,...   contenders beside ours: ${contenders
    .map(({ name }) => name)
    .filter(name => name !== ours && name !== nobody)
    .join(' ')}
  --records N       appended by throughput and memory (default 200,000)
  --burst N         records handed over in one go by them (default 4,000)
  --dir DIR         where everything is written and deleted again (default: the system's directory for such)
  --json            print everything as JSON
  --markdown        print the table as it stands in bench/README.md`

const options = {
  rounds: { type: 'string', default: '5' },
  records: { type: 'string', default: '200000' },
  burst: { type: 'string', default: '4000' },
  only: { type: 'string' },
  dir: { type: 'string', default: tmpdir() },
  long: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Task = Readonly<{
  settings: Settings
  chosen: readonly Measure[]
  entered: readonly Contender[]
  dir: string
  show: 'text' | 'json' | 'markdown'
}>

/** @returns `null` where help was asked for. @throws Error for the person who typed it */
function readTask(args: readonly string[]): Task | null {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options })
  if (values.help) return null
  const settings: Settings = {
    rounds: whole('rounds', values.rounds),
    records: whole('records', values.records),
    burst: whole('burst', values.burst),
    long: values.long,
  }
  const chosen = positionals.length === 0 ? measures : positionals.map(measureNamed)
  const names = values.only?.split(',').map(name => contenderNamed(name).name)
  const entered = contenders.filter(({ name }) => !names || [ours, nobody, ...names].includes(name))
  const show = values.json ? 'json' : values.markdown ? 'markdown' : 'text'
  return { settings, chosen, entered, dir: values.dir, show }
}

/** @returns whether everything could be measured */
async function run({ settings, chosen, entered, dir: place, show }: Task, signal: AbortSignal): Promise<boolean> {
  if (entered.some(({ load }) => load !== undefined)) installPeers()
  const dir = await mkdtemp(join(place, 'bench-ring-'))
  const machine = machineOf(dir)
  const outcomes: Outcome[] = []
  let failed = false
  try {
    for (const measure of chosen) {
      signal.throwIfAborted()
      const own = await mkdtemp(join(dir, `${measure.name}-`))
      try {
        const outcome = await runMeasure(measure, entered, { settings, dir: own, signal, progress })
        outcomes.push(outcome)
        failed ||= outcome.absent.some(({ failed }) => failed)
      } catch (error) {
        if (signal.aborted) throw error
        // The other measures can still be made, and this one's failure does not get lost among them.
        outcomes.push({
          measure,
          figures: new Map(),
          absent: [{ contender: null, failed: true, why: messageOf(error) }],
        })
        failed = true
      }
      await rm(own, { recursive: true, force: true })
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }

  progress('')
  const report: Report = { machine, peers: installedPeers(), settings, outcomes }
  console.log({ text: textTable, markdown: markdownTable, json: asJson }[show](report))
  return !failed
}

async function main(): Promise<number> {
  let task: Task | null
  try {
    task = readTask(process.argv.slice(2))
  } catch (error) {
    console.error(`bench:ring: ${messageOf(error)}`)
    return 2
  }
  if (task === null) {
    console.log(help)
    return 0
  }
  // What was mounted has to be given back, so an interruption ends the children and lets everybody clean up.
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  try {
    return (await run(task, stop.signal)) ? 0 : 1
  } catch (error) {
    if (!stop.signal.aborted) throw error
    console.error('bench:ring: interrupted')
    return 130
  }
}

function measureNamed(name: string) {
  const found = measures.find(measure => measure.name === name)
  if (!found) throw new Error(`${name} is no measure; there are ${measures.map(({ name }) => name).join(', ')}`)
  return found
}

function whole(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} takes a whole number, and not ${text}`)
  return value
}

function installPeers(): void {
  if (Object.values(installedPeers()).every(({ installed, wanted }) => installed === wanted)) return
  progress('the peers are installed; better-sqlite3 is compiled, which takes a minute\n')
  execFileSync('npm', ['ci', '--prefix', benchDir], { cwd: benchDir, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** One line that is written over on a terminal, and a line each in a log. */
function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : text === '' ? '' : `${text}\n`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

process.exitCode = await main()
