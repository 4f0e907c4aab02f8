/** The results: for people a line for each peer of each row, with the medians behind the ratio; for programs everything. */

import type { Machine } from '../machine.js'
import { contenderNamed } from './contenders.js'
import type { Row, Settings } from './measure.js'
import type { PeerVersion } from './peers.js'
import type { Outcome } from './rounds.js'
import { type Compared, ours, resultsOf } from './verdict.js'

const header = ['measure', 'hubrec', 'peer', '', 'ratio', 'bar', 'verdict'] as const

export type Report = Readonly<{
  machine: Machine
  peers: Readonly<Record<string, PeerVersion>>
  settings: Settings
  outcomes: readonly Outcome[]
}>

export function asJson({ machine, peers, settings, outcomes }: Report): string {
  const measures = outcomes.map(outcome => {
    const rows = resultsOf(outcome).map(({ row, medians, compared }) => ({
      ...row,
      medians: Object.fromEntries(medians),
      compared,
    }))
    return { name: outcome.measure.name, how: outcome.measure.how(settings), rows, absent: outcome.absent }
  })
  return JSON.stringify({ machine, peers, settings, measures }, null, 2)
}

export function textTable(report: Report): string {
  const { outcomes } = report
  const lines = outcomes.flatMap(linesOf)
  const widths = header.map((name, column) => Math.max(name.length, ...lines.map(line => line[column]!.length)))
  const show = (line: readonly string[]) =>
    line
      .map((cell, column) =>
        [1, 3, 4].includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  return [show(header), show(widths.map(width => '-'.repeat(width))), ...lines.map(show), '', ...notes(report)].join(
    '\n',
  )
}

export function markdownTable(report: Report): string {
  const { outcomes } = report
  const show = (line: readonly string[]) => `| ${line.join(' | ')} |`
  const rule = '| --- | ---: | --- | ---: | ---: | --- | --- |'
  const items = notes(report).map(note => `- ${note}`)
  return [show(header), rule, ...outcomes.flatMap(linesOf).map(show), '', ...items].join('\n')
}

function linesOf(outcome: Outcome): string[][] {
  return resultsOf(outcome).flatMap(({ row, medians, compared }) => {
    const own = medians.get(ours)
    const asks = row.asks
    if (!own) {
      const others = [...medians].map(([name, { median }]) => [asks, '', titleOf(name), shown(median, row), '', '', ''])
      return others.map((line, index) => (index === 0 ? line : ['', ...line.slice(1)]))
    }
    const lines = compared.map(one => [
      '',
      '',
      titleOf(one.peer),
      shown(medians.get(one.peer)!.median, row),
      `${significant(one.ratio)}x`,
      barOf(one),
      verdictOf(one),
    ])
    const [first = ['', '', '', '', '', '', ''], ...rest] = lines
    return [[asks, shown(own.median, row), ...first.slice(2)], ...rest]
  })
}

function notes({ machine, peers, settings, outcomes }: Report): string[] {
  const all = outcomes.flatMap(outcome => resultsOf(outcome).flatMap(({ compared }) => compared))
  const judged = all.filter(({ met }) => met !== null)
  const missed = judged.filter(({ met }) => !met).length
  const { node, processor, cores, memoryGiB, kernel, fileSystem } = machine
  const versions = Object.entries(peers).map(([name, { installed }]) => `${name} ${installed ?? '(not installed)'}`)
  return [
    `node ${node}, ${processor} with ${cores} cores, ${memoryGiB} GiB, ${kernel}, ${fileSystem}; ${versions.join(', ')}`,
    `medians of ${settings.rounds} rounds; the ratio is hubrec's figure divided by the peer's; ${judged.length - missed} of ${judged.length} bars met`,
    ...outcomes.map(({ measure }) => `${measure.name}: ${measure.how(settings)}`),
    ...outcomes.flatMap(({ measure, absent }) =>
      absent.map(({ contender, failed, why }) => {
        const who = contender === null ? '' : `, ${titleOf(contender)}`
        return `${failed ? 'FAILED' : 'SKIPPED'} ${measure.name}${who}: ${why}`
      }),
    ),
  ]
}

const titleOf = (name: string): string => contenderNamed(name).title

const barOf = ({ bar }: Compared): string =>
  bar === null ? '' : 'atLeast' in bar ? `at least ${bar.atLeast}x` : `at most ${bar.atMost}x`

function verdictOf({ met, margin, bar }: Compared): string {
  if (met === null || margin === null || bar === null) return ''
  const percent = `${Math.abs(margin * 100).toFixed(0)} %`
  if (met) return `met, ${percent} to spare`
  return `NOT MET, ${percent} too ${'atLeast' in bar ? 'little' : 'much'}`
}

function shown(value: number, { unit }: Row): string {
  switch (unit) {
    case 'perSecond':
      return `${grouped(Number(value.toPrecision(3)))}/s`
    case 'records':
      return grouped(value)
    case 'bytes':
      return `${value >= 1e4 ? grouped(value) : significant(value)} B`
    case 'us':
      return `${significant(value)} us`
    case 'ms':
      return `${significant(value)} ms`
    case 'MiB':
      return `${significant(value)} MiB`
  }
}

const grouped = (value: number): string => Math.round(value).toLocaleString('en')

const significant = (value: number): string =>
  Math.abs(value) >= 100 ? grouped(value) : Number(value.toPrecision(3)).toString()
