/** What the desired properties of the twin may change. To add one, write a file that exports a `TwinProperty`, and name it in properties.ts. */
import type { Config } from '../config/config.js'
import type { Check } from './check.js'

/** What the daemon lends to those who change something. */
export type TwinParts = Readonly<{
  setSampleInterval(intervalMs: number): void
  setRingBudget(bytes: number): Promise<void>
  setOutboxQuota(bytes: number): void
  /** `0`: none. */
  setHeartbeat(everyMs: number): void
  /** Until a time, RFC 3339; `null`: it is not this that raises it. */
  raiseVerbosity(until: string | null): Promise<void>
}>

export type TwinProperty<T = never> = Readonly<{
  /** Of the desired and of the reported property. Never renamed: scripts and dashboards rely on it. */
  name: string
  check: Check<T>
  /** What holds where the twin says nothing. */
  standard(config: Config): T
  /** What it changes is kept over restarts by itself: it is not told at start. */
  keepsItself?: true
  /** Told when what holds has changed, and at start where it is not the standard. */
  apply(value: T, parts: TwinParts): void | Promise<void>
}>

/** Any of them, for a list. */
export type AnyTwinProperty = TwinProperty<TwinValue>

export type TwinValue = number | string | null

export const anyProperty = <T extends TwinValue>(property: TwinProperty<T>): AnyTwinProperty =>
  property as unknown as AnyTwinProperty
