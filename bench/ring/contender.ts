/** What competes: how records are handed to it and, where it can, how they come back. To add one: a file, and a line in contenders.ts. */
import type { Entry, Shape } from './stream.js'

export type Contender = Readonly<{
  /** On the command line, in JSON and in the bars. */
  name: string
  /** For people, with what it was told to do. */
  title: string
  /** The measures it takes part in. */
  measures: readonly string[]
  /** Why it cannot run here. */
  missing?(): string | null
  shape?: Shape
  /** Brings its code in, before anything is timed. */
  load?(): void
  /** How many records it is given before it is waited for, where nothing else is asked. */
  window?: number
  open(place: Place): Promise<Sink>
  /** For those that can be read again. */
  archive?: Archive
}>

export type Place = Readonly<{
  /** Exists, and is its own. */
  dir: string
  /** For those that keep to one. */
  budgetBytes: number
}>

export interface Sink {
  /** Serialises the record and takes it over. */
  append(entry: Entry): void
  /**
   * Resolves when everything that was appended is with the kernel.
   *
   * @throws where a record was refused: what is faster because it does less is not measured
   */
  handedOver(): Promise<void>
  /** Resolves when what it does behind the appends is done too. Left out: nothing that could be waited for. */
  settled?(): Promise<void>
  close(): Promise<void>
}

export type Archive = Readonly<{
  /** Records that are there. */
  count?(dir: string): Promise<number>
  read?(dir: string): Promise<Reader>
  /** Everything, as compressed lines, to one file. */
  exportTo?(dir: string, file: string): Promise<void>
}>

export interface Reader {
  /** The records, as JSON, from one wall time to another, both included. */
  between(sinceMs: number, untilMs: number): Promise<string[]>
  last(count: number): Promise<string[]>
}

/** What is needed is not here: said aloud, and no failure of the bench. */
export class Unavailable extends Error {}
