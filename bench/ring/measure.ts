/** What is measured, and against which bar. To add one: a file, and a line in measures.ts. */
import type { Contender } from './contender.js'

/** What one contender's part of one round came to, by name. */
export type Figures = Readonly<Record<string, number>>

export type Settings = Readonly<{
  rounds: number
  /** Records of the stream that are appended where it is about appending. */
  records: number
  /** Records handed over in one go. */
  burst: number
  /** Takes the time that the slow measures really need. */
  long: boolean
}>

/** What a child process is given. */
export type Job = Readonly<{
  contender: Contender
  /** Exists, and is its own. */
  dir: string
  /** Of the stream: each round has another, all contenders of a round have the same. */
  seed: number
  settings: Settings
  /** The block device under `dir`, where it has one of its own. */
  device: string | null
}>

/** What the parent has at hand for one contender's part of one round. */
export type Part = Readonly<{
  contender: Contender
  dir: string
  settings: Settings
  /** Runs one of the measure's roles in a process of its own, and waits for its figures. */
  child(role: string, place?: Readonly<{ dir?: string; device?: string; dies?: boolean }>): Promise<Figures>
}>

export type Row = Readonly<{
  figure: string
  asks: string
  unit: 'perSecond' | 'us' | 'ms' | 'records' | 'bytes' | 'MiB'
  bars: readonly Bar[]
}>

/** For our figure divided by the peer's. */
export type Bar = Readonly<{ peer: string } & ({ atLeast: number } | { atMost: number })>

export type Measure = Readonly<{
  name: string
  /** A sentence on how it is measured. */
  how(settings: Settings): string
  rows: readonly Row[]
  /** What cannot be had here, for all contenders. */
  missing?(): string | null
  /**
   * What runs at the same time: one contender after the other where time is measured, all contenders of a round where only
   * amounts are, and all rounds where it would take too long otherwise.
   */
  together: 'nobody' | 'round' | 'all'
  /** Done once for each contender; then its rounds share the directory. */
  prepare?(part: Part): Promise<unknown>
  round(part: Part): Promise<Figures>
  /** Looks at what all contenders of a round came to: takes off what nobody needs, and throws where they did not do the same. */
  settle?(round: ReadonlyMap<string, Figures>): ReadonlyMap<string, Figures>
  roles: Readonly<Record<string, (job: Job) => Promise<Figures>>>
}>

export const ringBudgetBytes = 16 * 1024 * 1024
