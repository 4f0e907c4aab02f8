/** One life of a ring on a simulated disk: from its opening to its end, by closing or by a crash, told to the model. */
import './steady-deflate.js'

import { lastRecords } from '../../agent/ring/last.js'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import type { Durability, RingClass, RingRecovery, RingWriter } from '../../agent/ring/ring.js'
import { verifyRing } from '../../agent/ring/verify.js'
import { ManualTimers } from './manual-timers.js'
import { grep, type Parsed, type RingModel, type Told } from './ring-model.js'
import { collect } from './ring-records.js'
import type { Crash, SimulatedDisk } from './simulated-disk.js'
import { isDeflating } from './steady-deflate.js'

export const ringDir = '/state/ring'

export const classes: readonly RingClass[] = [{ types: ['episode'], share: 1 / 8 }]

export type LifeOptions = Readonly<{ budgetBytes: number; classes: readonly RingClass[] }>

/** When the first life of a ring begins, by its own wall clock. */
const epochMs = Date.parse('2026-11-22T10:00:00.000Z')

export class Life {
  readonly disk: SimulatedDisk
  readonly model: RingModel
  readonly timers: ManualTimers
  readonly problems: string[] = []
  /** What the wall clock is off. */
  wallOffsetMs = 0
  ring!: RingWriter
  recovery: readonly RingRecovery[] = []
  /** The number it began with; unknown where it began in memory. */
  #firstSeq: number | null = null
  readonly #syncFailuresBefore: number
  /** Appended, and not promised to be anywhere. */
  readonly #unpromised = new Set<number>()

  constructor(disk: SimulatedDisk, model: RingModel) {
    this.disk = disk
    this.model = model
    this.timers = new ManualTimers(() => atRest(disk))
    this.#syncFailuresBefore = disk.syncFailures
  }

  async open({ budgetBytes, classes }: LifeOptions): Promise<void> {
    const { disk, timers } = this
    const stamp = () => ({ at: new Date(this.wallMs).toISOString(), bootId: 'boot-1', monoMs: timers.nowMs() })
    const opened = await timers.until(openRing({ dir: ringDir, budgetBytes, classes, disk, timers, stamp }))
    this.ring = opened.ring
    this.recovery = opened.recovery
    if (this.ring.state.mode === 'disk') this.#firstSeq = this.ring.state.lastSeq + 1
  }

  get wallMs(): number {
    return epochMs + this.wallOffsetMs + Math.floor(this.timers.nowMs())
  }

  append(type: string, bytes: number, durability: Durability): Promise<number> {
    const { id, json, era } = this.model.make(type, bytes, this.wallMs)
    this.#unpromised.add(id)
    return this.ring.append(json, durability).then(seq => {
      if (seq > 0) this.#unpromised.delete(id)
      this.problems.push(...this.model.answered(id, seq, durability, era))
      return seq
    })
  }

  /** Tries as often as the ring does. @returns whether it is well again */
  async heal(): Promise<boolean> {
    for (let tries = 0; tries < 40 && this.ring.state.mode === 'memory'; tries++) await this.timers.advance(2_000)
    return this.ring.state.mode === 'disk'
  }

  /** What was promised is on the device after that, if the disk let it. */
  async close(): Promise<void> {
    await this.timers.until(this.ring.close())
    if (this.ring.state.mode === 'disk') this.model.synced()
    else this.#ended()
  }

  /** Whether this life has said exactly how many records it dropped: known only while nothing of it went by overflow. */
  miscounted({ ids, gaps, goneTo }: Parsed): string[] {
    const firstSeq = this.#firstSeq
    if (firstSeq === null || goneTo >= firstSeq) return []
    const there = new Set(ids.values())
    const dropped = [...this.#unpromised].filter(id => !there.has(id)).length
    const said = gaps
      .filter(({ seq, fromSeq }) => seq >= firstSeq && fromSeq === null)
      .reduce((sum, { count }) => sum + count, 0)
    return dropped === said ? [] : [`${dropped} records were dropped, and ${said} are said to be`]
  }

  /** The machine has crashed: what is left of it goes on elsewhere. */
  crashed(how: Crash): void {
    this.#ended()
    this.model.crashed(how)
  }

  #ended(): void {
    if (this.disk.syncFailures > this.#syncFailuresBefore) this.model.dropped()
  }
}

/** Nothing goes on any more that would not need time to pass. On a dead machine nobody comes to know of that. */
export async function atRest(disk: SimulatedDisk): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet++) {
    await new Promise(resolve => setImmediate(resolve))
    if (disk.isDead) await new Promise(() => {})
    if (disk.isBusy || isDeflating()) quiet = -1
  }
}

/** Everything there is to be said of a ring that nobody writes to. */
export async function toldOf(disk: SimulatedDisk): Promise<Told> {
  return {
    items: await collect(readRing(ringDir, { disk })),
    healths: await collect(verifyRing(ringDir, disk)),
    last: await lastRecords(ringDir, 7, { disk }),
    grepped: grep(disk, ringDir),
  }
}
