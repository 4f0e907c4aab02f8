/**
 * `npm run bench:herd`: a fleet that loses its hub together, and how it comes back: by hubrec's policy, by the SDK's, and by others.
 * Simulated, so it says the same on every machine. It exits with 0 whatever comes out.
 */
import { parseArgs } from 'node:util'
import { random } from '../random.js'
import { median } from '../statistics.js'
import { type Herd, type Outcome, stampede } from './herd.js'
import { policies } from './policies.js'

const help = `npm run bench:herd -- [options]

  --devices N    that lose the hub at the same moment (default 100,000)
  --rate N       connections that the hub admits in a second (default 120, as one unit of S2)
  --seeds N      the medians are shown (default 5)
  --json         print everything as JSON
  --markdown     print the table as it stands in bench/README.md`

const options = {
  devices: { type: 'string', default: '100000' },
  rate: { type: 'string', default: '120' },
  seeds: { type: 'string', default: '5' },
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const { values } = parseArgs({ options })

const herd: Herd = {
  devices: Number(values.devices),
  ratePerSecond: Number(values.rate),
  answerMs: 300,
  patienceMs: 4 * 3_600_000,
}
const limitMs = (herd.devices / herd.ratePerSecond) * 1_000

type Row = Readonly<{ policy: string; outcomes: readonly Outcome[] }>

/** The SDK throws dice of its own. */
function withSeed<T>(seed: number, act: (next: () => number) => T): T {
  const { next } = random(seed)
  const { random: native } = Math
  Math.random = next
  try {
    return act(next)
  } finally {
    Math.random = native
  }
}

const measure = (): Row[] =>
  policies.map(({ name, makeDialler }) => ({
    policy: name,
    outcomes: Array.from({ length: Number(values.seeds) }, (_, seed) =>
      withSeed(seed + 1, next => stampede(herd, makeDialler(next))),
    ),
  }))

const of = ({ outcomes }: Row, figure: (outcome: Outcome) => number): number => median(outcomes.map(figure))

const columns = [
  'policy',
  'all back after',
  'of the limit',
  'CONNECTs a device',
  'of the SDK',
  'most',
  'busiest second',
  'not back',
] as const

function lineOf(row: Row, sdk: Row): string[] {
  const each = (outcome: Outcome): number => outcome.connects / herd.devices
  const left = of(row, outcome => outcome.left)
  const backMs = of(row, outcome => outcome.allBackMs)
  return [
    row.policy,
    left > 0 ? 'never' : `${Math.round(backMs / 1_000)} s`,
    left > 0 ? '' : `${(backMs / limitMs).toFixed(2)}x`,
    of(row, each).toFixed(1),
    `${(of(row, each) / of(sdk, each)).toFixed(2)}x`,
    String(of(row, outcome => outcome.connectsMax)),
    `${of(row, outcome => outcome.connectsPerSecondMax)}/s`,
    left > 0 ? `${((100 * left) / herd.devices).toFixed(0)} %` : '',
  ]
}

function print(rows: readonly Row[]): void {
  if (values.json) {
    console.log(JSON.stringify({ herd, limitMs, rows }, null, 2))
    return
  }
  const sdk = rows[1]!
  const lines = [[...columns], ...rows.map(row => lineOf(row, sdk))]
  const ends = `the limit is ${herd.devices} devices / ${herd.ratePerSecond} per second = ${Math.round(limitMs / 1_000)} s; medians of ${values.seeds} seeds`
  if (values.markdown) {
    const [head = [], ...body] = lines.map(cells => `| ${cells.join(' | ')} |`)
    const rule = `| ${columns.map((_, column) => (column === 0 ? '---' : '---:')).join(' | ')} |`
    console.log([head, rule, ...body, '', `- ${ends}`].join('\n'))
    return
  }
  const widths = columns.map((_, column) => Math.max(...lines.map(cells => cells[column]!.length)))
  for (const cells of lines)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
  console.log(`\n${ends}`)
}

if (values.help) console.log(help)
else print(measure())
