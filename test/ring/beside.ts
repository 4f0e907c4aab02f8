/** Readers beside a writer that seals, thins and drops what they are about to read: nothing is missing that nobody told of. */
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { readRing } from '../../agent/ring/read.js'
import { ringIsWhole, verifyRing } from '../../agent/ring/verify.js'
import { collect, stamp } from '../support/ring-records.js'

const records = 12_000
const outageEvery = 400

const json = (type: string, id: number): string =>
  JSON.stringify({ ...stamp(), level: 30, type, conn: null, inc: null, data: { id, x: `${id * 7_919}`.repeat(12) } })

t.test('a reader sees all that is there, in order, while segments are packed, joined and deleted under it', async t => {
  const dir = t.testdir()
  const classes = [{ types: ['episode'], share: 1 / 8 }]
  const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp, classes })
  const outages: number[] = []
  let isWriting = true

  const write = async (): Promise<void> => {
    for (let id = 0; id < records; id += 100) {
      const appended = Array.from({ length: 100 }, (_, n) => {
        const isOutage = (id + n) % outageEvery === 0
        return ring.append(json(isOutage ? 'episode' : 'wire', id + n), 'kernel').then(seq => {
          if (isOutage) outages.push(seq)
        })
      })
      await Promise.all(appended)
    }
    isWriting = false
  }
  const read = async (): Promise<{ reads: number; problems: string[] }> => {
    const problems: string[] = []
    let reads = 0
    for (; isWriting; reads++) {
      const promised = [...outages]
      const seen = new Set<number>()
      let last = 0
      for await (const item of readRing(dir)) {
        if (item.kind === 'gap') problems.push(`inferred ${JSON.stringify(item)}`)
        else {
          if (item.seq <= last) problems.push(`${item.seq} after ${last}`)
          last = item.seq
          seen.add(item.seq)
        }
      }
      const missing = promised.filter(seq => !seen.has(seq))
      if (missing.length > 0) problems.push(`protected, and not read: ${missing}`)
      if (!ringIsWhole(await collect(verifyRing(dir)))) problems.push('verify calls it damaged')
    }
    return { reads, problems }
  }
  const [, { reads, problems }] = await Promise.all([write(), read()])
  await ring.close()
  t.comment(`${reads} reads`)
  t.strictSame(problems, [])
  t.ok(reads > 1, 'it was read while it was written')
  t.ok(ring.state.firstSeq === 1 && ring.state.lastSeq > records, 'some of the oldest segment is protected')
})
