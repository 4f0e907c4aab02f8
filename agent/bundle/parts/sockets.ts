/** `sockets.txt`: the host's TCP and UDP sockets, from the kernel's tables, because starting `ss` may take too long. */
import { join } from 'node:path'
import { readText } from '../../evidence/samples/files.js'
import { parseSockets } from '../kernel-tables.js'
import { type Part, Skipped } from '../part.js'

const tables = ['tcp', 'tcp6', 'udp', 'udp6'] as const

export const sockets: Part = {
  name: 'sockets.txt',
  timeLimitMs: 100,
  fades: true,
  async *content({ procRoot, text }) {
    const read = await Promise.all(tables.map(name => readText(join(procRoot, 'net', name))))
    if (read.every(table => table === null)) throw new Skipped(`${procRoot}/net has no sockets`)
    for (const [at, table] of read.entries()) {
      const lines = parseSockets(tables[at] ?? '', table ?? '')
      if (lines.length > 0) yield text(`${lines.join('\n')}\n`)
    }
  },
}
