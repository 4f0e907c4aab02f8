/**
 * Which of the verbose records are written down, and when. Pure: news and the time come in, stretches of time go out.
 *
 * What came before a loss is written down at once, because the first thing a technician does is to switch off and on. Then
 * follow as much after it, and, once a session is back, as much before that and 10 s of it. What lies between is left out.
 */

/** How far into the next session it goes. */
export const settleMs = 10_000

/** What happens to the connection. `left`: it goes away as planned. `resumed`: an earlier run has written down what was before. */
export type News =
  | Readonly<{ what: 'lost'; episode: string }>
  | Readonly<{ what: 'resumed'; episode: string }>
  | Readonly<{ what: 'back' | 'left' | 'stopping' | 'time' }>

/** `end` is of a run that ended without a goodbye. */
export type StretchName = 'before' | 'after' | 'back' | 'end'

/** By the monotonic clock, both included. */
export type Stretch = Readonly<{
  episode: string | null
  name: StretchName
  fromMs: number
  toMs: number
  /** What is kept of it where it is too much. */
  keep: 'oldest' | 'newest'
}>

export type Watch =
  | Readonly<{ phase: 'calm' }>
  | Readonly<{ phase: 'away'; episode: string; lostMs: number; afterDone: boolean }>
  | Readonly<{ phase: 'back'; episode: string; lostMs: number; afterDone: boolean; backMs: number }>

export type Step = Readonly<{ watch: Watch; stretches: readonly Stretch[] }>

export const calm: Watch = { phase: 'calm' }

/** @param spanMs twice the detection limit */
export function step(watch: Watch, news: News, nowMs: number, spanMs: number): Step {
  switch (news.what) {
    case 'lost': {
      if (watch.phase === 'away') return { watch: { ...watch, episode: news.episode }, stretches: [] }
      // A session that is lost again while it is watched ends what belongs to the outage before.
      const before: Stretch = {
        episode: news.episode,
        name: 'before',
        fromMs: nowMs - spanMs,
        toMs: nowMs,
        keep: 'newest',
      }
      return { watch: awaySince(news.episode, nowMs), stretches: [...rest(watch, nowMs, spanMs), before] }
    }
    case 'resumed':
      return { watch: awaySince(news.episode, nowMs), stretches: [] }
    case 'back':
      return { watch: watch.phase === 'away' ? { ...watch, phase: 'back', backMs: nowMs } : watch, stretches: [] }
    case 'left':
      return watch.phase === 'back' ? { watch: calm, stretches: rest(watch, nowMs, spanMs) } : { watch, stretches: [] }
    case 'stopping':
      return { watch: calm, stretches: rest(watch, nowMs, spanMs) }
    case 'time': {
      const dueMs = wakeAtMs(watch, spanMs)
      if (dueMs === null || nowMs < dueMs) return { watch, stretches: [] }
      if (watch.phase === 'back') return { watch: calm, stretches: rest(watch, watch.backMs + settleMs, spanMs) }
      if (watch.phase === 'calm') return { watch, stretches: [] }
      const { episode, lostMs } = watch
      const after: Stretch = { episode, name: 'after', fromMs: lostMs, toMs: lostMs + spanMs, keep: 'oldest' }
      return { watch: { ...watch, afterDone: true }, stretches: [after] }
    }
    // No default: forgotten news then fail to compile.
  }
}

/** When `time` is to be told; `null` when nothing waits for it. */
export function wakeAtMs(watch: Watch, spanMs: number): number | null {
  if (watch.phase === 'back') return watch.backMs + settleMs
  return watch.phase === 'away' && !watch.afterDone ? watch.lostMs + spanMs : null
}

const awaySince = (episode: string, lostMs: number): Watch => ({ phase: 'away', episode, lostMs, afterDone: false })

/** What is not written down yet of an outage that is over, or that nobody will see the end of. */
function rest(watch: Watch, nowMs: number, spanMs: number): Stretch[] {
  if (watch.phase === 'calm') return []
  const { episode, lostMs, afterDone } = watch
  const backMs = watch.phase === 'back' ? watch.backMs : nowMs
  const fromMs = afterDone ? Math.max(lostMs + spanMs, backMs - spanMs) : lostMs
  return [{ episode, name: 'back', fromMs, toMs: nowMs, keep: 'newest' }]
}

export type Kept<T> = Readonly<{ lines: readonly T[]; leftOut: number }>

/** Chooses among lines that come one by one, with no more of them in memory than are kept. */
export class Choice<T extends Readonly<{ json: string }>> {
  readonly #lines: T[] = []
  #bytes = 0
  #leftOut = 0
  /** Of what keeps the oldest, nothing after the first that did not fit: a hole would pass for silence. */
  #full = false

  constructor(
    readonly bytesMax: number,
    readonly keep: Stretch['keep'],
  ) {}

  add(line: T): void {
    if (this.#full) {
      this.#leftOut += 1
      return
    }
    this.#lines.push(line)
    this.#bytes += line.json.length
    while (this.#bytes > this.bytesMax) {
      const gone = this.keep === 'newest' ? this.#lines.shift() : this.#lines.pop()
      this.#bytes -= gone?.json.length ?? 0
      this.#leftOut += 1
      this.#full = this.keep === 'oldest'
    }
  }

  get kept(): Kept<T> & Readonly<{ bytes: number }> {
    return { lines: this.#lines, leftOut: this.#leftOut, bytes: this.#bytes }
  }
}

/** What may still be written down: it fills up over an hour. */
export type Allowance = Readonly<{ bytes: number; atMs: number }>

const hourMs = 3_600_000

export const refilled = ({ bytes, atMs }: Allowance, nowMs: number, hourlyBytesMax: number): Allowance => ({
  bytes: Math.min(hourlyBytesMax, bytes + (Math.max(0, nowMs - atMs) / hourMs) * hourlyBytesMax),
  atMs: nowMs,
})
