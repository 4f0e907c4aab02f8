/**
 * Ten minutes of 5,000 packets a second, with an outage now and then: the newest outages are still there afterwards, the budget was
 * kept at every moment, and what went was counted. `npm test` takes a slice of it, in a ring that is smaller by as much.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readEpisodes, readRecords } from '../../agent/evidence/read.js'
import { recordClasses } from '../../agent/evidence/record.js'
import { openRing } from '../../agent/ring/open.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { draftOf, episodeOf } from '../support/recorded-ring.js'
import { collect, stamp } from '../support/ring-records.js'

const isLong = process.env.HUBREC_TEST_LONG === '1'
const packets = isLong ? 3_000_000 : 100_000
const episodes = isLong ? 1_000 : 50
const budgetBytes = isLong ? 16 << 20 : 1 << 20
const burst = 2_500

t.setTimeout(isLong ? 1_800_000 : 200_000)

const packet = (n: number): string =>
  JSON.stringify(
    draftOf({
      atS: n / 5_000,
      type: 'wire',
      level: 20,
      data: {
        type: 'pongReceived',
        monoMs: n * 0.2,
        protocol: 'mqtt',
        attempt: n >> 10,
        rttMs: ((n * 7_919) % 50_000) / 1e3,
      },
    }),
  )

/** As long as those of the catalogue are: some 2 KB with evidence, next steps and documents. */
const outage = (id: number): string => {
  const { verdict } = episodeOf('', 0)
  const evidence = Array.from(
    { length: 8 },
    (_, n) =>
      `Attempt ${id * 8 + n} ended after ${(id * 31 + n * 17) % 997} ms: read ECONNRESET at 10.0.0.${(id + n) % 250}:8883.`,
  )
  const nextSteps = Array.from(
    { length: 5 },
    (_, n) => `Step ${n}: look at what stands between this device and the hub, and at its limits for idle connections.`,
  )
  const episode = episodeOf(`e${id}`, (id * packets) / episodes / 5_000, {
    verdict: { ...verdict, evidence, nextSteps },
  })
  return JSON.stringify(draftOf({ atS: 0, type: 'episode', level: 40, data: episode }))
}

const sizeOf = async (dir: string): Promise<number> => {
  const sizes = await Promise.all(
    (await readdir(dir)).map(name => stat(join(dir, name)).then(({ size }) => size, gone)),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Deleted while we looked. */
const gone = (): number => 0

t.test(`after ${packets} packets the last ${episodes} episodes are there`, async t => {
  const dir = join(t.testdir(), 'ring')
  const { ring } = await openRing({ dir, budgetBytes, stamp, classes: recordClasses })
  const kept: Promise<number>[] = []
  let largest = 0
  let said = 0
  let saidAt = 0
  const countGaps = async (fromSeq: number): Promise<void> => {
    for await (const record of readRecords(dir, { fromSeq, types: ['gap'] })) {
      if (!('seq' in record) || record.seq <= saidAt) continue
      said += Number(record.data.count)
      saidAt = record.seq
    }
  }
  for (let n = 0; n < packets; n += burst) {
    const appended = Array.from({ length: burst }, (_, k) => ring.append(packet(n + k), 'kernel'))
    while (kept.length < ((n + burst) * episodes) / packets) kept.push(ring.append(outage(kept.length), 'kernel'))
    const seqs = await Promise.all(appended)
    if (seqs.includes(0)) t.fail(`a record was not kept: ${JSON.stringify(ring.state)}`)
    largest = Math.max(largest, await sizeOf(dir))
    // Gap records go by overflow too, so each is counted while it is there.
    await countGaps((seqs[0] ?? 1) - 2 * burst)
  }
  t.notOk((await Promise.all(kept)).includes(0))
  await ring.close()
  await countGaps(saidAt + 1)

  const found = await readEpisodes(dir)
  t.strictSame(
    found.map(({ id }) => id),
    Array.from({ length: episodes }, (_, id) => `e${id}`),
  )
  t.ok(largest <= budgetBytes, `${largest} bytes of ${budgetBytes}`)
  t.ok(ringIsWhole(await collect(verifyRing(dir))))
  const there = (await collect(readRecords(dir))).length
  t.comment(
    `${there} of ${ring.state.lastSeq} records are there, ${ring.state.segments} segments, at most ${largest} bytes`,
  )
  t.ok(there < packets / 2, 'most of it went')
  t.equal(there + said, ring.state.lastSeq, 'and every record that went was counted, once')
})
