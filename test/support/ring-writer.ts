/**
 * A process that is there to be killed: it writes a ring as fast as its promises resolve and prints, one line each, the number
 * it was promised and the id it wrote under it.
 *
 * `node ring-writer.js DIR FIRST_ID`
 */
import { openRing } from '../../agent/ring/open.js'
import { recordJson, stamp } from './ring-records.js'

const [dir = '', firstId = ''] = process.argv.slice(2)
const { ring } = await openRing({ dir, budgetBytes: 262_144, stamp })

let id = Number(firstId)

/** Small ones mostly, some of a few KiB, now and then one longer than a segment. */
const sizeOf = (id: number): number => (id % 1_009 === 0 ? 20_000 : id % 13 === 0 ? 3_000 : (id * 7) % 400)

async function write(): Promise<never> {
  for (;;) {
    const mine = id++
    const seq = await ring.append(recordJson(mine, sizeOf(mine)), mine % 17 === 0 ? 'disk' : 'kernel')
    // What is printed was promised before; that less is printed than was promised does no harm.
    process.stdout.write(`${seq} ${mine}\n`)
  }
}

// Many at once, so that batches have several records, and some are on their way at any moment.
await Promise.all(Array.from({ length: 64 }, write))
