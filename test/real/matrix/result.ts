/** What came of one row: hubrec's word, the stock SDK's, and how long hubrec took for it. */
import type { Protocol } from '../../../transports/wire-event.js'
import { nameOf, type Row, type When } from './row.js'

export type Result = Readonly<{
  fault: string
  protocol: Protocol
  when: When
  truth: readonly string[]
  cause: string
  confidence: string
  /** The first sentence of its evidence. */
  evidence: string
  /** What the stock application was told in the same trouble; `null` where it was not put through it. */
  sdkSaid: readonly string[] | null
  /** From what was done until hubrec saw an end; for a first connection, and a process that died, there is none. */
  noticedMs: number | null
  /** Nothing was on the wire that could have been seen at once: a timer or a packet of ours found the end. */
  isHidden: boolean
  /** From that end until an open episode was written. */
  provisionalMs: number | null
  /** From the acceptance that ended the outage until the closed episode was written. */
  writtenMs: number | null
  /** Why there is no verdict to compare. */
  problem: string | null
}>

export const isRight = ({ truth, cause }: Result): boolean => truth.includes(cause)

/** A wrong cause said as if it were known. */
export const isWrong = (result: Result): boolean =>
  !isRight(result) && (result.confidence === 'certain' || result.confidence === 'likely')

export const emptyResult = (row: Row, problem: string): Result => ({
  fault: row.fault.name,
  protocol: row.protocol,
  when: row.when,
  truth: row.fault.truth,
  cause: 'none',
  confidence: 'unknown',
  evidence: '',
  sdkSaid: null,
  noticedMs: null,
  isHidden: false,
  provisionalMs: null,
  writtenMs: null,
  problem: `${nameOf(row)}: ${problem}`,
})
