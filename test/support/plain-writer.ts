/**
 * A process that appends lines to a file and never syncs, and prints the id of each when the kernel has it: what a power cut
 * takes from it shows that the cut was one.
 *
 * `node plain-writer.js FILE FIRST_ID`
 */
import { open } from 'node:fs/promises'
import { loadJson } from './ring-load.js'

const [path = '', firstId = ''] = process.argv.slice(2)
const file = await open(path, 'a')
for (let id = Number(firstId); ; id++) {
  await file.appendFile(`${loadJson(id)}\n`)
  process.stdout.write(`${id}\n`)
}
