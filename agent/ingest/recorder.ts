/**
 * What all recorded transports of one name in this process share: their numbers, and the one way out. The way out is loaded while
 * the first connection is on its way, so that the application does not start later for it.
 */
import { systemClock } from '../../transports/clock.js'
import { flatten } from '../../transports/failure.js'
import type { AttemptTeller, Recorder } from '../../transports/recorded/recorder.js'
import type { WireEvent } from '../../transports/wire-event.js'
import type { WayOut, WayOutOptions } from './way-out.js'

export type RecorderOptions = Omit<WayOutOptions, 'clock' | 'failed'>

export interface ApplicationRecorder extends Recorder {
  /** For the end of the process. */
  bye(exitCode: number, crashed: string | null): void
}

/** Told before the way out is there, which takes some milliseconds. */
const earlyMax = 200

export function createRecorder(options: RecorderOptions): ApplicationRecorder {
  const clock = systemClock()
  const lanes = new Lanes()
  let early: Parameters<WayOut['tell']>[] = []
  let wayOut: WayOut | null = null
  let isLoading = false
  let incarnations = 0
  let failures = 0

  const failed = (error: unknown): void => {
    failures += 1
    if (failures === 1) options.warn(`a part of the recording of "${options.name}" failed: ${flatten(error).message}`)
  }
  const load = async (): Promise<void> => {
    const { openWayOut } = await import('./way-out.js')
    wayOut = openWayOut({ ...options, clock, failed })
    for (const told of early) wayOut.tell(...told)
    early = []
  }
  const tell: WayOut['tell'] = (...told) => {
    if (wayOut !== null) return wayOut.tell(...told)
    if (early.length < earlyMax) early.push(told)
    if (isLoading) return
    isLoading = true
    load().catch(failed)
  }

  return {
    clock,
    failed,
    incarnation() {
      incarnations += 1
      const inc = incarnations
      let lane: number | null = null
      return {
        attempt(): AttemptTeller {
          const taken = lanes.take(lane)
          lane = taken
          return {
            number: lanes.nextAttempt(taken),
            tell(event: WireEvent) {
              if (event.type === 'closed' || event.type === 'refused') lanes.release(taken)
              if (taken <= lanesMax) tell(taken, inc, event)
            },
          }
        },
      }
    },
    bye(exitCode, crashed) {
      try {
        wayOut?.bye(exitCode, crashed)
      } catch (error) {
        failed(error)
      }
    },
  }
}

/** More of one name at once are not recorded. */
const lanesMax = 8

/** Each connects for itself, and a name stands for one connection: those that overlap get a lane each. */
class Lanes {
  readonly #open = new Set<number>()
  readonly #attempts = new Map<number, number>()

  /** @param before the lane that this one had, which it keeps if nobody else is in it */
  take(before: number | null): number {
    let lane = before ?? 1
    if (this.#open.has(lane)) for (lane = 1; this.#open.has(lane); ) lane += 1
    this.#open.add(lane)
    return lane
  }

  nextAttempt(lane: number): number {
    const next = (this.#attempts.get(lane) ?? 0) + 1
    this.#attempts.set(lane, next)
    return next
  }

  release(lane: number): void {
    this.#open.delete(lane)
  }
}
