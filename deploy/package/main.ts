/** `npm run package`: what is installed on a device, in `out/hubrec/`. */
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makePackage } from './make.js'

const dir = resolve(process.argv[2] ?? 'out/hubrec')
await makePackage(process.cwd(), dir)
const lib = readdirSync(join(dir, 'lib'))
const bytes = lib.reduce((sum, name) => sum + statSync(join(dir, 'lib', name)).size, 0)
process.stdout.write(
  `${dir}: ${lib.length} files of code, ${(bytes / 2 ** 20).toFixed(1)} MiB; run ${join(dir, 'hubrec.js')}\n`,
)
