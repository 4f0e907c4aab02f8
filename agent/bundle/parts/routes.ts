/** `routes.txt`: where packets leave this host, and whom it knows next door. */
import { join } from 'node:path'
import { readText } from '../../evidence/samples/files.js'
import { parseNeighbours, parseRoutingTable4, parseRoutingTable6 } from '../kernel-tables.js'
import { type Part, Skipped } from '../part.js'

const tables = [
  { file: 'net/route', linesOf: parseRoutingTable4 },
  { file: 'net/ipv6_route', linesOf: parseRoutingTable6 },
  { file: 'net/arp', linesOf: parseNeighbours },
] as const

export const routes: Part = {
  name: 'routes.txt',
  timeLimitMs: 100,
  fades: true,
  async *content({ procRoot, text }) {
    const read = await Promise.all(tables.map(({ file }) => readText(join(procRoot, file))))
    if (read.every(table => table === null)) throw new Skipped(`${procRoot}/net has no routes`)
    for (const [at, table] of read.entries()) {
      const lines = tables[at]?.linesOf(table ?? '') ?? []
      if (lines.length > 0) yield text(`${lines.join('\n')}\n`)
    }
  },
}
