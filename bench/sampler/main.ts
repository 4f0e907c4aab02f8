/**
 * `npm run bench:sampler`: what one sample of the host costs, beside the same readings by systeminformation. It exits with 0 whatever
 * comes out, because a time is no test.
 */
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { machineOf } from '../machine.js'
import { median } from '../statistics.js'
import type { Figures } from './contender.js'

const help = `npm run bench:sampler -- [options]

  --rounds N     the medians are shown (default 7)
  --json         print everything as JSON
  --markdown     print the table as it stands in bench/README.md`

const options = {
  rounds: { type: 'string', default: '7' },
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const { values } = parseArgs({ options })

/** As many samples as take some seconds: a jiffy is 10 ms. */
const contenders = { hubrec: 600, sockets: 50, systeminformation: 10 } as const
type Contender = keyof typeof contenders

const contenderFile = fileURLToPath(new URL('contender.js', import.meta.url))

async function measure(name: Contender): Promise<Figures> {
  const { stdout } = await promisify(execFile)(process.execPath, [contenderFile, name, String(contenders[name])])
  return JSON.parse(stdout) as Figures
}

async function run(): Promise<void> {
  const figures: Record<Contender, Figures[]> = { hubrec: [], sockets: [], systeminformation: [] }
  const names = Object.keys(contenders) as Contender[]
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name].push(await measure(name))
  }
  const machine = machineOf(tmpdir())
  if (values.json) {
    console.log(JSON.stringify({ figures, machine }, null, 2))
    return
  }
  const of = (name: Contender, figure: keyof Figures): number => median(figures[name].map(each => each[figure]))
  const ratio = of('hubrec', 'cpuMs') / of('systeminformation', 'cpuMs')
  const row = (asks: string, figure: keyof Figures, against: string, bar: string, met: boolean): string[] => [
    asks,
    `${of('hubrec', figure).toFixed(2)} ms`,
    `${of('systeminformation', figure).toFixed(2)} ms`,
    against,
    bar,
    met ? 'met' : 'NOT MET',
  ]
  const longestMs = Math.max(...figures.hubrec.map(({ longestDelayMs }) => longestDelayMs))
  const lines = [
    ['measure', 'hubrec', 'systeminformation', 'against it', 'bar', 'verdict'],
    row('processor time of a sample', 'cpuMs', `${ratio.toFixed(4)}x`, 'at most 0.03x', ratio <= 0.03),
    row('longest delay of the event loop', 'longestDelayMs', '', 'at most 20 ms', longestMs <= 20),
  ]
  const { node, processor, cores, kernel } = machine
  const ends = [
    `node ${node}, ${processor} with ${cores} cores, ${kernel}`,
    `medians of ${values.rounds} rounds, in turns; ${contenders.hubrec} samples of ours and ${contenders.systeminformation} of the other in each; the longest delay of all rounds was ${longestMs.toFixed(1)} ms`,
    `once a minute, beside that: ${of('sockets', 'cpuMs').toFixed(1)} ms for the state of the hub's socket, by ss`,
  ]
  if (values.markdown) {
    const [head = [], ...body] = lines.map(cells => `| ${cells.join(' | ')} |`)
    console.log(
      [head, '| --- | ---: | ---: | ---: | --- | --- |', ...body, '', ...ends.map(end => `- ${end}`)].join('\n'),
    )
    return
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map(cells => cells[column]!.length)))
  for (const cells of lines)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
  console.log(`\n${ends.join('\n')}`)
}

if (values.help) console.log(help)
else await run()
