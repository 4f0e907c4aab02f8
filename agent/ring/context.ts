/** The record that opens each segment: what its user says of the moment, and what the ring itself must not forget. */
import type { Span } from './gap.js'
import type { RingStamp } from './ring.js'

/** What of the ring's past is not in its records any more, and what recovery need not search for. */
export type RingFacts = Readonly<{
  /** Gap records by overflow have told of everything up to here. */
  goneTo: number
  /** What those by damage have told of, beyond `goneTo`; the newest of them, where there are very many. */
  told: readonly Span[]
}>

const toldMax = 200

/**
 * @param bytesMax what would be longer goes without what the user says
 * @returns the record without `seq`, as `append` takes it
 */
export function contextJson(stamp: RingStamp, said: object, { goneTo, told }: RingFacts, bytesMax: number): string {
  const { at, bootId, monoMs } = stamp()
  const ring = { goneTo, told: told.slice(-toldMax).map(({ fromSeq, toSeq }) => [fromSeq, toSeq]) }
  const write = (data: object) =>
    JSON.stringify({ at, bootId, monoMs, level: 30, type: 'context', conn: null, inc: null, data })
  const json = write({ ...said, ring })
  return Buffer.byteLength(json) <= bytesMax ? json : write({ ring: { ...ring, told: [] }, leftOut: 'too long' })
}

const mark = Buffer.from('"type":"context"')

/** @returns `null` for what is no such record, and for a caller's own */
export function readFacts(json: Buffer): RingFacts | null {
  if (!json.includes(mark)) return null
  try {
    const { goneTo, told } = JSON.parse(json.toString()).data.ring
    const spans: Span[] = told.map(([fromSeq, toSeq]: [number, number]) => ({ fromSeq, toSeq }))
    const isSound = [goneTo, ...spans.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq])].every(Number.isSafeInteger)
    return isSound ? { goneTo, told: spans } : null
  } catch (error) {
    // A caller's record that only looks like ours tells nothing of the ring.
    if (error instanceof Error) return null
    throw error
  }
}
