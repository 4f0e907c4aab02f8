/**
 * What a check is: one question that decides whether this device can reach its hub. To add one, write a file in checks/ that exports
 * a `Check`, and name it in checks.ts.
 */
import type { Facts } from './facts.js'

export type Result = 'ok' | 'warning' | 'failed' | 'skipped'

export type Answer = Readonly<{
  result: Result
  /** What was found, in one sentence; of what is skipped, why. */
  found: string
  /** The same as values, for scripts. */
  info?: Readonly<Record<string, unknown>>
  /** What to try, in the imperative, where what was found says more than the check as such. */
  remedies?: readonly string[]
}>

/** In the order in which they are shown. */
export const families = ['configuration', 'clock', 'network', 'names', 'hub', 'host', 'recorder'] as const

export type Check = Readonly<{
  /** Kebab-case; never renamed or used for something else, because scripts rely on it. */
  id: string
  family: (typeof families)[number]
  question: string
  /** Why the answer matters. */
  why: string
  /** What to try where it is bad, in the imperative. */
  remedies: readonly string[]
  /** The ids of those without whose good answer this one cannot be asked: it is then skipped, and says for which it waits. */
  needs: readonly string[]
  /** Rejects where it cannot be found out; that is told as a failure. @param signal aborts when its time is over */
  ask(facts: Facts, signal: AbortSignal): Promise<Answer>
}>

export const ok = (found: string, info?: Answer['info']): Answer => answer('ok', found, info)
export const warning = (found: string, info?: Answer['info'], remedies?: readonly string[]): Answer =>
  answer('warning', found, info, remedies)
export const failed = (found: string, info?: Answer['info'], remedies?: readonly string[]): Answer =>
  answer('failed', found, info, remedies)
/** Of what does not apply here, or must not be done now. */
export const skipped = (why: string): Answer => answer('skipped', why)

const answer = (
  result: Result,
  found: string,
  info: Answer['info'] = undefined,
  remedies: readonly string[] | undefined = undefined,
): Answer => ({ result, found, ...(info ? { info } : {}), ...(remedies ? { remedies } : {}) })
