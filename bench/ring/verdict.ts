/** What the figures say: medians, our figure divided by each peer's, and whether that is over the bar or under it. */

import { median } from '../statistics.js'
import type { Bar, Figures, Row } from './measure.js'
import type { Outcome } from './rounds.js'

export type Compared = Readonly<{
  peer: string
  /** Our median divided by the peer's. */
  ratio: number
  bar: Readonly<{ atLeast: number } | { atMost: number }> | null
  met: boolean | null
  /** How far it is on the right side of the bar, as a share of it; on the wrong side it is negative. */
  margin: number | null
}>

export type RowResult = Readonly<{
  row: Row
  /** By contender, with the figure of each round. */
  medians: ReadonlyMap<string, Readonly<{ median: number; rounds: readonly number[] }>>
  compared: readonly Compared[]
}>

export const ours = 'ring'

/** Takes part in everything that it has a place in: what nobody needs is taken off what the others need. */
export const nobody = 'idle'

export function resultsOf({ measure, figures }: Outcome): RowResult[] {
  return measure.rows.map(row => {
    const medians = new Map(
      [...figures].flatMap(([name, rounds]) => {
        const values = valuesOf(row, rounds)
        return values.length === 0 ? [] : [[name, { median: median(values), rounds: values }] as const]
      }),
    )
    const own = medians.get(ours)?.median
    const compared =
      own === undefined
        ? []
        : [...medians]
            .filter(([name]) => name !== ours)
            .map(([peer, { median }]) =>
              compare(
                own / median,
                peer,
                row.bars.find(bar => bar.peer === peer),
              ),
            )
    return { row, medians, compared }
  })
}

const valuesOf = ({ figure }: Row, rounds: readonly Figures[]): number[] =>
  rounds.flatMap(figures => (figures[figure] === undefined ? [] : [figures[figure]]))

export function compare(ratio: number, peer: string, bar: Bar | undefined): Compared {
  if (!bar) return { peer, ratio, bar: null, met: null, margin: null }
  if ('atLeast' in bar) {
    const margin = ratio / bar.atLeast - 1
    return { peer, ratio, bar: { atLeast: bar.atLeast }, met: margin >= 0, margin }
  }
  const margin = 1 - ratio / bar.atMost
  return { peer, ratio, bar: { atMost: bar.atMost }, met: margin >= 0, margin }
}
