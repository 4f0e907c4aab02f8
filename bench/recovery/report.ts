/** The results: for people a line for each protocol of each fault, with the medians; for programs everything. */
import type { Machine } from '../machine.js'
import { holds, type Settings } from './measure.js'
import type { Outcome } from './rounds.js'
import { medianOf, slackMs, type Verdict, verdictOn } from './verdict.js'

const header = [
  'what is done',
  'over',
  'hubrec notices',
  'SDK tells',
  'hubrec back',
  'SDK back',
  'jitter',
  'verdict',
] as const

export type Report = Readonly<{ machine: Machine; settings: Settings; outcomes: readonly Outcome[] }>

export function asJson({ machine, settings, outcomes }: Report): string {
  const rows = outcomes.map(outcome => {
    const { fault, protocol, rounds, failures } = outcome
    return {
      fault: fault.name,
      done: fault.title,
      protocol,
      heldMs: holds(fault, settings),
      medians: mediansOf(outcome),
      verdict: rounds.length === 0 ? null : verdictOn(rounds),
      rounds,
      failures,
    }
  })
  return JSON.stringify({ machine, settings, rows }, null, 2)
}

export function textTable(report: Report): string {
  const lines = linesOf(report)
  const widths = header.map((name, column) => Math.max(name.length, ...lines.map(line => line[column]!.length)))
  const show = (line: readonly string[]) =>
    line
      .map((cell, column) => (isFigure(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  const rule = show(widths.map(width => '-'.repeat(width)))
  return [show(header), rule, ...lines.map(show), '', ...notes(report)].join('\n')
}

export function markdownTable(report: Report): string {
  const show = (line: readonly string[]) => `| ${line.join(' | ')} |`
  const rule = show(header.map((_, column) => (isFigure(column) ? '---:' : '---')))
  return [show(header), rule, ...linesOf(report).map(show), '', ...notes(report).map(note => `- ${note}`)].join('\n')
}

/** Columns of figures stand to the right. */
const isFigure = (column: number): boolean => column >= 2 && column <= 6

function mediansOf({ rounds }: Outcome) {
  const of = (side: 'hubrec' | 'sdk') => ({
    noticedMs: medianOf(rounds.map(round => round[side].noticedMs)),
    backMs: medianOf(rounds.map(round => round[side].backMs)),
  })
  return { hubrec: of('hubrec'), sdk: of('sdk'), jitterMs: medianOf(rounds.map(({ jitterMs }) => jitterMs)) }
}

function linesOf({ settings, outcomes }: Report): string[][] {
  return outcomes.map((outcome, index) => {
    const { fault, protocol, rounds } = outcome
    const done = outcomes[index - 1]?.fault === fault ? '' : titleOf(outcome, settings)
    if (rounds.length === 0) return [done, protocol, '', '', '', '', '', 'NOT MEASURED']
    const { hubrec, sdk, jitterMs } = mediansOf(outcome)
    const back = (ms: number | null) => seconds(ms, `not in ${settings.patienceSeconds} s`)
    return [
      done,
      protocol,
      seconds(hubrec.noticedMs, 'never'),
      seconds(sdk.noticedMs, 'never'),
      back(hubrec.backMs),
      back(sdk.backMs),
      seconds(jitterMs, ''),
      verdictOf(verdictOn(rounds), rounds.length),
    ]
  })
}

function titleOf({ fault }: Outcome, settings: Settings): string {
  return fault.holds === 'lasting' ? `${fault.title}, ${settings.lastsSeconds} s` : fault.title
}

const seconds = (ms: number | null, otherwise: string): string => {
  if (ms === null) return otherwise
  return ms < 9_950 ? `${(ms / 1e3).toFixed(ms < 995 ? 2 : 1)} s` : `${Math.round(ms / 1e3)} s`
}

function verdictOf({ met, overMs, roundsMet }: Verdict, rounds: number): string {
  if (met) return 'met'
  const by = overMs === null ? 'not back' : `${seconds(overMs, '')} late`
  return `NOT MET in ${rounds - roundsMet} of ${rounds}, ${by}`
}

function notes({ machine, settings, outcomes }: Report): string[] {
  const { node, processor, cores, memoryGiB, kernel } = machine
  const { keepaliveSeconds, takeOverSeconds, rounds, pairs, patienceSeconds, long } = settings
  const judged = outcomes.filter(outcome => outcome.rounds.length > 0)
  const met = judged.filter(outcome => verdictOn(outcome.rounds).met).length
  const dead = judged.filter(outcome => mediansOf(outcome).sdk.backMs === null).length
  return [
    `node ${node}, ${processor} with ${cores} cores, ${memoryGiB} GiB, ${kernel}; hub and up to ${pairs} pairs on the same machine`,
    `${rounds === 1 ? 'one round' : `medians of ${rounds} rounds`}; bar met in ${met} of ${judged.length} rows${rounds === 1 ? '' : ', in each round of them'}; the SDK was not back within ${patienceSeconds} s in ${dead}`,
    `the bar: back, and not later than the SDK by more than ${slackMs / 1e3} s and the jitter, which is what hubrec's backoff left to chance in the wait at the fault's end`,
    `keepalive ${keepaliveSeconds.hubrec} s for hubrec and ${keepaliveSeconds.sdk} s for the SDK, whose AMQP has none; ${
      long
        ? 'all else is the default of both sides'
        : `hubrec waits ${takeOverSeconds.floor} s to ${takeOverSeconds.cap} s after two take-overs, in place of its 2 to 15 minutes; all else is the default of both sides`
    }`,
    ...outcomes.flatMap(({ fault, protocol, failures }) =>
      failures.map(failure => `FAILED ${fault.name} ${protocol}: ${failure}`),
    ),
  ]
}
