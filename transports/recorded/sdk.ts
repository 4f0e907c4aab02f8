/**
 * What the SDK's transport tells the SDK's client, and through it the application. Of the retry policy a transport sees what
 * comes of it: how long was waited before the next attempt, or that there is none.
 */
import { type EventEmitter, errorMonitor } from 'node:events'
import { flatten } from '../failure.js'
import type { Attempt, Ending } from './attempt.js'
import type { Guard } from './recorder.js'

/** The SDK tries an operation again for 240 s: what comes later is no retry of it, but somebody else's idea. */
const patienceMs = 240_000

/** What of the SDK's transports is relied on here. All of it may be missing. */
export type SdkTransport = EventEmitter & { connect?: unknown }

export type SdkWatch = Readonly<{
  /** Called before the next attempt begins: says how long the SDK has waited for it. */
  trying(): void
  ended(ending: Ending): void
}>

/** @param current the newest attempt, whether it is over or not */
export function watchSdk(
  transport: SdkTransport,
  current: () => Attempt | null,
  guarded: Guard,
  nowMs: () => number,
): SdkWatch {
  let endedMs: number | null = null
  let failures = 0

  transport.on(
    'disconnect',
    guarded((error?: unknown) => {
      if (error instanceof Error) current()?.sdkError('session', flatten(error))
    }),
  )
  transport.on(
    errorMonitor,
    guarded((error: unknown) => {
      if (error instanceof Error) current()?.sdkError('methods', flatten(error))
    }),
  )
  wrapCallback(transport, 'connect', guarded, {
    told: error => {
      if (error) current()?.sdkError('open', flatten(error))
    },
  })

  return {
    trying() {
      const waitedMs = endedMs === null ? null : nowMs() - endedMs
      endedMs = null
      if (waitedMs !== null && waitedMs <= patienceMs) current()?.retryScheduled(waitedMs, failures)
    },
    ended({ wasSession, byApplication }) {
      failures = wasSession ? 0 : failures + 1
      endedMs = byApplication ? null : nowMs()
    },
  }
}

/**
 * Hears what a method's callback is told, before the callback does. A call without a callback, or with arguments that are not
 * known, goes through as it is.
 */
export function wrapCallback<Name extends string>(
  target: Partial<Record<Name, unknown>>,
  name: Name,
  guarded: Guard,
  { called, told }: Readonly<{ called?: () => void; told?: (error: unknown) => void }>,
): void {
  const original = target[name]
  if (typeof original !== 'function') return
  const begin = guarded(called ?? nothing)
  const hear = guarded(told ?? nothing)
  target[name] = function (this: unknown, ...given: unknown[]): unknown {
    begin()
    const done = given.at(-1)
    if (typeof done !== 'function') return original.apply(this, given)
    return original.apply(this, [
      ...given.slice(0, -1),
      (...answer: unknown[]) => {
        hear(answer[0])
        return done(...answer)
      },
    ])
  }
}

const nothing = (): void => undefined
