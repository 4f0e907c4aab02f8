/** A watched connection whose events become episodes and verdicts, as in the daemon but without a ring. */

import { diagnose } from '../../agent/diagnosis/diagnose.js'
import type { Episode } from '../../agent/evidence/episode.js'
import { nothingSeen } from '../../agent/evidence/surroundings.js'
import { begin, type Effect, step } from '../../agent/evidence/tracker.js'
import { systemClock } from '../../transports/clock.js'
import { type WatchedConnection, type WatchOptions, watchConnection } from './watched-connection.js'

export interface FollowedConnection extends WatchedConnection {
  /** The newest version of each episode, in the order in which they began. */
  readonly episodes: readonly Episode[]
}

/** What the device's clock is known to be, and whether this credential was accepted before. */
export type FollowOptions = WatchOptions &
  Readonly<{ synchronised?: boolean | null; plausible?: boolean; credentialWorked?: boolean }>

export function followConnection(options: FollowOptions): FollowedConnection {
  const clock = systemClock()
  const episodes: Episode[] = []
  const { synchronised = null, plausible = true } = options
  let ids = 0
  const newId = (): string => `episode-${++ids}`

  const keep = (effects: readonly Effect[]): void => {
    for (const effect of effects) {
      if (effect.do === 'recordSession') continue
      const { wallMs } = clock.now()
      const judged = diagnose({
        ...effect.evidence,
        clock: { wallMs, plausible, synchronised },
        host: nothingSeen,
        probes: [],
      })
      const episode: Episode = { ...effect.facts, ...judged }
      const known = episodes.findIndex(({ id }) => id === episode.id)
      if (known < 0) episodes.push(episode)
      else episodes[known] = episode
    }
  }

  const now = clock.now()
  const started = begin(
    {
      conn: 'hubrec',
      protocol: options.protocol ?? 'mqtt',
      credential: 'f00dface',
      credentialWorked: options.credentialWorked ?? false,
      history: [],
      before: { ending: { kind: 'start' }, at: now, session: null, open: null },
    },
    now,
    newId,
  )
  let { tracker } = started
  keep(started.effects)
  const watched = watchConnection({
    ...options,
    onEvent: event => {
      const next = step(tracker, event, clock.now(), newId)
      tracker = next.tracker
      keep(next.effects)
    },
  })
  return { ...watched, episodes }
}
