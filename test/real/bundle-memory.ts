/** A bundle is made by a daemon that has little memory, of a ring that may hold nothing but outages. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type { MemoryUsed } from '../support/bundle-memory-child.js'
import { recordRing, storyStartMs } from '../support/recorded-ring.js'
import { dayLines } from '../support/report-story.js'

const isLong = process.env.HUBREC_TEST_LONG !== undefined
const child = fileURLToPath(new URL('../support/bundle-memory-child.js', import.meta.url))

/** All that a bundle may take beyond the idle daemon, of a full ring; of a part of one its share, and what does not grow. */
const limitBytes = isLong ? 32 << 20 : 12 << 20
const outages = isLong ? 30_000 : 1_000

t.test('what is held while a bundle is made does not grow with what is in it', { timeout: 3_600_000 }, async t => {
  const dir = t.testdir()
  await recordRing(join(dir, 'ring'), dayLines(outages, undefined, isLong ? 10 : 60))
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    child,
    join(dir, 'ring'),
    join(dir, 'bundle.zip'),
    String(storyStartMs + 86_400_000),
  ])
  const { liveBytes, residentBytes, longestStallMs, statuses }: MemoryUsed = JSON.parse(stdout)
  t.comment(
    `${outages} outages: ${liveBytes} bytes live, ${residentBytes} resident, longest stall ${longestStallMs} ms`,
  )
  t.match(statuses, { 'report.html': 'complete', 'report.json': 'complete', 'episodes.json': 'complete' })
  t.ok(liveBytes < limitBytes, `${liveBytes} bytes`)
})
