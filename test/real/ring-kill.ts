/**
 * `kill -9` of a real process at random moments while it starts, writes, rotates, seals and deletes. Whatever it was promised,
 * and had told us, must be there afterwards or be named by a gap record, and the next process must be able to go on.
 *
 * `RING_KILL_ROUNDS` sets how many rounds count.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { countOf, seed, seedSaid } from '../support/campaign.js'
import type { Campaign, Outcome } from '../support/killed-ring.js'

const rounds = countOf('RING_KILL_ROUNDS', { slice: 1_000, long: 10_000 })
/** More than there are cores, because each waits for its writer to start and to be killed. */
const lanes = 4

// Some 50 ms a round on two idle cores, and tests seldom have them for themselves.
t.setTimeout(60_000 + rounds * 600)

const script = join(process.cwd(), 'dist', 'test', 'support', 'killed-ring.js')

async function run(campaign: Campaign): Promise<Outcome> {
  const worker = new Worker(script, { execArgv: [], env: {} })
  try {
    worker.postMessage(campaign)
    const [outcome] = await once(worker, 'message')
    return outcome
  } finally {
    await worker.terminate()
  }
}

t.test(`${rounds} times killed: nothing that was promised is missing, and the next one goes on`, async t => {
  t.comment(seedSaid)
  const dir = t.testdir()
  const outcomes = await Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      run({ dir: join(dir, `lane-${lane}`), rounds: Math.ceil(rounds / lanes), seed: seed + lane }),
    ),
  )
  const sum = (countIn: (outcome: Outcome) => number): number => outcomes.reduce((all, one) => all + countIn(one), 0)

  for (const { there } of outcomes) t.comment(there)
  const counted = sum(outcome => outcome.counted)
  t.comment(`${counted} rounds with ${sum(({ records }) => records)} records promised`)
  t.comment(`${sum(({ uncounted }) => uncounted)} rounds without, which do not count`)
  const [packing, unsealed] = [sum(({ ends }) => ends.packing), sum(({ ends }) => ends.unsealed)]
  t.comment(`${packing} while a segment was packed, ${unsealed} while a full one waited for it`)
  t.strictSame(
    outcomes.flatMap(({ problems }, lane) => problems.map(problem => `lane ${lane}, ${problem}`)),
    [],
  )
  t.ok(counted >= rounds)
  t.ok(rounds < 100 || (packing > 0 && unsealed > 0), 'some died in the middle of it')
})
