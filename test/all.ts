/**
 * Every test file, each in a process of its own and some beside each other: `tap dist/test/all.js`. The runner's own command would
 * load its loaders, for TypeScript, mocks and coverage, into each of them, which takes longer than most of the tests.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const dir = 'dist/test'
const helpers = /^(?:hub|support|demo)\/|^real\/matrix\/|^all\.js$/
/** One more than there are cores on a small machine: many wait for a moment of their own. */
const jobs = 3
const fileLimitMs = 600_000

const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.js') && !helpers.test(file))
  // Those that take longest first, so that none is left to run alone.
  .sort((a, b) => Number(b.startsWith('real/')) - Number(a.startsWith('real/')) || a.localeCompare(b))

t.jobs = jobs
t.setTimeout(0)
for (const file of files) {
  const path = join(dir, file)
  const command = ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps', path]
  void t.spawn('env', command, { name: path, buffered: true, timeout: fileLimitMs })
}
