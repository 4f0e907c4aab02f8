/**
 * Every row of the fault matrix once more, from its recording: what the rules of today make of it, and of it as it could have been.
 * The truth stands beside the fault that was done, in `test/real/matrix/rows/`.
 */
import fc from 'fast-check'
import t from 'tap'
import type { Episode } from '../../agent/evidence/episode.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { createReplay } from '../../agent/replay.js'
import { readRecording } from '../real/matrix/recording.js'
import { nameOf } from '../real/matrix/row.js'
import { rows } from '../real/matrix/rows.js'
import { seed, seedSaid } from '../support/campaign.js'
import { variations, vary } from '../support/varied-recording.js'

const recorded = rows.flatMap(row => {
  const records = readRecording(row)
  return records === null ? [] : [{ name: nameOf(row), truth: row.fault.truth, records }]
})

/** The newest outage that was no stop of the recorder itself. */
function judged(records: readonly LogRecord[]): Episode | undefined {
  const replay = createReplay()
  for (const record of records) replay.take(record)
  return replay.episodes().at(-1)
}

const verdictOf = (episode: Episode | undefined): string =>
  episode ? `${episode.verdict.cause} ${episode.verdict.confidence}` : 'no episode'

t.test('each row has its recording', async t => {
  t.strictSame(
    rows.filter(row => readRecording(row) === null).map(nameOf),
    [],
    'npm run matrix -- --record test/fixtures/matrix makes them',
  )
  t.ok(rows.length >= 60, `${rows.length} rows`)
})

t.test('each is judged from its records as it was judged live, and within its truth', async t => {
  const live = (records: readonly LogRecord[]) =>
    verdictOf(records.findLast(({ type }) => type === 'episode')?.data as unknown as Episode | undefined)
  const replayed = recorded.map(({ name, records }) => `${name}: ${verdictOf(judged(records))}`)
  t.strictSame(
    replayed,
    recorded.map(({ name, records }) => `${name}: ${live(records)}`),
  )
  const wrong = recorded.filter(({ truth, records }) => !truth.includes(judged(records)?.verdict.cause ?? ''))
  t.strictSame(
    wrong.map(({ name, records }) => `${name}: ${verdictOf(judged(records))}`),
    [],
  )
})

/** Of every three seeds one is kept for the long test: no rule was made looking at what comes of it. */
const isKept = (number: number): boolean => number % 3 === 2
const seedsOf = (kept: boolean, count: number): number[] =>
  Array.from({ length: count * 3 }, (_, number) => number)
    .filter(number => isKept(number) === kept)
    .slice(0, count)

function calibrate(seeds: readonly number[]): Readonly<{ counts: Map<string, number>; wrong: string[] }> {
  const counts = new Map<string, number>()
  const wrong: string[] = []
  for (const { name, truth, records } of recorded) {
    for (const number of seeds) {
      const [variation] = fc.sample(variations, { seed: seed + number * 7_919, numRuns: 1 })
      if (variation === undefined) continue
      const episode = judged(vary(records, variation))
      if (episode === undefined) continue
      const { cause, confidence } = episode.verdict
      const isRight = truth.includes(cause)
      const key = `${confidence} ${isRight ? 'right' : 'wrong'}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (!isRight && (confidence === 'certain' || confidence === 'likely'))
        wrong.push(`${name}, seed ${number}: ${cause} ${confidence}, ${JSON.stringify(variation)}`)
    }
  }
  return { counts, wrong }
}

for (const kept of process.env.HUBREC_TEST_LONG ? [false, true] : [false]) {
  t.test(`what is certain is right however it varies${kept ? ', with the seeds that were kept' : ''}`, async t => {
    t.comment(seedSaid)
    const { counts, wrong } = calibrate(seedsOf(kept, 20))
    const count = (key: string): number => counts.get(key) ?? 0
    t.comment([...counts].map(([key, number]) => `${number} ${key}`).join(', '))
    for (const each of wrong) t.comment(each)
    t.strictSame(
      wrong.filter(each => each.includes(' certain, {')),
      [],
    )
    t.ok(count('certain right') >= 1_000, `${count('certain right')} were certain`)
    t.ok(
      count('likely right') >= 0.9 * (count('likely right') + count('likely wrong')),
      `${count('likely right')} of ${count('likely right') + count('likely wrong')} likely ones are right`,
    )
  })
}
