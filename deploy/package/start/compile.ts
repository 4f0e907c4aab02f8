/**
 * Makes the cache of compiled code, once after an installation and whenever Node has changed: runs the daemon for a few seconds against a
 * hub that is not there, in a directory of its own, so that what a real run needs has been compiled, and keeps that.
 *
 * It ends with 0 when the cache is written. Without one hubrec starts more slowly, and nothing else.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load, writeCache } from './loader.js'

declare const mainFile: string
declare const lazyFiles: readonly string[]

const runMs = 4_000

const dir = mkdtempSync(join(tmpdir(), 'hubrec-compile-'))
const key = Buffer.alloc(32).toString('base64')
const config = {
  // No such host can be: nothing is asked of any network.
  connection: { connectionStringFile: 'connection-string', timeoutSeconds: { dns: 1 } },
  stateDir: 'state',
  samples: { intervalSeconds: 1 },
  probes: { enabled: false },
  logLevel: 'silent',
}
writeFileSync(
  join(dir, 'connection-string'),
  `HostName=hub.invalid;GatewayHostName=127.0.0.1:1;DeviceId=compile;SharedAccessKey=${key}`,
  { mode: 0o600 },
)
writeFileSync(join(dir, 'config.json'), JSON.stringify(config))

process.argv.splice(2, Number.POSITIVE_INFINITY, 'run', '--config', join(dir, 'config.json'))
process.once('exit', () => {
  try {
    for (const file of lazyFiles) load(file)
    writeCache()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
load(mainFile)
setTimeout(() => process.kill(process.pid, 'SIGTERM'), runMs)
