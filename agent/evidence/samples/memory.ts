/** Memory: how much the host has left, and how much of it we take. */
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { readText, toInteger } from './files.js'
import type { Reading } from './reading.js'

export const memory: Reading = {
  name: 'memory',
  async read({ procRoot }) {
    // Not process.memoryUsage(), which reads a file synchronously.
    const [host, own] = await Promise.all([
      readText(join(procRoot, 'meminfo')),
      readText(join(procRoot, 'self/status')),
    ])
    const { used_heap_size, total_heap_size, external_memory } = getHeapStatistics()
    return {
      totalBytes: parseBytes(host, 'MemTotal'),
      availableBytes: parseBytes(host, 'MemAvailable'),
      swapTotalBytes: parseBytes(host, 'SwapTotal'),
      swapFreeBytes: parseBytes(host, 'SwapFree'),
      own: {
        rssBytes: parseBytes(own, 'VmRSS'),
        swapBytes: parseBytes(own, 'VmSwap'),
        heapUsedBytes: used_heap_size,
        heapTotalBytes: total_heap_size,
        externalBytes: external_memory,
      },
    }
  },
}

/** A line `name: 123 kB` of /proc/meminfo or /proc/self/status. */
export function parseBytes(text: string | null, name: string): number | null {
  const line = text?.split('\n').find(candidate => candidate.startsWith(`${name}:`))
  const kib = line?.endsWith(' kB') ? toInteger(line.slice(name.length + 1, -3)) : null
  return kib === null ? null : kib * 1024
}
