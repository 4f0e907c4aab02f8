/** How much was written in the last 24 hours, in hours of monotonic time: flash wears out by the byte, whatever the clock says. */

const hourMs = 3_600_000
const hours = 24

export class WriteMeter {
  readonly #nowMs: () => number
  /** The bytes of each hour of the day, and which hour since the start the newest is. */
  readonly #bytes = new Array<number>(hours).fill(0)
  #hour: number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#hour = this.#now()
  }

  add(bytes: number): void {
    this.#turn()
    this.#bytes[this.#hour % hours]! += bytes
  }

  /** In this hour and the 23 before it. */
  get dayBytes(): number {
    this.#turn()
    return this.#bytes.reduce((sum, bytes) => sum + bytes, 0)
  }

  #now(): number {
    return Math.max(0, Math.floor(this.#nowMs() / hourMs))
  }

  #turn(): void {
    const now = this.#now()
    for (let hour = Math.max(this.#hour + 1, now - hours + 1); hour <= now; hour++) this.#bytes[hour % hours] = 0
    this.#hour = Math.max(this.#hour, now)
  }
}
