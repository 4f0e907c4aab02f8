/** Who follows a ring sees what another process appends, each record once and in order, soon after it was appended. */
import { mkdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { followRing } from '../../agent/ring/read.js'
import { among, countOf, randomFrom, seed, seedSaid } from '../support/campaign.js'
import { RingRemote } from '../support/ring-remote.js'

const batches = countOf('RING_BATCHES', { slice: 300, long: 5_000 })

t.setTimeout(60_000 + batches * 200)

t.test(`${batches} batches are followed while the ring rotates and turns over`, async t => {
  const random = randomFrom(seed)
  t.comment(seedSaid)
  const dir = t.testdir()
  mkdirSync(dir, { recursive: true })
  const ring = await RingRemote.start(t, { dir, budgetBytes: 262_144 })
  const stop = new AbortController()
  const seen: number[] = []
  const delaysMs: number[] = []
  let lastId = 0
  let sawLast = (): void => {}
  const followed = (async () => {
    for await (const item of followRing(dir, { fromSeq: 1, signal: stop.signal })) {
      if (item.kind === 'gap') throw new Error(`the follower missed ${JSON.stringify(item)}`)
      const { id, appendedMs } = JSON.parse(item.json).data
      if (id === undefined) continue
      delaysMs.push(Number(process.hrtime.bigint()) / 1e6 - appendedMs)
      seen.push(id)
      if (id === lastId) sawLast()
    }
  })()

  for (let batch = 0; batch < batches; batch++) {
    const fromId = lastId + 1
    lastId += among(random, 1, 10)
    const last = new Promise<void>(resolve => {
      sawLast = resolve
    })
    await ring.append({ fromId, toId: lastId, paddingBytes: among(random, 0, 1_500) })
    // Now at once and now after a pause: who waits is woken in another way than who is reading still.
    if (random() < 0.5) await Promise.race([last, followed])
    else await delay(random() * 10)
    if (batch === batches - 1) await Promise.race([last, followed])
  }
  stop.abort()
  await followed
  t.strictSame(await ring.close(), [0, null])

  t.strictSame(
    seen,
    Array.from({ length: lastId }, (_, n) => n + 1),
  )
  const sorted = delaysMs.sort((a, b) => a - b)
  const atMs = (share: number): number => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  t.comment(
    `${seen.length} records: median ${atMs(0.5)} ms, p99 ${atMs(0.99)} ms, worst ${atMs(1)} ms after the append`,
  )
})
