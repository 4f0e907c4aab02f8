/**
 * A process that is there to be killed: it writes a ring as fast as its promises resolve and prints, one line each, the number
 * it was promised and the id it wrote under it.
 *
 * `node ring-writer.js DIR FIRST_ID DISK_EVERY`
 */
import { openRing } from '../../agent/ring/open.js'
import { budgetBytes, classes, durabilityOf, loadJson } from './ring-load.js'
import { stamp } from './ring-records.js'

const [dir = '', firstId = '', diskEvery = ''] = process.argv.slice(2)
const { ring } = await openRing({ dir, budgetBytes, stamp, classes })

let id = Number(firstId)

async function write(): Promise<never> {
  for (;;) {
    const mine = id++
    const seq = await ring.append(loadJson(mine), durabilityOf(mine, Number(diskEvery)))
    if (seq === 0) throw new Error(`${mine} was answered with 0: ${ring.state.refusal}`)
    // What is printed was promised before; that less is printed than was promised does no harm.
    process.stdout.write(`${seq} ${mine}\n`)
  }
}

// Many at once, so that batches have several records, and some are on their way at any moment.
await Promise.all(Array.from({ length: 64 }, write))
