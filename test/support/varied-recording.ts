/**
 * A recording as it could have been elsewhere: slower or faster, at another time of another year, by a host that samples seldom or
 * answers no probes, and read before it was over. The truth about it stays what it was.
 */
import fc from 'fast-check'
import type { LogRecord } from '../../agent/evidence/record.js'

export type Variation = Readonly<{
  /** All times between two records, and within one, by this. */
  pace: number
  laterMs: number
  /** Of so many samples without probes one is left out. */
  samplesLost: number
  hasProbes: boolean
  /** Ends that are there, of those that were. */
  endsKept: number
}>

export const variations: fc.Arbitrary<Variation> = fc.record({
  pace: fc.double({ min: 0.7, max: 4, noNaN: true }),
  laterMs: fc.integer({ min: 0, max: 300 * 86_400_000 }),
  samplesLost: fc.constantFrom(0, 2, 3, 5),
  hasProbes: fc.boolean(),
  endsKept: fc.integer({ min: 3, max: 20 }),
})

/** What a wire event says of spans of time, of which its verdict tells. */
const spans: ReadonlySet<string> = new Set(['ms', 'silentMs', 'lastedMs', 'pingUnansweredMs', 'delayMs'])

export function vary(records: readonly LogRecord[], { pace, laterMs, ...what }: Variation): LogRecord[] {
  const [first] = records
  if (first === undefined) return []
  const { monoMs: startMonoMs } = first
  const startMs = Date.parse(first.at)
  // A clock that is wrong is wrong by what it is wrong by, and whoever is killed starts again in the same boot.
  const wallOf = (at: string): string => new Date(startMs + (Date.parse(at) - startMs) * pace + laterMs).toISOString()
  const monoOf = (monoMs: number): number => startMonoMs + (monoMs - startMonoMs) * pace
  const dataOf = (record: LogRecord): LogRecord['data'] =>
    record.type === 'wire'
      ? Object.fromEntries(
          Object.entries(record.data).map(([name, value]) => [
            name,
            typeof value !== 'number'
              ? value
              : name === 'monoMs'
                ? monoOf(value)
                : spans.has(name)
                  ? value * pace
                  : value,
          ]),
        )
      : { ...record.data, ...loopOf(record.data.eventLoop) }
  // How long the process stood still is a span of time too.
  const loopOf = (loop: unknown): object =>
    typeof loop !== 'object' || loop === null
      ? {}
      : { eventLoop: Object.fromEntries(Object.entries(loop).map(([name, ms]) => [name, (ms as number) * pace])) }
  return chosen(records, what).map(record => ({
    ...record,
    at: wallOf(record.at),
    monoMs: monoOf(record.monoMs),
    data: dataOf(record),
  }))
}

function chosen(
  records: readonly LogRecord[],
  { samplesLost, hasProbes, endsKept }: Pick<Variation, 'samplesLost' | 'hasProbes' | 'endsKept'>,
): LogRecord[] {
  let samples = 0
  let ends = 0
  return records.filter(({ type, data }) => {
    if (type === 'episode' || ends >= endsKept) return false
    if (type === 'wire' && (data.type === 'closed' || data.type === 'refused')) ends += 1
    if (type !== 'sample') return true
    if (Array.isArray(data.probes)) return hasProbes
    // What the process itself went through is looked at whenever a session is lost.
    if (((data.eventLoop as { maxMs?: number } | undefined)?.maxMs ?? 0) >= 1_000) return true
    samples += 1
    return samplesLost === 0 || samples % samplesLost !== 0
  })
}
