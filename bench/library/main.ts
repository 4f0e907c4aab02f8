/**
 * `npm run bench:library`: what it costs an application to be recorded, against the same application without it. It exits with 0
 * whatever comes out, because a time is no test; only what cannot be measured is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Intake } from '../../agent/ingest/intake.js'
import { openIngest } from '../../agent/ingest/server.js'
import { type Machine, machineOf } from '../machine.js'
import { median } from '../statistics.js'
import type { Figures, Order } from './app.js'

const help = `npm run bench:library -- [options]

  --rounds N       the medians are shown (default 9)
  --messages N     sent in each round (default 20,000)
  --in-flight N    messages that wait for the hub's answer at any time (default 64)
  --payload N      bytes of each (default 256)
  --protocol P     mqtt or amqp (default mqtt)
  --json           print everything as JSON
  --markdown       print the table as it stands in bench/README.md`

const options = {
  rounds: { type: 'string', default: '9' },
  messages: { type: 'string', default: '20000' },
  'in-flight': { type: 'string', default: '64' },
  payload: { type: 'string', default: '256' },
  protocol: { type: 'string', default: 'mqtt' },
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const { values } = parseArgs({ options })

/** Who is measured, in the order of each round. */
const contenders = ['stock', 'recorded'] as const
type Contender = (typeof contenders)[number]
type Rounds = Readonly<Record<Contender, Figures[]>>

type Row = Readonly<{
  asks: string
  figure: keyof Figures
  unit: string
  digits: number
  /** For the recorded application's figure against the other's. */
  compare: 'ratio' | 'difference'
  bar: Readonly<{ atLeast: number } | { atMost: number }> | null
}>

const rows: readonly Row[] = [
  {
    asks: 'D2C messages at full speed',
    figure: 'messagesPerSecond',
    unit: '/s',
    digits: 0,
    compare: 'ratio',
    bar: { atLeast: 0.97 },
  },
  { asks: 'processor time of a message', figure: 'cpuUs', unit: ' us', digits: 1, compare: 'ratio', bar: null },
  {
    asks: 'resident memory, after sending',
    figure: 'residentMiB',
    unit: ' MiB',
    digits: 1,
    compare: 'difference',
    bar: { atMost: 3 },
  },
  {
    asks: 'from the start of the process to an open client',
    figure: 'startMs',
    unit: ' ms',
    digits: 0,
    compare: 'difference',
    bar: { atMost: 20 },
  },
]

async function run(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-library-'))
  const stop = new AbortController()
  const socket = join(dir, 'ingest.sock')
  const listening = (await openIngest({ path: socket, intake: listener, note: () => undefined })).run(stop.signal)
  const hub = await startHub(dir)
  try {
    const order = {
      connectionString: hub.connectionString,
      caFile: hub.caFile,
      messages: Number(values.messages),
      inFlight: Number(values['in-flight']),
      payloadBytes: Number(values.payload),
      protocol: values.protocol === 'amqp' ? 'amqp' : 'mqtt',
    } as const
    const rounds: Rounds = { stock: [], recorded: [] }
    for (let round = 0; round < Number(values.rounds); round += 1) {
      // Whoever comes second finds the hub warmer: each is second as often as the other.
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${values.rounds}, ${contender}   `)
        rounds[contender].push(await measure({ ...order, socket: contender === 'recorded' ? socket : null }))
      }
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    print(rounds, machineOf(dir))
  } finally {
    hub.child.kill('SIGTERM')
    stop.abort()
    await listening.catch(() => undefined)
    await rm(dir, { recursive: true, force: true })
  }
}

/** Takes what is told, and does nothing with it: what the daemon does is not the application's cost. */
const listener: Intake = {
  welcome: ({ name }) => ({
    name,
    resume: () => undefined,
    take: ({ n }) => n,
    lost: () => undefined,
    bye: () => undefined,
    disconnected: () => undefined,
  }),
  lookAfter: () => undefined,
  connections: () => [],
}

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** In a process of its own, so that it takes nobody's time but its core's. */
async function startHub(dir: string): Promise<{ child: ChildProcess; connectionString: string; caFile: string }> {
  const child = spawn(process.execPath, [fileOf('../../test/hub/main.js'), '--json', '--dir', join(dir, 'hub')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: child.stdout! }), 'line')
  const { caFile, connectionStrings } = JSON.parse(String(line))
  return { child, caFile, connectionString: connectionStrings.device1 }
}

async function measure(order: Order): Promise<Figures> {
  const child = spawn(process.execPath, ['--expose-gc', fileOf('app.js'), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the application failed (${code})`)
  return JSON.parse(said)
}

function print(rounds: Rounds, machine: Machine): void {
  const lines = rows.map(row => lineOf(row, rounds))
  if (values.json) {
    console.log(JSON.stringify({ machine, settings: values, rounds }, null, 2))
    return
  }
  const header = ['measure', 'recorded', 'stock', 'against it', 'bar', 'verdict']
  const { node, processor, cores, memoryGiB, kernel } = machine
  const notes = [
    `node ${node}, ${processor} with ${cores} cores, ${memoryGiB} GiB, ${kernel}`,
    `medians of ${values.rounds} rounds, in turns; ${values.messages} messages of ${values.payload} bytes, ${values['in-flight']} in flight, over ${values.protocol} to the local hub in another process`,
    `of the start ${median(rounds.recorded.map(({ loadMs }) => loadMs)).toFixed(1)} ms are the loading of the library and its call`,
  ]
  if (values.markdown) {
    const show = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    const rule = '| --- | ---: | ---: | ---: | --- | --- |'
    console.log([show(header), rule, ...lines.map(show), '', ...notes.map(note => `- ${note}`)].join('\n'))
    return
  }
  const widths = header.map((name, column) => Math.max(name.length, ...lines.map(line => line[column]!.length)))
  const show = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  console.log([show(header), ...lines.map(show), '', ...notes].join('\n'))
}

function lineOf({ asks, figure, unit, digits, compare, bar }: Row, rounds: Rounds): string[] {
  const recorded = median(rounds.recorded.map(figures => figures[figure]))
  const stock = median(rounds.stock.map(figures => figures[figure]))
  const found = compare === 'ratio' ? recorded / stock : recorded - stock
  const against = compare === 'ratio' ? `${found.toFixed(3)}x` : `${found >= 0 ? '+' : ''}${found.toFixed(1)}${unit}`
  const suffix = compare === 'ratio' ? 'x' : unit
  const [limit, met] =
    bar === null
      ? ['', '']
      : 'atLeast' in bar
        ? [`at least ${bar.atLeast}${suffix}`, found >= bar.atLeast ? 'met' : 'NOT MET']
        : [`at most ${bar.atMost}${suffix}`, found <= bar.atMost ? 'met' : 'NOT MET']
  const shown = (value: number): string => `${value.toFixed(digits)}${unit}`
  return [asks, shown(recorded), shown(stock), against, limit, met]
}

if (values.help) console.log(help)
else await run()
