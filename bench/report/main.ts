/** `npm run bench:report`: how long a browser takes for the page of a bad day: 10,000 outages, and a sample every 10 s. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { episodeOf } from '../../agent/evidence/read.js'
import type { LogRecord } from '../../agent/evidence/record.js'
import { readBuiltPage } from '../../agent/report/built-page.js'
import { reportData } from '../../agent/report/data.js'
import { reportHtml } from '../../agent/report/html.js'
import { draftOf, storyStartMs } from '../../test/support/recorded-ring.js'
import { noBrowser, openReport, startBrowser } from '../../test/support/report-page.js'
import { dayLines } from '../../test/support/report-story.js'
import { machineOf } from '../machine.js'
import { median } from '../statistics.js'

const barMs = 2_000

const { values } = parseArgs({
  options: { episodes: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '7' } },
})
const count = Number(values.episodes)

if (noBrowser) throw new Error(noBrowser)
const dir = await mkdtemp(join(tmpdir(), 'hubrec-bench-'))
const browser = await startBrowser()
try {
  const file = join(dir, 'report.html')
  const madeMs = await make(file)
  const { size } = await stat(file)
  const opened: number[] = []
  const found: number[] = []
  const cpu: number[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const beganMs = performance.now()
    const { page, cpuMs, close } = await openReport(browser, file, { viewport: { width: 1280, height: 900 } })
    // Not before it has been painted.
    await page.evaluate('new Promise(painted => requestAnimationFrame(() => setTimeout(painted)))')
    opened.push(performance.now() - beganMs)
    cpu.push(await cpuMs())
    const followedMs = performance.now()
    await page.evaluate("location.hash = '#episode-e0'")
    await page.waitForFunction("document.getElementById('episode-e0')?.matches('[open]')")
    found.push(performance.now() - followedMs)
    await close()
  }
  const ms = (all: readonly number[]): string => `${Math.round(median(all))} ms`
  const { node, processor, cores, kernel } = machineOf(dir)
  for (const line of [
    '| measure | median | longest | bar | verdict |',
    '| --- | ---: | ---: | --- | --- |',
    `| open ${count} outages and 24 h of samples | ${ms(opened)} | ${Math.round(Math.max(...opened))} ms | under ${barMs} ms | ${median(opened) < barMs ? 'met' : 'NOT MET'} |`,
    `| processor time of that | ${ms(cpu)} | ${Math.round(Math.max(...cpu))} ms |  |  |`,
    `| reach the oldest of them by its address | ${ms(found)} | ${Math.round(Math.max(...found))} ms |  |  |`,
    '',
    `- node ${node}, ${processor} with ${cores} cores, ${kernel}, Chromium ${browser.version()} without a window`,
    `- ${values.rounds} rounds; the page has ${(size / 1e6).toFixed(1)} MB and was made in ${Math.round(madeMs)} ms`,
  ]) {
    console.log(line)
  }
} finally {
  await browser.close()
  await rm(dir, { recursive: true, force: true })
}

/** Without a ring and a redactor: only the page is measured. */
async function make(file: string): Promise<number> {
  const records = Array.from(dayLines(count, undefined, 10), (line, n): LogRecord => ({ seq: n + 1, ...draftOf(line) }))
  const episodes = records.flatMap(record => (record.type === 'episode' ? (episodeOf(record) ?? []) : []))
  const at = (ms: number): string => new Date(ms).toISOString()
  const window = { from: at(storyStartMs), to: at(storyStartMs + 86_400_000) }
  const beganMs = performance.now()
  const pieces = reportData({
    head: {
      device: 'gateway-7/hubrec',
      createdAt: window.to,
      requestedBy: 'bench',
      why: 'to measure',
      window,
      versions: { hubrec: '0', sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' }, node: '20', os: 'Linux' },
    },
    episodes: () => each(episodes),
    episodesGone: () => 0,
    records: () => each(records),
    redacted: value => value,
  })
  const texts: string[] = []
  for await (const piece of reportHtml(pieces, await readBuiltPage())) texts.push(piece)
  await writeFile(file, texts.join(''))
  return performance.now() - beganMs
}

async function* each<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all
}
