/** A verdict as a table compares it: what was decided, the rule's own sentences, and what else it could have been. */
import type t from 'tap'
import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Evidence } from '../../agent/evidence/episode.js'

export type Row = Readonly<{
  story: string
  evidence: Evidence
  /** `cause confidence` */
  verdict: string
  /** The first sentences of evidence; those about shares and sessions follow. */
  sees?: readonly string[]
  /** Whole and in order, each at most `possible`; left out: not compared. */
  runnersUp?: readonly string[]
}>

export function compare(t: Test, rows: readonly Row[]): void {
  for (const { story, evidence, verdict, sees = [], runnersUp } of rows) {
    const found = diagnose(evidence).verdict
    t.strictSame(
      {
        verdict: `${found.cause} ${found.confidence}`,
        sees: found.evidence.slice(0, sees.length),
        runnersUp: runnersUp && found.runnersUp.map(({ cause }) => cause),
      },
      { verdict, sees, runnersUp },
      story,
    )
  }
}

type Test = Pick<typeof t, 'strictSame'>
