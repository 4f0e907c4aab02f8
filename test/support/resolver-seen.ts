/** What a scene with the system's resolver is about, and what it tells. */
import type { Episode } from '../../agent/evidence/episode.js'
import type { ClosedEvent } from '../../transports/wire-event.js'
import type { NameMode } from '../hub/name-server.js'

/**
 * - a mode of the name server
 * - `linkDown`: loopback is down, and with it the road to the name server
 * - `noRoute`: the name is in the hosts file, but no interface leads to its address
 */
export type Trouble = Exclude<NameMode, 'answer'> | 'linkDown' | 'noRoute'

/** An address for documentation, which only the hosts file and the scene know. */
export const hubAddress = '192.0.2.1'
export const hubName = 'fabrikam.azure-devices.net'

export type Seen = Readonly<{
  /** Of the direct methods that proved it back. */
  statuses: readonly number[]
  episodes: readonly Episode[]
  /** The ends of the attempts that did not become a session. */
  attempts: readonly ClosedEvent[]
}>
