/** A marker that somebody at the device sets: "it happened just now", or "it happens now": then verbose records go into the ring. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../transports/clock.js'
import type { Pipeline } from './pipeline.js'
import type { Raised, Verbosity } from './verbosity.js'

/** `raised`: until when verbosity is raised, and by which mark; `null` where that was not asked for. */
export type Mark = Readonly<{ id: string; at: string; raised: Raised | null }>

export type MarkParts = Readonly<{ records: Pipeline; clock: Clock; verbosity: Verbosity }>

const noteMax = 500

/**
 * On disk before it is answered.
 *
 * @param said `note`, and `raiseMs` where verbosity is to be raised
 */
export async function writeMark({ records, clock, verbosity }: MarkParts, said: URLSearchParams): Promise<Mark> {
  const id = `mark-${randomBytes(4).toString('hex')}`
  const at = new Date(clock.now().wallMs).toISOString()
  await records.record('mark', { id, note: (said.get('note') ?? '').slice(0, noteMax) })
  const raiseMs = Number(said.get('raiseMs') ?? 0)
  return { id, at, raised: raiseMs > 0 ? await verbosity.raise(id, raiseMs) : null }
}
