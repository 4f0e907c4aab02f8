/** pino-roll: text in files of a limited size and number, the usual way to keep logs from filling a disk. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contender } from '../contender.js'
import { loadPinoRoll } from '../peers.js'
import { sinkOf, withoutLevel } from './pino.js'

const files = 16
const newline = 0x0a

export const pinoRoll: Contender = {
  name: 'pino-roll',
  title: `pino-roll, ${files} files`,
  measures: ['throughput', 'latency', 'kept', 'memory'],
  shape: withoutLevel,
  load: loadPinoRoll,
  // It looks at a file's size only when its buffer has run empty; so it gets the chance before a file is much too long.
  window: 50,

  async open({ dir, budgetBytes }) {
    // A file may be longer by what is given to it in one go, and all files together must not be more than the budget.
    const sizeKiB = Math.floor(budgetBytes / files / 1024) - 20
    const limit = { count: files - 1 }
    const destination = await loadPinoRoll()({
      file: join(dir, 'log'),
      size: `${sizeKiB}k`,
      limit,
      sync: false,
      minLength: 4_096,
    })
    let bytes = 0
    let rolled = Promise.resolve()
    destination.on('write', more => {
      bytes += more
      if (bytes < sizeKiB * 1024) return
      bytes = 0
      rolled = new Promise(resolve => destination.once('ready', resolve))
    })
    // It syncs a file before it begins the next, and meanwhile the old one grows as fast as records come.
    return { ...sinkOf(destination), settled: () => rolled }
  },

  archive: {
    async count(dir) {
      let count = 0
      for (const name of await readdir(dir)) {
        const bytes = await readFile(join(dir, name))
        for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++
      }
      return count
    },
  },
}
