/** A marker that somebody at the device sets: "it happened just now". */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../transports/clock.js'
import type { Pipeline } from './pipeline.js'

export type Mark = Readonly<{ id: string; at: string }>

const noteMax = 500

/** On disk before it is answered. */
export async function writeMark(records: Pipeline, clock: Clock, note: string): Promise<Mark> {
  const id = `mark-${randomBytes(4).toString('hex')}`
  const at = new Date(clock.now().wallMs).toISOString()
  await records.record('mark', { id, note: note.slice(0, noteMax) })
  return { id, at }
}
