/** The matrix as text, as a page, and held against its bars. */

import { isRight, isWrong, type Result } from './result.js'
import { keepaliveSeconds } from './settings.js'

export type Bar = Readonly<{ bar: string; seen: string; met: boolean }>

const whens = { first: 'first connection', later: 'in a session' } as const
const seconds = (ms: number): string => `${(ms / 1e3).toFixed(2)} s`

const verdictOf = ({ cause, confidence }: Result): string => `${cause} ${confidence}`

const markOf = (result: Result): string => {
  if (isRight(result)) return 'right'
  return isWrong(result) ? 'WRONG' : 'not known'
}

export function lineOf(result: Result): string {
  const { fault, protocol, when, problem, sdkSaid } = result
  const line = `${markOf(result).padEnd(9)} ${fault}, ${protocol}, ${whens[when]}: ${verdictOf(result)}`
  const sdk = sdkSaid === null ? '' : `\n          SDK: ${saidOf(sdkSaid)}`
  return problem === null ? `${line}${sdk}` : `${line}\n          ${problem}`
}

const saidOf = (said: readonly string[]): string =>
  said.filter(word => word !== 'ready').join('; ') ||
  (said.includes('ready') ? 'nothing but that it is connected' : 'nothing')

/** A dead link is found by the keepalive alone; with what is left for a busy machine. */
const noticedLimitMs = 1.5 * keepaliveSeconds * 1e3

type Time = 'noticedMs' | 'provisionalMs' | 'writtenMs'

export function barsOf(results: readonly Result[]): Bar[] {
  const right = results.filter(isRight).length
  const wrong = results.filter(isWrong)
  const times = (bar: string, field: Time, limitMs: number, of: (result: Result) => boolean = () => true): Bar => {
    const most = Math.max(0, ...results.filter(of).map(result => result[field] ?? 0))
    return { bar: `${bar} within ${seconds(limitMs)}`, seen: `at most ${seconds(most)}`, met: most <= limitMs }
  }
  return [
    {
      bar: 'the cause is right in at least 95 % of the rows',
      seen: `${right} of ${results.length}`,
      met: results.length > 0 && right >= 0.95 * results.length,
    },
    { bar: 'no wrong cause is certain or likely', seen: `${wrong.length}`, met: wrong.length === 0 },
    {
      bar: 'every row has a verdict',
      seen: `${results.filter(({ problem }) => problem === null).length} of ${results.length}`,
      met: results.every(({ problem }) => problem === null),
    },
    times('an end that the wire shows is noticed', 'noticedMs', 1_000, ({ isHidden }) => !isHidden),
    times('a dead link is noticed', 'noticedMs', noticedLimitMs, ({ isHidden }) => isHidden),
    times('a provisional verdict is written', 'provisionalMs', 5_000),
    times('the verdict is written after the end', 'writtenMs', 2_000),
  ]
}

export const summaryOf = (results: readonly Result[]): string =>
  barsOf(results)
    .map(({ bar, seen, met }) => `${met ? 'met    ' : 'NOT MET'}  ${bar}: ${seen}`)
    .join('\n')

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

export const pageOf = (results: readonly Result[]): string => `# The fault matrix

What was done to a device, what hubrec called it, and what the stock SDK told its application in the same trouble: on real sockets
against the local hub, in a network of its own, as \`npm run matrix -- --page docs/fault-matrix.md\` saw it last. The truth was
written down before any rule saw the row; where a wire cannot tell causes apart it names all of them.

| bar | seen | |
|---|---|---|
${barsOf(results)
  .map(({ bar, seen, met }) => `| ${bar} | ${seen} | ${met ? 'met' : 'NOT MET'} |`)
  .join('\n')}

| what was done | protocol | when | it may be called | hubrec said | the SDK said |
|---|---|---|---|---|---|
${results
  .map(result => {
    const { fault, protocol, when, truth, sdkSaid } = result
    const cells = [
      fault,
      protocol,
      whens[when],
      truth.join(' *or* '),
      verdictOf(result),
      sdkSaid === null ? '' : saidOf(sdkSaid),
    ]
    return `| ${cells.map(cell).join(' | ')} |`
  })
  .join('\n')}
`
