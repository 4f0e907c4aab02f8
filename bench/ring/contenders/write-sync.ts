/** The limit: the same bytes, 64 KiB at a time, straight to the kernel, with nothing else done for them. */
import { closeSync, openSync, writeSync as write } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from '../contender.js'

const blockBytes = 65_536

export const writeSync: Contender = {
  name: 'write-sync',
  title: 'writeSync of 64 KiB',
  measures: ['throughput', 'latency', 'storm', 'trickle', 'memory'],

  async open({ dir }) {
    const fd = openSync(join(dir, 'limit.log'), 'a')
    const block = Buffer.allocUnsafe(2 * blockBytes)
    let bytes = 0
    const empty = () => {
      for (let written = 0; written < bytes; ) written += write(fd, block, written, bytes - written)
      bytes = 0
    }
    return {
      append(entry) {
        bytes += block.write(`${JSON.stringify(entry)}\n`, bytes)
        if (bytes >= blockBytes) empty()
      },
      async handedOver() {
        empty()
      },
      async close() {
        empty()
        closeSync(fd)
      },
    }
  },
}
