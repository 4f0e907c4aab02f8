/** The conformance table as a page for people. */
import type { Protocol } from '../../transports/wire-event.js'
import type { When } from './conformance.js'
import { type Moment, protocols, type Row } from './conformance-row.js'

const header = `# What is seen of each fault

Made from the table that the tests hold the recorder to (\`test/support/conformance-table.ts\`): every fault of the local hub
([local-hub.md](local-hub.md)), over every protocol, on the first connection and in a session. In each case the connection
came back by itself and answered a direct method again. In the column of the wire, \`//\` stands between one attempt and the
next; the verdict is a cause (\`hubrec explain CAUSE\`) and how sure of it a device can be.

hubrec sends no messages of its own: what only a recorded application meets (a message not acknowledged or not taken, the link of its
messages gone) is in \`test/real/recorded-sends.ts\`.

`

const whens: readonly (readonly [When, string])[] = [
  ['start', 'first connection'],
  ['session', 'session'],
]

type Line = Readonly<{ when: string; wire: string; verdict: string }>

export const conformancePage = (table: readonly Row[]): string => {
  const lines = table.flatMap(row => linesOf(row).map(cells => `| ${cells.join(' | ')} |`))
  return `${header}| fault | protocols | when | what the wire shows | verdict |\n|---|---|---|---|---|\n${lines.join('\n')}\n`
}

/** What is the same over several protocols is said once. */
function linesOf(row: Row): string[][] {
  const found = new Map<string, { line: Line; over: Protocol[] }>()
  for (const protocol of protocols) {
    for (const line of linesOver(row, protocol)) {
      const key = JSON.stringify(line)
      const { over } = found.get(key) ?? found.set(key, { line, over: [] }).get(key)!
      over.push(protocol)
    }
  }
  return [...found.values()].map(({ line: { when, wire, verdict }, over }) => [
    row.name,
    over.length === protocols.length ? 'all' : over.join(', '),
    when,
    wire,
    verdict,
  ])
}

function linesOver({ cells }: Row, protocol: Protocol): Line[] {
  const cell = cells[protocol]
  if (typeof cell === 'string') return [{ when: '', wire: '', verdict: `cannot happen: ${cell}` }]
  const lines = whens.map(([when, name]): Line => {
    const moment = cell[when]
    return typeof moment === 'string'
      ? { when: name, wire: '', verdict: `cannot happen: ${moment}` }
      : { when: name, ...seenIn(moment) }
  })
  const [start, session] = lines
  const isSame = start?.wire === session?.wire && start?.verdict === session?.verdict
  return isSame && start ? [{ ...start, when: 'both' }] : lines
}

function seenIn({ seen }: Moment): Pick<Line, 'wire' | 'verdict'> {
  const wires = seen.map(([wire]) => wire || 'nothing')
  const verdicts = new Set(seen.map(([, verdict]) => verdict))
  return { wire: wires.join(' *or* '), verdict: [...verdicts].join(' *or* ') }
}
