/**
 * `npm run bench:bundle`: what a bundle of a full ring costs, beside what one would type instead. It exits with 0 whatever comes out,
 * because a time is no test.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machineOf } from '../machine.js'
import { median } from '../statistics.js'
import { contenders, forget } from './contenders.js'
import type { Figures } from './figures.js'
import { prepare } from './prepare.js'

const help = `npm run bench:bundle -- [options]

  --rounds N     in turns; the medians are shown (default 5)
  --records N    appended to a ring of 16 MiB; it holds some 450,000 (default 600,000)
  --dir DIR      where everything is written and deleted again
  --json         print everything as JSON
  --markdown     print the table as it stands in bench/README.md`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '600000' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`

async function run(dir: string): Promise<void> {
  const records = Number(values.records)
  const prepared = await prepare(dir, { records, budgetBytes: 16 << 20, seed: 1 })
  const figures = new Map<string, Figures[]>()
  const entered = contenders.filter(({ missing }) => (missing?.(prepared) ?? null) === null)
  const loadBefore = loadavg()[0] ?? 0
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { name, round: play } of round % 2 === 0 ? entered : entered.toReversed()) {
      process.stderr.write(`round ${round + 1}: ${name}\n`)
      const file = join(dir, `${name}.out`)
      figures.set(name, [...(figures.get(name) ?? []), await play(prepared, file)])
      await forget(file)
    }
  }
  const machine = machineOf(dir)
  if (values.json) {
    console.log(JSON.stringify({ prepared, figures: Object.fromEntries(figures), machine }, null, 2))
    return
  }
  const of = (name: string, figure: keyof Figures): number =>
    median((figures.get(name) ?? []).map(each => each[figure] ?? Number.NaN))
  const lines = [['', 'time', 'processor time', 'against hubrec', 'peak memory', 'file', 'longest stall of the loop']]
  for (const { name, title } of entered) {
    const stalls = (figures.get(name) ?? []).flatMap(({ stallMs }) => stallMs ?? [])
    lines.push([
      title,
      `${of(name, 'seconds').toFixed(2)} s`,
      `${of(name, 'processorSeconds').toFixed(2)} s`,
      `${(of(name, 'processorSeconds') / of('hubrec', 'processorSeconds')).toFixed(2)}x`,
      mebibytes(of(name, 'memoryBytes')),
      mebibytes(of(name, 'fileBytes')),
      stalls.length === 0 ? '' : `${Math.max(...stalls).toFixed(0)} ms`,
    ])
  }
  const { node, processor, cores, kernel } = machine
  const ends = [
    `node ${node}, ${processor} with ${cores} cores, ${kernel}; load ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`,
    `medians of ${values.rounds} rounds, in turns; the stall is the longest of all rounds`,
    `${prepared.records} records, ${mebibytes(prepared.textBytes)} of text, in a ring of 16 MiB`,
    ...contenders.flatMap(({ title, missing }) => {
      const why = missing?.(prepared) ?? null
      return why === null ? [] : [`without ${title}: ${why}`]
    }),
  ]
  if (values.markdown) {
    const [head = [], ...body] = lines.map(cells => `| ${cells.join(' | ')} |`)
    console.log(
      [head, '| --- | ---: | ---: | ---: | ---: | ---: | ---: |', ...body, '', ...ends.map(end => `- ${end}`)].join(
        '\n',
      ),
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
  for (const end of ends) console.log(end)
}

if (values.help) console.log(help)
else {
  const dir = await mkdtemp(join(values.dir, 'bench-bundle-'))
  try {
    await run(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
