/**
 * The device twin, session by session: read whole when one has begun, followed while it lasts, and told what holds and how the device
 * is. What is reported is compared with what the twin says, so that nothing is written that stands there already.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServedSession } from '../../transports/supervisor.js'
import { createBlame } from '../blame.js'
import { createDoorbell, type Doorbell } from '../doorbell.js'
import { eachSession } from '../each-session.js'
import type { Part } from '../run-together.js'
import { isObject, type Json, merged, patchBetween } from './patch.js'
import type { TwinSettings } from './settings.js'

export type TwinOptions = Readonly<{
  /** `null`: desired properties are not heeded. */
  settings: TwinSettings | null
  /** What is reported beside the answers, without secrets; `null` for nothing. */
  state: (() => Promise<Json>) | null
  /** Of a clock that goes on in suspend. */
  nowMs(): number
  warn(message: string, error?: unknown): void
  /** In [0, 1). Default: `Math.random`. */
  random?: () => number
  /** Rejects when the signal aborts. Default: timers. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
}>

export interface Twin {
  readonly part: Part
  /** The hub serves a session. */
  served(session: ServedSession): void
  /** What is reported may have changed. */
  look(): void
  /** What the twin asks for is to be taken again: the device was busy. */
  again(): void
}

/** Under which name all of it stands, desired and reported: a component, in the words of IoT Plug and Play. */
export const componentName = 'hubrec'

/** A fleet that has just come back must not ask for all its twins in one second. */
const settleMs = { least: 1_000, spread: 4_000 }

/** The twin is no log, and each patch is a message on the bill. */
const stateAfterMs = 15_000
const stateEveryMs = 60_000

/** An operator waits for an answer; one that writes in a loop waits for this. */
const answerEveryMs = 5_000

const failedMs = { first: 60_000, max: 3_600_000 }

export function createTwin(options: TwinOptions): Twin {
  const { settings, state, nowMs, warn, random = Math.random } = options
  const wait = options.wait ?? ((delayMs, signal) => sleep(delayMs, undefined, { signal }))
  const blame = createBlame(nowMs)
  let patchedMs = Number.NEGATIVE_INFINITY
  let stateMs = Number.NEGATIVE_INFINITY
  let checkedMs = Number.NEGATIVE_INFINITY
  let current: Doorbell | null = null
  let isToTakeAgain = false

  const live = async (session: ServedSession, signal: AbortSignal): Promise<void> => {
    const ended = AbortSignal.any([signal, session.ended])
    const bell = createDoorbell()
    current = bell
    const beganMs = nowMs()
    let failures = 0
    /** What the twin says under our name; `null` where it has to be read. */
    let reported: Json | null = null
    let desired: Json = {}
    const changes: unknown[] = []
    session.onDesired(change => {
      changes.push(change)
      bell.ring()
    })
    session.onTwinLost(() => {
      reported = null
      bell.ring()
    })

    const read = async (): Promise<void> => {
      blame.asked()
      const twin = await session.readTwin()
      const component = twin.reported[componentName]
      desired = twin.desired
      const said = isObject(component) ? component : {}
      await settings?.take(desired[componentName], versionOf(desired), null, said)
      reported = said
      failures = 0
    }
    const follow = async (): Promise<void> => {
      if (isToTakeAgain) {
        isToTakeAgain = false
        await settings?.take(desired[componentName], versionOf(desired), null, reported ?? {})
      }
      for (const change of changes.splice(0)) {
        const version = isObject(change) ? versionOf(change) : Number.NaN
        // It was in what was read since.
        if (version <= versionOf(desired)) continue
        if (!isObject(change) || version !== versionOf(desired) + 1) {
          // One was missed, or cannot be read: the whole says what is so.
          reported = null
          continue
        }
        desired = merged(desired, change)
        const named = change[componentName]
        if (named === undefined) continue
        const names = isObject(named) ? new Set(Object.keys(named)) : null
        await settings?.take(desired[componentName], version, names, reported ?? {})
      }
    }
    const report = async (patch: Json): Promise<void> => {
      blame.asked()
      patchedMs = nowMs()
      const before = reported ?? {}
      reported = null
      await session.report({ [componentName]: patch })
      reported = merged(before, patch)
      failures = 0
    }

    /** @returns how long there is nothing to do */
    const step = async (): Promise<number> => {
      if (reported === null) await read()
      await follow()
      if (reported === null) return 0
      const now = nowMs()
      const answers = { __t: 'c', ...settings?.answers() }
      const awaited = urgent(answers, reported)
      const isAnswerDue = patchBetween(only(reported, awaited), awaited) !== null
      const answerInMs = patchedMs + answerEveryMs - now
      const stateInMs = Math.max(beganMs + stateAfterMs, stateMs + stateEveryMs, checkedMs + stateEveryMs) - now
      if (stateInMs <= 0) {
        const patch = patchBetween(reported, { ...answers, ...(state === null ? {} : await state()) })
        checkedMs = now
        if (patch === null) return 0
        stateMs = now
        await report(patch)
        return 0
      }
      const patch = isAnswerDue ? patchBetween(only(reported, answers), answers) : null
      if (patch !== null && answerInMs <= 0) {
        await report(patch)
        return 0
      }
      return patch === null ? stateInMs : Math.min(stateInMs, answerInMs)
    }

    try {
      await wait(Math.max(settleMs.least + random() * settleMs.spread, blame.quietMs()), ended)
      while (!ended.aborted) {
        let idleMs = 0
        try {
          idleMs = await step()
        } catch (error) {
          if (ended.aborted) break
          warn('the device twin could not be read or reported to', error)
          failures += 1
          await wait(Math.min(failedMs.first * 2 ** (failures - 1), failedMs.max), ended)
          continue
        }
        if (idleMs > 0) await bell.rung(ended, rung => wait(idleMs, rung))
      }
    } catch (error) {
      if (!ended.aborted) throw error
    } finally {
      current = null
      const quietMs = blame.ended()
      if (quietMs > 0 && !signal.aborted)
        warn(
          `sessions ended soon after the device twin was asked for, for that reason or another: it is left alone for ${Math.round(quietMs / 60_000)} minutes`,
        )
    }
  }

  return {
    ...eachSession('twin', live),
    look() {
      checkedMs = Number.NEGATIVE_INFINITY
      current?.ring()
    },
    again() {
      isToTakeAgain = true
      current?.ring()
    },
  }
}

/** That the configuration holds is an answer to nobody where nothing was said before: it waits for the rest. */
const urgent = (answers: Json, reported: Json): Json =>
  Object.fromEntries(
    Object.entries(answers).filter(
      ([name, answer]) => isObject(answer) && 'ac' in answer && (answer.ac !== 203 || reported[name] !== undefined),
    ),
  )

const only = (document: Json, like: Json): Json =>
  Object.fromEntries(Object.entries(document).filter(([key]) => key in like))

const versionOf = (properties: Json): number => Number(properties.$version)
