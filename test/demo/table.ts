/** The demo's result as a table. */

export type Row = Readonly<{
  done: string
  /** How long the stock application was listened to. */
  observedMs: number
  stockSaid: readonly string[]
  /** From the fault's end until a method was answered; `null` when it was not. */
  stockBackMs: number | null
  hubrecBackMs: number | null
  cause: string | null
  confidence: string | null
  patienceMs: number
}>

const widths = [34, 44, 30, 13, 13] as const
const head = ['what was done', 'what the stock SDK told its application', 'what hubrec says', 'SDK back', 'hubrec back']

export function showRows(rows: readonly Row[]): string[] {
  const rule = widths.map(width => '-'.repeat(width)).join('  ')
  return ['', ...cells(head), rule, ...rows.flatMap(row => [...cells(columns(row)), rule])]
}

function columns({
  done,
  observedMs,
  stockSaid,
  stockBackMs,
  hubrecBackMs,
  cause,
  confidence,
  patienceMs,
}: Row): string[] {
  const back = (ms: number | null): string =>
    ms === null ? `not in ${patienceMs / 1_000} s` : `${(ms / 1_000).toFixed(1)} s`
  return [
    done,
    stockSaid.length === 0 ? `nothing in ${Math.round(observedMs / 1_000)} s` : counted(stockSaid).join('; '),
    cause === null ? 'nothing' : `${cause} (${confidence})`,
    back(stockBackMs),
    back(hubrecBackMs),
  ]
}

/** `connect, 7 times` instead of seven connects. */
function counted(said: readonly string[]): string[] {
  const times = new Map<string, number>()
  for (const each of said) times.set(each, (times.get(each) ?? 0) + 1)
  return [...times].map(([each, n]) => (n === 1 ? each : `${each}, ${n} times`))
}

/** One row, wrapped at words, as so many lines as its longest cell needs. */
function cells(texts: readonly string[]): string[] {
  const wrapped = texts.map((text, column) => wrap(text, widths[column] ?? 20))
  const height = Math.max(...wrapped.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) =>
    wrapped
      .map((lines, column) => (lines[line] ?? '').padEnd(widths[column] ?? 20))
      .join('  ')
      .trimEnd(),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
