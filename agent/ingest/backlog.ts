/**
 * What an application has told and the daemon has not acknowledged yet, bounded: when it is full the newest go, an attempt as a
 * whole, so that what arrives still pairs; and their number arrives in their place.
 */
import type { WireEvent } from '../../transports/wire-event.js'
import type { Numbered, Resumed } from './messages.js'

export type BacklogLimits = Readonly<{ messages: number; bytes: number }>

export const backlogLimits: BacklogLimits = { messages: 1_000, bytes: 256 * 1024 }

type Entry = {
  n: number
  lane: number
  inc: number
  event: WireEvent | null
  json: string
  lost: number
  wasHanded: boolean
}

/** What went on in a lane when everything up to the last acknowledgement had happened. */
type Open = { inc: number; attempt: number; events: WireEvent[] }

/** These have to follow their `connecting`; each attempt has at most one of each, so they need little room. */
const pairing: ReadonlySet<WireEvent['type']> = new Set(['accepted', 'refused', 'closed'])

export class Backlog {
  #entries: Entry[] = []
  #bytes = 0
  #lastN = 0
  /** How many of the entries were handed out since the last `rewind`. */
  #handed = 0
  readonly #open = new Map<number, Open>()
  /** The attempts that were dropped, by lane, and so drop what follows. */
  readonly #dropped = new Map<number, number>()
  #lostUntold = 0

  constructor(private readonly limits: BacklogLimits = backlogLimits) {}

  get size(): number {
    return this.#entries.length
  }

  /** Everything that was dropped since the beginning of the process and is not in a message yet. */
  get lostUntold(): number {
    return this.#lostUntold
  }

  add(lane: number, inc: number, event: WireEvent): void {
    if (event.type === 'connecting' && !this.#isFull) this.#dropped.delete(lane)
    const dropping = this.#dropped.get(lane) === event.attempt
    const mustGo = pairing.has(event.type) && !dropping
    if (dropping || (this.#isFull && !mustGo)) {
      if (event.type === 'connecting') this.#dropped.set(lane, event.attempt)
      this.#lose()
      return
    }
    const n = this.#number()
    this.#keep({ n, lane, inc, event, json: '', lost: 0, wasHanded: false }, { type: 'event', n, lane, inc, event })
  }

  /** The oldest that was not handed out yet, as JSON; `null` when there is none. */
  next(): string | null {
    const entry = this.#entries[this.#handed]
    if (!entry) return null
    this.#handed += 1
    entry.wasHanded = true
    return entry.event === null ? JSON.stringify(lostOf(entry)) : entry.json
  }

  /** The daemon has taken everything up to this number. */
  acknowledge(n: number): void {
    while (this.#entries[0] && this.#entries[0].n <= n && this.#handed > 0) {
      const [entry] = this.#entries.splice(0, 1)
      if (!entry) return
      this.#handed -= 1
      this.#bytes -= entry.json.length
      this.#lostUntold -= entry.lost
      if (entry.event !== null) this.#follow(entry.lane, entry.inc, entry.event)
    }
  }

  /** For a new connection: what goes on since before the oldest entry, and then all entries again. */
  rewind(): Resumed[] {
    this.#handed = 0
    return [...this.#open].map(([lane, { inc, events }]) => ({ type: 'open', lane, inc, events }))
  }

  get #isFull(): boolean {
    return this.#entries.length >= this.limits.messages || this.#bytes >= this.limits.bytes
  }

  #number(): number {
    this.#lastN += 1
    return this.#lastN
  }

  #keep(entry: Entry, message: Numbered): void {
    entry.json = JSON.stringify(message)
    this.#bytes += entry.json.length
    this.#entries.push(entry)
  }

  #lose(): void {
    this.#lostUntold += 1
    const last = this.#entries.at(-1)
    // One that was handed out may have arrived, and says what it said.
    if (last?.event === null && !last.wasHanded) last.lost += 1
    else this.#entries.push({ n: this.#number(), lane: 0, inc: 0, event: null, json: '', lost: 1, wasHanded: false })
  }

  #follow(lane: number, inc: number, event: WireEvent): void {
    if (event.type === 'connecting') this.#open.set(lane, { inc, attempt: event.attempt, events: [event] })
    const open = this.#open.get(lane)
    if (open?.attempt !== event.attempt) return
    if (event.type === 'accepted' || (event.type === 'subscribed' && open.events.length < resumedMax)) {
      open.events.push(event)
    } else if (event.type === 'refused' || event.type === 'closed') this.#open.delete(lane)
  }
}

/** The beginning, the session, and a subscription. */
const resumedMax = 3

const lostOf = ({ n, lost }: Entry): Numbered => ({ type: 'lost', n, count: lost })
