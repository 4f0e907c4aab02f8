/**
 * A ring in a process of its own, so that limits, clocks and system calls can be spoilt for it alone. It does what the lines on
 * its standard input say, one after the other, and answers each with a line. `ring-remote.ts` is its other end.
 *
 * `node ring-child.js DIR BUDGET_BYTES`
 */
import { createInterface } from 'node:readline'
import { openRing } from '../../agent/ring/open.js'
import type { RingStamp } from '../../agent/ring/ring.js'
import type { Answer, Order } from './ring-remote.js'

const [dir = '', budgetBytes = ''] = process.argv.slice(2)

const stamp: RingStamp = () => ({
  at: new Date().toISOString(),
  bootId: 'boot-1',
  monoMs: Math.round(performance.now()),
})

const { ring } = await openRing({ dir, budgetBytes: Number(budgetBytes), stamp })

const answer = (answer: Omit<Answer, 'state'>): void =>
  void process.stdout.write(`${JSON.stringify({ ...answer, state: ring.state })}\n`)

async function append({ fromId, toId, paddingBytes = 100, durability = 'kernel' }: Order): Promise<number[]> {
  const promises: Promise<number>[] = []
  for (let id = fromId; id <= toId; id++) {
    // The monotonic clock is one for all processes, so whoever finds the record can tell how old it is.
    const data = { id, appendedMs: Number(process.hrtime.bigint()) / 1e6, x: 'x'.repeat(paddingBytes) }
    promises.push(
      ring.append(JSON.stringify({ ...stamp(), level: 30, type: 'log', conn: null, inc: null, data }), durability),
    )
  }
  return Promise.all(promises)
}

answer({ seqs: [] })
for await (const line of createInterface({ input: process.stdin })) answer({ seqs: await append(JSON.parse(line)) })
await ring.close()
