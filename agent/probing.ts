/** When the way to the hub is asked: once in an outage, after the second attempt that failed, and not more often than it is worth. */
import { EventEmitter, once } from 'node:events'
import type { Clock } from '../transports/clock.js'
import type { Protocol, WireEvent } from '../transports/wire-event.js'
import type { ProbeAnswer } from './evidence/probe-answer.js'
import { probesIn } from './evidence/probed.js'
import { type Memory, readRecords } from './evidence/read.js'
import type { LastGood } from './last-good.js'
import { type Heard, hear, nothingHeard } from './probes/heard.js'
import type { Part } from './run-together.js'

export type ProbingOptions = Readonly<{
  clock: Clock
  lastGood: LastGood
  isProxied(protocol: Protocol): boolean
  /**
   * Asks; resolves with what was answered, rejects when the signal aborts. `null`: it is not known yet whom to ask.
   *
   * @param heard what need not be asked
   */
  run(heard: Heard, signal: AbortSignal): Promise<readonly ProbeAnswer[]> | null
  /** Only of an outage that goes on. */
  told(answers: readonly ProbeAnswer[]): void
}>

export interface Probing {
  readonly part: Part
  /** Each event of the connection, after the pipeline has it. */
  heard(event: WireEvent): void
  /** The run before has asked in this outage. */
  askedBefore(): void
}

const failuresMin = 2
const betweenRunsMs = 300_000

export function createProbing({ clock, lastGood, isProxied, run, told }: ProbingOptions): Probing {
  const moments = new EventEmitter()
  let heard = nothingHeard
  let failures = 0
  let isAsked = false
  let lastRunMs = Number.NEGATIVE_INFINITY
  let address: string | null = null
  /** Ends with the outage. */
  let outage = new AbortController()

  const isDue = (): boolean =>
    failures >= failuresMin && !isAsked && clock.now().bootMs - lastRunMs >= betweenRunsMs && !outage.signal.aborted

  const runOnce = async (signal: AbortSignal): Promise<void> => {
    const ends = AbortSignal.any([signal, outage.signal])
    const running = run(heard, ends)
    if (running === null) return
    isAsked = true
    lastRunMs = clock.now().bootMs
    try {
      const answers = await running
      if (!ends.aborted && answers.length > 0) told(answers)
    } catch (error) {
      if (!ends.aborted) throw error
    }
  }

  return {
    part: {
      name: 'probes',
      async run(signal) {
        for (;;) {
          if (isDue()) await runOnce(signal)
          await once(moments, 'failed', { signal })
        }
      },
    },

    heard(event) {
      const proxied = isProxied(event.protocol)
      if (event.type === 'connecting') address = null
      if (event.type === 'tcpConnected' && !proxied) ({ address } = event)
      if (event.type === 'accepted') {
        const { host } = heard.dialled ?? {}
        if (host !== undefined && address !== null) void lastGood.keep(host, address)
        outage.abort()
        isAsked = false
        failures = 0
      }
      if (event.type === 'closed' && event.lastedMs !== null) outage = new AbortController()
      heard = hear(heard, event, proxied)
      if (event.type !== 'refused' && (event.type !== 'closed' || event.lastedMs !== null)) return
      failures += 1
      moments.emit('failed')
    },

    askedBefore() {
      isAsked = true
    },
  }
}

/** What the run before was answered in the outage that it left open. */
export async function probedBefore(ringDir: string, { openEpisodes }: Memory, conn: string): Promise<ProbeAnswer[]> {
  const open = openEpisodes.find(episode => episode.conn === conn)
  if (open === undefined) return []
  const answers: ProbeAnswer[] = []
  for await (const record of readRecords(ringDir, { since: Date.parse(open.startedAt), types: ['sample'], conn })) {
    if (record.type === 'sample') answers.push(...(probesIn(record.data) ?? []))
  }
  return answers
}
