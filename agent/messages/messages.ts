/**
 * Messages to the cloud: one for each incident that is over, and a heartbeat, where they are wanted. They go into the stream of the
 * application's own messages and onto its bill, so each is counted, small, and told apart by its properties.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServedSession } from '../../transports/supervisor.js'
import { createBlame } from '../blame.js'
import { createDoorbell, type Doorbell } from '../doorbell.js'
import { eachSession } from '../each-session.js'
import type { Episode } from '../evidence/episode.js'
import type { Part } from '../run-together.js'
import { bodyOf, calmMs, type OpenIncident, withEpisode } from './incident.js'
import type { MessageKind, Waiting } from './message.js'
import type { MessageStore } from './store.js'

export type MessagesOptions = Readonly<{
  store: MessageStore
  /** Whether a message is sent for each incident. */
  incidents: boolean
  /** Asked anew each time: it may change. `0`: none. */
  heartbeatMs(): number
  /** The body of a heartbeat, JSON. */
  heartbeat(): string
  /** Of a clock that goes on in suspend. */
  nowMs(): number
  newId(): string
  note(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, error?: unknown): void
  /** In [0, 1). Default: `Math.random`. */
  random?: () => number
  /** Rejects when the signal aborts. Default: timers. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
}>

export interface Messages {
  readonly part: Part
  /** The hub serves a session. */
  served(session: ServedSession): void
  /** Each verdict of the daemon's own connection. */
  told(episode: Episode): void
  /** The heartbeat may have another pace. */
  look(): void
}

/** What heartbeats leave of the day's messages. */
export const keptForIncidents = 20

/** A message that was not taken is tried again after this, in the same session. */
const retryMs = 60_000

export function createMessages(options: MessagesOptions): Messages {
  const { store, nowMs, note, warn, random = Math.random } = options
  const wait = options.wait ?? ((delayMs, signal) => sleep(delayMs, undefined, { signal }))
  const blame = createBlame(nowMs)
  let bell: Doorbell | null = null
  let open: OpenIncident | null = null
  /** When the last one left, or the first may. */
  let beatMs: number | null = null
  let isOverBudget = false

  const queue = async (incident: OpenIncident): Promise<void> => {
    const last = incident.at(-1) ?? incident[0]
    const message = { id: incident[0].id, cause: last.verdict.cause, body: bodyOf(incident), tries: 0 }
    for (const { id } of await store.add(message)) note('an incident is not sent: too many wait', { incident: id })
    bell?.ring()
  }

  /** @returns whether there was room for it in the day */
  const send = async (
    session: ServedSession,
    kind: MessageKind,
    id: string,
    body: string,
    properties: Readonly<Record<string, string>>,
  ): Promise<void> => {
    await store.count()
    blame.asked()
    await session.send({ id, body, properties: { 'hubrec-kind': kind, ...properties } })
  }

  const sendWaiting = async (session: ServedSession, message: Waiting): Promise<void> => {
    const { id, cause, body, tries } = message
    await store.update({ ...message, tries: tries + 1 })
    await send(session, 'incident', id, body, { cause, ...(tries > 0 ? { repeated: 'true' } : {}) })
    await store.remove(id)
  }

  const live = async (session: ServedSession, signal: AbortSignal): Promise<void> => {
    const ended = AbortSignal.any([signal, session.ended])
    const calmAtMs = nowMs() + calmMs
    const rings = createDoorbell()
    bell = rings
    beatMs ??= nowMs() - Math.floor((1 - random()) * options.heartbeatMs())

    /** @returns how long there is nothing to do */
    const step = async (): Promise<number> => {
      const now = nowMs()
      if (open !== null && now >= calmAtMs) {
        const over = open
        open = null
        await queue(over)
      }
      const [message] = store.waiting()
      const beatEveryMs = options.heartbeatMs()
      const beatInMs = beatEveryMs === 0 ? Number.POSITIVE_INFINITY : (beatMs ?? 0) + beatEveryMs - now
      const left = store.left()
      noteBudget(left > 0)
      // A session that does not last has other troubles than to tell of them.
      if (message && now >= calmAtMs && left > 0) {
        await sendWaiting(session, message)
        return 0
      }
      if (beatInMs <= 0) {
        beatMs = now
        if (left > keptForIncidents || (left > 0 && !options.incidents))
          await send(session, 'heartbeat', options.newId(), options.heartbeat(), {})
        return 0
      }
      const calmInMs = calmAtMs > now ? calmAtMs - now : hourMs
      return Math.min(calmInMs, beatInMs, hourMs)
    }

    try {
      await wait(blame.quietMs(), ended)
      while (!ended.aborted) {
        let idleMs = 0
        try {
          idleMs = await step()
        } catch (error) {
          if (ended.aborted) break
          warn('a message could not be sent to the hub', error)
          // Not woken by another message: that would not fare better.
          await wait(retryMs, ended)
        }
        if (idleMs > 0) await rings.rung(ended, rung => wait(idleMs, rung))
      }
    } catch (error) {
      if (!ended.aborted) throw error
    } finally {
      bell = null
      const quietMs = blame.ended()
      if (quietMs > 0 && !signal.aborted)
        warn(
          `sessions ended soon after a message was sent, for that reason or another: none is sent for ${Math.round(quietMs / 60_000)} minutes`,
        )
    }
  }

  const noteBudget = (hasRoom: boolean): void => {
    if (isOverBudget === !hasRoom) return
    isOverBudget = !hasRoom
    if (isOverBudget) note('no more messages today: messages.dailyMax is used up', {})
  }

  const { part, served } = eachSession('messages', live)

  return {
    part: {
      ...part,
      async run(signal) {
        await part.run(signal)
        // What is not known to be over is told of all the same, by the next run.
        if (open !== null) await queue(open)
      },
    },
    served,
    told(episode) {
      if (!options.incidents || episode.state !== 'closed' || episode.planned) return
      const told = withEpisode(open, episode)
      open = told.open
      for (const incident of told.over) void queue(incident)
    },
    look: () => bell?.ring(),
  }
}

const hourMs = 3_600_000
