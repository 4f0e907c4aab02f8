/** What the rounds of a row come to, and whether the bar is met: always back, and never later than the SDK by more than it says. */
import { median } from '../statistics.js'

/** `null`: not within the time that there was. */
export type Side = Readonly<{ noticedMs: number | null; backMs: number | null }>

export type Round = Readonly<{
  hubrec: Side
  /** `said`: what the SDK told its application since the fault. */
  sdk: Side & Readonly<{ said: readonly string[] }>
  /** What hubrec's backoff left to chance at the fault's end. */
  jitterMs: number
}>

/** Beside the jitter. */
export const slackMs = 1_000

export type Verdict = Readonly<{
  met: boolean
  /** How far the worst round was over the bar; below 0 it was under it. `null`: hubrec was not back, or nobody else was. */
  overMs: number | null
  roundsMet: number
}>

/** A round in which the SDK is not back asks of hubrec only that it is. */
export function verdictOn(rounds: readonly Round[]): Verdict {
  const over = rounds.map(({ hubrec, sdk, jitterMs }) => {
    if (hubrec.backMs === null) return Number.POSITIVE_INFINITY
    return sdk.backMs === null ? Number.NEGATIVE_INFINITY : hubrec.backMs - (sdk.backMs + slackMs + jitterMs)
  })
  const worst = Math.max(...over)
  return {
    met: worst <= 0,
    overMs: Number.isFinite(worst) ? worst : null,
    roundsMet: over.filter(ms => ms <= 0).length,
  }
}

/** With what was not within the time as later than all that was. */
export function medianOf(values: readonly (number | null)[]): number | null {
  const middle = median(values.map(value => value ?? Number.POSITIVE_INFINITY))
  return Number.isFinite(middle) ? middle : null
}
