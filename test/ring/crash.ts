/** Random lives of a ring, each crash a copy of its directory whose newest bytes are cut or torn, against a model that reads lines. */
import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { areConsecutive, collect, contentOf, recordJson, seedFrom, stamp } from '../support/ring-records.js'

const runs = Number(process.env.RING_RUNS ?? 60)

type Life = Readonly<{
  /** The padding of each record; every third is to be on the disk. */
  records: readonly number[]
  /** Whether the last of them are still on their way when it crashes. */
  inFlight: boolean
  /** How much of the newest segment the crash leaves, and what stands behind it then. */
  leaves: number
  tear: 'nothing' | 'half a line' | 'zeros' | 'whole lines'
}>

const life: fc.Arbitrary<Life> = fc.record({
  records: fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 6_000 })), { minLength: 1, maxLength: 80 }),
  inFlight: fc.boolean(),
  leaves: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
  tear: fc.constantFrom('nothing', 'half a line', 'zeros', 'whole lines'),
})

const tears = {
  nothing: '',
  'half a line': '89abcdef {"seq":99,"at":"20',
  zeros: '\0'.repeat(700),
  'whole lines': '00000000 {"seq":98}\ngarbage\nand more of i',
}

/** What a stranger finds with grep: the numbers of the whole lines, by segment. */
const linesIn = (dir: string): Map<string, number[]> =>
  new Map(
    readdirSync(dir)
      .filter(name => name.endsWith('.log'))
      .map(name => {
        const lines = readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1)
        return [name, lines.flatMap(line => (line.startsWith('00000000 ') || line === 'garbage' ? [] : seqOf(line)))]
      }),
  )

const seqOf = (line: string): number[] => [JSON.parse(line.slice(9)).seq]

t.test(
  'whatever happens before a crash and to its last bytes: every whole line is there, and the numbers go on',
  async t => {
    const seed = seedFrom('RING_SEED')
    t.comment(`RING_SEED=${seed}`)
    t.testdir()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async lives => {
        run++
        let dir = join(t.testdirName, `${run}`)
        const ids = new Map<number, number>()
        let id = 0
        for (const [index, { records, inFlight, leaves, tear }] of lives.entries()) {
          const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })
          const appended = records.map(async (padding, n) => {
            const mine = ++id
            ids.set(await ring.append(recordJson(mine, padding), n % 3 === 0 ? 'disk' : 'kernel'), mine)
          })
          if (!inFlight) await Promise.all(appended)
          else await Promise.race(appended)

          const copy = join(t.testdirName, `${run}-${index}`)
          mkdirSync(copy)
          cpSync(dir, copy, { recursive: true })
          const newest = readdirSync(copy).sort().at(-1)!
          const bytes = readFileSync(join(copy, newest))
          // What tells of a loss is synced before anybody may rely on it: no crash takes it away.
          const told = bytes.lastIndexOf('"type":"gap"')
          const left = Math.max(Math.round(bytes.length * leaves), told === -1 ? 0 : bytes.indexOf(0x0a, told) + 1)
          truncateSync(join(copy, newest), left)
          const behind = left === 0 || bytes[left - 1] === 0x0a ? tears[tear] : ''
          writeFileSync(join(copy, newest), behind, { flag: 'a' })
          await Promise.all(appended)
          await ring.close()
          dir = copy

          const before = linesIn(dir)
          const again = await openRing({ dir, budgetBytes: 262_144, stamp })
          const nextSeq = await again.ring.append(recordJson(++id), 'kernel')
          ids.set(nextSeq, id)
          await again.ring.close()
          const { seqs, ids: found, gaps, inferred } = await contentOf(dir)
          const oldest = seqs[0]!
          const expected = [...before.values()].flat().filter(seq => seq >= oldest)
          const lost = gaps.filter(({ reason }) => reason === 'damage').flatMap(gap => range(gap.fromSeq!, gap.toSeq!))
          const there = new Set(seqs)
          const problems = [
            ...expected.filter(seq => !there.has(seq)).map(seq => `${seq} is missing`),
            ...[...found]
              .filter(([seq, id]) => ids.get(seq) !== id)
              .map(([seq, id]) => `${seq} is ${id}, not ${ids.get(seq)}`),
            ...(inferred.length > 0 ? [`inferred ${JSON.stringify(inferred)}`] : []),
            ...(areConsecutive([...seqs, ...lost].sort((a, b) => a - b)) ? [] : [`numbers: ${seqs}, lost: ${lost}`]),
            ...(ringIsWhole(await collect(verifyRing(dir))) ? [] : ['verify calls it damaged']),
            ...(nextSeq === seqs.at(-1) ? [] : [`the next number is ${nextSeq}`]),
          ]
          if (problems.length > 0) throw new Error(problems.join('\n'))
        }
      }),
      { seed, numRuns: runs },
    )
  },
)

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)
