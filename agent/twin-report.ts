/**
 * Lasting conditions in the reported properties of the device twin, where whoever runs a fleet can ask for them by a query:
 * `SELECT deviceId FROM devices WHERE is_defined(properties.reported.hubrec.conditions['ring-in-memory'])`.
 */
import type { Condition } from './conditions.js'

export type TwinReportOptions = Readonly<{
  /** All that this release knows: those that do not stand are taken out, whoever put them in. */
  codes: readonly string[]
  /** Of a clock that goes on in suspend. */
  nowMs(): number
  warn(message: string, error?: unknown): void
}>

export interface TwinReport {
  /** A session is served by the hub, and ends when the signal aborts. */
  served(report: (patch: object) => Promise<void>, ended: AbortSignal): void
  /** To be called now and then with what stands. Never throws, never waits. */
  look(standing: readonly Condition[]): void
}

/** A session that has just begun has other things to do, and a device that comes and goes reports nothing. */
const settleMs = 15_000

/** The twin is no log. */
const everyMs = 60_000

/** A hub that ends the session this soon after a report does not want any; a hub of the Basic tier has no twins. */
const blameMs = 5_000
const blamesMax = 2

/** Strings in a twin may have 4 KiB, all of it 32 KiB. */
const textMax = 500

type Session = Readonly<{ report(patch: object): Promise<void>; sinceMs: number }>

export function createTwinReport({ codes, nowMs, warn }: TwinReportOptions): TwinReport {
  let session: Session | null = null
  /** What the twin says, as far as we know. */
  let told: string | null = null
  let toldMs = Number.NEGATIVE_INFINITY
  let blames = 0

  const tell = async ({ report }: Session, patch: object): Promise<void> => {
    try {
      await report(patch)
    } catch (error) {
      told = null
      warn('the lasting conditions could not be reported in the twin', error)
    }
  }

  return {
    served(report, ended) {
      session = { report, sinceMs: nowMs() }
      ended.addEventListener('abort', () => {
        session = null
        if (blames >= blamesMax) return
        const isBlamed = nowMs() - toldMs < blameMs
        blames = isBlamed ? blames + 1 : 0
        // Whether the hub has it is not known.
        if (isBlamed) told = null
        if (blames === blamesMax)
          warn('sessions end as soon as conditions are reported in the twin: none are reported until the next start')
      })
    },

    look(standing) {
      const now = nowMs()
      if (session === null || blames >= blamesMax) return
      if (now - session.sinceMs < settleMs || now - toldMs < everyMs) return
      const known = Object.fromEntries(codes.map(code => [code, null]))
      const stands = standing.map(({ code, severity, since, text }) => [
        code,
        { severity, since, text: text.slice(0, textMax) },
      ])
      const patch = { hubrec: { conditions: { ...known, ...Object.fromEntries(stands) } } }
      const text = JSON.stringify(patch)
      if (text === told) return
      told = text
      toldMs = now
      void tell(session, patch)
    },
  }
}
