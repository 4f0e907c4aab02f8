/** The words in which the conformance table is written. */
import type { Protocol } from '../../transports/wire-event.js'
import type { FollowOptions } from './followed-connection.js'
import type { Trouble } from './troubles.js'

/** What the wire shows, as `wire-words.ts` says it, and the verdict: its cause and its confidence. */
export type Seen = readonly [wire: string, verdict: string]

/**
 * - `away`: it keeps new connections away. In a session it comes first, and a FIN ends the session then.
 * - `ends`: it ends the session, and keeps new connections away.
 * - `strikes`: it ends the session, and is healed at that moment: what ended the session is the verdict.
 * - `bears`: the connection goes on, and no episode comes of it.
 * - `publish`: it waits for something to be published; and once more in the next session.
 * - `renews`: there is no trouble, and the token is renewed.
 * - `renewal`: it waits for the token to be renewed.
 * - `loses`: it waits for the next connection, which a FIN brings about, and does not keep it away.
 * - `fights`: it comes again as often as we come back.
 * - `stays`: it cannot be healed while the process lives.
 */
export type Way =
  | 'away'
  | 'ends'
  | 'strikes'
  | 'bears'
  | 'publish'
  | 'renews'
  | 'renewal'
  | 'loses'
  | 'fights'
  | 'stays'

/** Of several that can be seen, it is one. */
export type Moment = Readonly<{ way: Way; seen: readonly Seen[] }>

/** Why it cannot happen there. */
export type Reason = string

/** From the first connection on, and in a session that is up. */
export type Cell = Readonly<{ start: Moment | Reason; session: Moment | Reason }>

export type Cells = Readonly<Record<Protocol, Cell | Reason>>

export type Row = Readonly<{
  name: string
  trouble: Trouble
  options?: Partial<FollowOptions>
  /** The step to which no answer comes: its limit is short while that lasts. */
  unanswered?: 'dns' | 'tcp' | 'tls' | 'accept'
  /** How many ends are waited for; 2 by default. */
  rounds?: number
  /** It tells its application nothing of it. */
  sdkIsSilent?: true
  cells: Cells
}>

export const protocols: readonly Protocol[] = ['mqtt', 'mqtt-ws', 'amqp', 'amqp-ws']
