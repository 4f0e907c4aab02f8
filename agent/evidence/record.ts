/** The envelope of everything that is kept: what a line of the ring, of `logs --json` and of a bundle's `records.ndjson` is. */
import type { RingClass } from '../ring/ring.js'

export type RecordType =
  | 'wire'
  | 'sample'
  | 'log'
  | 'session'
  | 'episode'
  | 'gap'
  | 'clock'
  | 'context'
  | 'mark'
  | 'task'
  | 'condition'
  | 'start'
  | 'stop'

export const recordTypes: readonly RecordType[] = [
  'wire',
  'sample',
  'log',
  'session',
  'episode',
  'gap',
  'clock',
  'context',
  'mark',
  'task',
  'condition',
  'start',
  'stop',
]

/**
 * What the ring keeps of each kind when there is more than it holds: the newest outages and what frames them stay, however many
 * packets or lines came after them.
 */
export const recordClasses: readonly RingClass[] = [
  { types: ['episode', 'session', 'start', 'stop', 'mark', 'task', 'condition', 'clock'], share: 1 / 8 },
  { types: ['wire'], share: 1 / 4 },
  { types: ['sample'], share: 1 / 8 },
  { types: ['log'], share: 1 / 8 },
]

/** pino's numbers, so that a record and a line of the operator's log agree. */
export const levels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const

export type Stamp = Readonly<{
  /** Wall time, RFC 3339 with milliseconds. It may lie; `bootId` and `monoMs` do not. */
  at: string
  bootId: string
  monoMs: number
}>

/** A record as it is handed to the ring, which gives it its `seq`. */
export type Draft = Stamp &
  Readonly<{
    level: number
    type: RecordType
    /** The connection's name; `null` for what concerns the whole host. */
    conn: string | null
    /** The incarnation; `null` where none is concerned. */
    inc: number | null
    data: Readonly<Record<string, unknown>>
  }>

export type LogRecord = Readonly<{ seq: number }> & Draft

/** A gap that a reader infers from damage has no number of its own. */
export type InferredGap = Omit<LogRecord, 'seq'> & Readonly<{ type: 'gap' }>

export type GapData = Readonly<{
  reason: 'overflow' | 'queue' | 'damage' | 'diskFull' | 'readOnly' | 'ioError' | 'library'
  count: number
  fromSeq: number | null
  toSeq: number | null
}>
