/** A desired property that asks for something to be done, once, in place of a value that holds. */
import type { Json } from './patch.js'

export interface TwinOrder {
  readonly name: string
  /** @param value `undefined` where the twin asks for nothing. Must not throw */
  take(value: unknown, version: number): Promise<void>
  /** What is reported by now, by property; everything that was asked for is among it, without its secrets. */
  answers(): Json
}
