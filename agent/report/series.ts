/** Readings over time, of which only so many are kept: of those that stand beside each other the smallest and the largest. */
import type { Points, Series } from './report.js'

/** 24 hours of readings every 10 s are fewer. */
const pointsMax = 10_000

/** Of one row of the report, so that no row is long. */
const rowPoints = 500

export class Readings {
  #times = new Float64Array(64)
  #values = new Float64Array(64)
  #kept = 0
  #count = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY
  #last = 0

  constructor(readonly about: Pick<Series, 'name' | 'plot' | 'title' | 'unit'>) {}

  /** In any order: what is written down later than it happened comes late. */
  add(atMs: number, value: number): void {
    if (this.#kept === pointsMax) this.#thin()
    if (this.#kept === this.#times.length) this.#grow()
    this.#times[this.#kept] = atMs
    this.#values[this.#kept] = value
    this.#kept += 1
    this.#count += 1
    this.#min = Math.min(this.#min, value)
    this.#max = Math.max(this.#max, value)
    if (atMs < this.#lastMs) return
    this.#lastMs = atMs
    this.#last = value
  }

  series(): Series {
    const thinned = this.#count - this.#kept
    return { ...this.about, count: this.#count, min: this.#min, max: this.#max, last: this.#last, thinned }
  }

  *points(): Generator<Points> {
    this.#sort()
    for (let from = 0; from < this.#kept; from += rowPoints) {
      const to = Math.min(from + rowPoints, this.#kept)
      const timesMs = Array.from(this.#times.subarray(from, to))
      yield { series: this.about.name, timesMs, values: Array.from(this.#values.subarray(from, to)) }
    }
  }

  #grow(): void {
    const length = Math.min(2 * this.#times.length, pointsMax)
    const [times, values] = [this.#times, this.#values]
    this.#times = new Float64Array(length)
    this.#values = new Float64Array(length)
    this.#times.set(times)
    this.#values.set(values)
  }

  #sort(): void {
    const times = this.#times.slice(0, this.#kept)
    const values = this.#values.slice(0, this.#kept)
    const order = Uint32Array.from(times, (_, n) => n).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b)
    for (const [to, from] of order.entries()) {
      this.#times[to] = times[from] ?? 0
      this.#values[to] = values[from] ?? 0
    }
  }

  /** Of each four the smallest and the largest stay, in their order. */
  #thin(): void {
    this.#sort()
    let kept = 0
    for (let from = 0; from < this.#kept; from += 4) {
      let [lowest, highest] = [from, from]
      for (let at = from + 1; at < Math.min(from + 4, this.#kept); at++) {
        if (this.#valueAt(at) < this.#valueAt(lowest)) lowest = at
        if (this.#valueAt(at) >= this.#valueAt(highest)) highest = at
      }
      for (const at of lowest < highest ? [lowest, highest] : lowest > highest ? [highest, lowest] : [lowest]) {
        this.#times[kept] = this.#times[at] ?? 0
        this.#values[kept] = this.#values[at] ?? 0
        kept += 1
      }
    }
    this.#kept = kept
  }

  #valueAt(at: number): number {
    return this.#values[at] ?? 0
  }
}
