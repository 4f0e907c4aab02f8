/** Who answers the host's DNS questions. */
import { join } from 'node:path'
import { fieldsOf, readText } from './files.js'
import type { Reading, ReadingContext } from './reading.js'

const entriesMax = 8

export type Resolvers = Readonly<{ nameservers: readonly string[]; search: readonly string[] }>

export const resolvers = {
  name: 'resolvers',
  async read({ etcRoot, runRoot }: Pick<ReadingContext, 'etcRoot' | 'runRoot'>) {
    const [configured, uplink] = await Promise.all([
      readText(join(etcRoot, 'resolv.conf')),
      // Where the configured one is systemd's stub on 127.0.0.53, this names the servers behind it.
      readText(join(runRoot, 'systemd/resolve/resolv.conf')),
    ])
    if (configured === null && uplink === null) return null
    return {
      ...parseResolvers(configured ?? ''),
      uplinks: uplink === null ? null : parseResolvers(uplink).nameservers,
    }
  },
} satisfies Reading

/** resolv.conf(5): the last `search` or `domain` counts. */
export function parseResolvers(text: string): Resolvers {
  const lines = text.split('\n').map(fieldsOf)
  const last = lines.findLast(([word]) => word === 'search' || word === 'domain')
  return {
    nameservers: lines
      .flatMap(([word, address]) => (word === 'nameserver' && address ? [address.slice(0, 64)] : []))
      .slice(0, entriesMax),
    search: (last ?? []).slice(1, 1 + entriesMax).map(domain => domain.slice(0, 253)),
  }
}
