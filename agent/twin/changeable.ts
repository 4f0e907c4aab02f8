/** What holds of the settings that may change while the daemon runs, and whom to tell when they do. */
import type { Clock } from '../../transports/clock.js'
import type { Config } from '../config/config.js'
import { parseTime } from '../evidence/window.js'
import type { Ring } from '../ring/ring.js'
import type { Outbox } from '../upload/outbox.js'
import type { Verbosity } from '../verbosity.js'
import type { TwinParts } from './property.js'

export type Attached = Readonly<{
  clock: Clock
  ring: Pick<Ring, 'setBudget'>
  outbox: Pick<Outbox, 'setQuota'>
  verbosity: Verbosity
  /** Samples have another pace from now on. */
  onPace(): void
  /** So have heartbeats. */
  onHeartbeat(): void
}>

export interface Changeable {
  readonly sampleIntervalMs: number
  readonly ringBudgetBytes: number
  readonly outboxQuotaBytes: number
  readonly heartbeatMs: number
  readonly parts: TwinParts
  /** Who is told from now on; what has changed before is for them to ask. */
  attach(parts: Attached): void
}

/** Who has raised verbosity, in `hubrec status` and in its records. */
const raisedBy = 'the device twin'

/** What is left of the time is told in whole seconds by clocks that are read one after the other. */
const sameMs = 5_000

export function createChangeable(config: Config): Changeable {
  let sampleIntervalMs = config.samples.intervalSeconds * 1e3
  let ringBudgetBytes = config.ring.budgetBytes
  let outboxQuotaBytes = config.upload.quotaBytes
  let heartbeatMs = (config.messages.heartbeatMinutes ?? 0) * 60_000
  let attached: Attached | null = null

  return {
    get sampleIntervalMs() {
      return sampleIntervalMs
    },
    get ringBudgetBytes() {
      return ringBudgetBytes
    },
    get outboxQuotaBytes() {
      return outboxQuotaBytes
    },
    get heartbeatMs() {
      return heartbeatMs
    },
    parts: {
      setSampleInterval(intervalMs) {
        sampleIntervalMs = intervalMs
        attached?.onPace()
      },
      async setRingBudget(bytes) {
        ringBudgetBytes = bytes
        await attached?.ring.setBudget(bytes)
      },
      setOutboxQuota(bytes) {
        outboxQuotaBytes = bytes
        attached?.outbox.setQuota(bytes)
      },
      setHeartbeat(everyMs) {
        heartbeatMs = everyMs
        attached?.onHeartbeat()
      },
      async raiseVerbosity(until) {
        if (attached === null) return
        const { clock, verbosity } = attached
        const { wallMs } = clock.now()
        const untilMs = until === null ? 0 : (parseTime(until, wallMs) ?? 0)
        const raised = verbosity.raised()
        const isSame = raised?.by === raisedBy && Math.abs(Date.parse(raised.until) - untilMs) < sameMs
        if (isSame) return
        await verbosity.lower(raisedBy)
        if (untilMs > wallMs) await verbosity.raise(raisedBy, untilMs - wallMs)
      },
    },
    attach(parts) {
      attached = parts
    },
  }
}
