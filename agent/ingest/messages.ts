/** What a recorded application and the daemon say to each other over the ingest socket. */

import type { WireEvent } from '../../transports/wire-event.js'
import type { SdkVersions } from '../sdk-versions.js'

/** Raised when a message changes its meaning; new fields do not. */
export const ingestVersion = 1

/** Of an application's connection. `hubrec` and what begins with `hubrec.` is the daemon's own. */
export const namePattern = /^[A-Za-z0-9._-]{1,64}$/
export const isReserved = (name: string): boolean => /^hubrec(\.|$)/i.test(name)

export type Hello = Readonly<{
  type: 'hello'
  version: number
  name: string
  pid: number
  /** What a pid means depends on it; `null` where the host does not say. */
  pidNamespace: string | null
  /** When the process began, in the kernel's ticks since boot: a pid is used again. */
  startTicks: number | null
  /** `sdk`: of the packages that the application loads; left out by versions that did not look. */
  versions: Readonly<{ hubrec: string; node: string; sdk?: SdkVersions }>
  clock: Readonly<{ wallMs: number; monoMs: number; bootId: string }>
}>

/**
 * What goes on where the daemon has no memory of it: the beginning of an attempt, in the words in which it was told before.
 * `lane` is 1 for the first of an application's clients that are connected at once, 2 for the second.
 */
export type Resumed = Readonly<{ type: 'open'; lane: number; inc: number; events: readonly WireEvent[] }>

/**
 * `n` numbers what has to arrive, from 1 and +1 each. The daemon answers with the greatest that it has taken, four bytes each; its
 * answer to `hello` is 0, and nothing is told before it.
 */
export type Told = Readonly<{ type: 'event'; n: number; lane: number; inc: number; event: WireEvent }>
/** So many events were dropped in the application, because it had no room to keep them. */
export type Lost = Readonly<{ type: 'lost'; n: number; count: number }>

/** `crashed`: an exception that nobody caught ended the application; its name, and no more of it. */
export type Bye = Readonly<{ type: 'bye'; exitCode: number; crashed: string | null }>

export type Numbered = Told | Lost
export type Message = Hello | Resumed | Numbered | Bye
