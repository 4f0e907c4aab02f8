/** Time that passes only when a test says so, and only as fast as everything that it woke has come to rest. */
import type { Timers } from '../../agent/ring/ring.js'

type Due = { readonly atMs: number; readonly act: () => void }

export class ManualTimers implements Timers {
  readonly #settled: () => Promise<void>
  #nowMs = 0
  #waiting: Due[] = []

  /** @param settled resolves when nothing goes on any more that time need not pass for */
  constructor(settled: () => Promise<void>) {
    this.#settled = settled
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, act: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + delayMs, act }
    this.#waiting.push(due)
    return () => {
      this.#waiting = this.#waiting.filter(other => other !== due)
    }
  }

  /** Runs what is due until then, each at its own time and after what the one before it set going. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.#settled()
    while (await this.#runNext(untilMs)) {}
    this.#nowMs = untilMs
  }

  /**
   * Lets as much time pass as a promise needs.
   *
   * @throws where nothing that is due within the limit makes it settle
   */
  async until<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    const untilMs = this.#nowMs + limitMs
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    promise.then(settle, settle)
    for (;;) {
      await this.#settled()
      if (isSettled) return promise
      if (!(await this.#runNext(untilMs))) throw new Error(`it was waited for ${limitMs} ms in vain`)
    }
  }

  async #runNext(untilMs: number): Promise<boolean> {
    const next = this.#waiting.reduce<Due | null>(
      (first, due) => (due.atMs <= untilMs && (!first || due.atMs < first.atMs) ? due : first),
      null,
    )
    if (!next) return false
    this.#waiting = this.#waiting.filter(due => due !== next)
    this.#nowMs = Math.max(this.#nowMs, next.atMs)
    next.act()
    await this.#settled()
    return true
  }
}
