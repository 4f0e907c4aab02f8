/**
 * Segments that were damaged: each bit flipped, cut off at each length, sectors of zeros, garbage, blocks in the wrong place.
 * Whatever is read is what was written, whatever stands there whole is read, and the rest is counted exactly.
 *
 * `RING_FLIPS`, `RING_TRUNCATIONS` and `RING_DAMAGES` set how many of each a segment has to bear, and some of them a part of that.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { countOf, isLong, seed, seedSaid } from '../support/campaign.js'
import { segments, type Task } from '../support/damaged-segments.js'

const every = Number.POSITIVE_INFINITY
const flips = countOf('RING_FLIPS', { slice: 3_800, long: every })
const truncations = countOf('RING_TRUNCATIONS', { slice: 400, long: every })
const damages = countOf('RING_DAMAGES', { slice: 3_400, long: 28_000 })

t.setTimeout(isLong ? 6 * 3_600_000 : 400_000)

const script = join(process.cwd(), 'dist', 'test', 'support', 'damaged-segments.js')
const workers = [1, 2].map(() => new Worker(script, { execArgv: [], env: {} }))
t.teardown(() => Promise.all(workers.map(worker => worker.terminate())))

const pieceOf = 100

/** In pieces, by all workers, until all of it is done or enough is known to be wrong. */
async function bear(t: Test, task: Omit<Task, 'from' | 'to' | 'seed'>, count: number): Promise<void> {
  t.comment(seedSaid)
  const problems: string[] = []
  let next = 0
  const work = async (worker: Worker): Promise<void> => {
    while (next < count && problems.length < 10) {
      const from = next
      next += pieceOf
      worker.postMessage({ ...task, seed, from, to: Math.min(count, from + pieceOf) })
      const [found] = await once(worker, 'message')
      problems.push(...found)
    }
  }
  await Promise.all(workers.map(work))
  t.strictSame(problems, [])
}

for (const [segment, { what, bytes, share }] of segments.entries()) {
  const campaigns = [
    { campaign: 'flips', name: 'bits flipped, one at a time', count: flips, places: bytes * 8 },
    { campaign: 'truncations', name: 'lengths to which it is cut', count: truncations, places: bytes },
    { campaign: 'damages', name: 'other damages', count: damages, places: every },
  ] as const
  for (const { campaign, name, count, places } of campaigns) {
    const all = Math.round(Math.min(count, places) * share)
    t.test(`${what}: ${all} ${name}`, t => bear(t, { segment, campaign, isComplete: all === places }, all))
  }
}
