/**
 * `kill -9` of a real process at random moments while it writes, rotates and deletes. Whatever it was promised, and had told us,
 * must be there afterwards or be named by a gap record, and the next process must be able to go on.
 *
 * `RING_KILL_ROUNDS` sets how many rounds count (default 500), `RING_SEED` repeats the moments of an earlier run.
 */
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { areConsecutive, collect, contentOf, seedFrom, stamp } from '../support/ring-records.js'

const rounds = Number(process.env.RING_KILL_ROUNDS ?? 500)
const lanes = 4
const budgetBytes = 262_144

// Some 40 s on two idle cores, and tests seldom have them for themselves.
t.setTimeout(400_000)

const writer = join(process.cwd(), 'dist', 'test', 'support', 'ring-writer.js')

/** A small generator of its own, because the moments must come again from a seed. */
const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Starts a writer, kills it some time after its first line. @returns what it said it was promised: number and id */
function killed(dir: string, firstId: number, afterMs: number): Promise<Map<number, number>> {
  return new Promise((resolve, reject) => {
    // Without its environment: what the test runner loads into each child by it costs more than all the writing.
    const command = ['-i', process.execPath, writer, dir, String(firstId)]
    const child = spawn('env', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', chunk => chunks.push(chunk))
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the writer ended by itself: ${code} ${signal}`))
      const lines = Buffer.concat(chunks).toString().split('\n').slice(0, -1)
      resolve(new Map(lines.map(line => line.split(' ').map(Number) as [number, number])))
    })
  })
}

/** Everything that is wrong after a kill. */
async function problemsOf(dir: string, promised: ReadonlyMap<number, number>): Promise<string[]> {
  const { seqs, ids, gaps, inferred } = await contentOf(dir)
  const problems: string[] = []
  const goneTo = Math.max(0, ...gaps.filter(({ reason }) => reason === 'overflow').map(gap => gap.toSeq ?? 0))
  for (const [seq, id] of promised) {
    if (seq > goneTo && ids.get(seq) !== id) problems.push(`${id} was promised as ${seq}; there is ${ids.get(seq)}`)
  }
  if (promised.has(0)) problems.push('a promise was answered with 0')
  if (!areConsecutive(seqs)) problems.push('numbers are missing, or there twice')
  if (inferred.length > 0) problems.push(`a reader infers ${JSON.stringify(inferred)}`)
  if (gaps.some(({ reason }) => reason !== 'overflow')) problems.push(`lost: ${JSON.stringify(gaps)}`)
  if (!ringIsWhole(await collect(verifyRing(dir)))) problems.push('verify calls it damaged')
  const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
  if (bytes > budgetBytes) problems.push(`${bytes} bytes`)
  return problems
}

t.test(`${rounds} times killed: nothing that was promised is missing, and the next one goes on`, async t => {
  const seed = seedFrom('RING_SEED')
  const random = randomFrom(seed)
  t.comment(`RING_SEED=${seed}`)
  const problems: string[] = []
  let counted = 0
  let uncounted = 0
  let records = 0

  const lane = async (number: number): Promise<void> => {
    const dir = join(t.testdirName, `lane-${number}`)
    let greatest = 0
    for (let firstId = 1; counted < rounds && uncounted < rounds; firstId += 1_000_000) {
      const promised = await killed(dir, firstId, 1 + random() * 40)
      if (promised.size === 0) {
        uncounted++
        continue
      }
      const reused = [...promised.keys()].filter(seq => seq <= greatest)
      if (reused.length > 0) problems.push(`lane ${number}: numbers given twice: ${reused}`)
      greatest = Math.max(...promised.keys())
      for (const problem of await problemsOf(dir, promised))
        problems.push(`lane ${number}, round ${counted}: ${problem}`)
      counted++
      records += promised.size
    }
    const { ring } = await openRing({ dir, budgetBytes, stamp })
    t.ok((await ring.append('{"type":"log","data":{}}', 'disk')) > greatest, `lane ${number} can be written again`)
    await ring.close()
  }
  t.testdir()
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)))

  t.comment(`${counted} rounds with ${records} records promised; ${uncounted} rounds without, which do not count`)
  t.strictSame(problems, [])
  t.ok(counted >= rounds)
})
