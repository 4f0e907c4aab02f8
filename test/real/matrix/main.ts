/**
 * The fault matrix: `node main.js [--rows N] [--only TEXT] [--json] [--no-sdk] [--at-once N] [--record DIR]`. It ends with 1 where
 * a bar is not met.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { startHub } from '../../hub/hub.js'
import { runInside } from './inside.js'
import { hubName, startNetwork } from './network.js'
import { fileOf, recordingOf } from './recording.js'
import { barsOf, lineOf, pageOf, summaryOf } from './report.js'
import { emptyResult, type Result } from './result.js'
import { nameOf, type Row } from './row.js'
import { rows, sliceOf } from './rows.js'
import { runRow } from './run-row.js'

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    'no-sdk': { type: 'boolean', default: false },
    'at-once': { type: 'string', default: '4' },
    record: { type: 'string' },
    page: { type: 'string' },
  },
})

if (process.env.HUBREC_MATRIX_INSIDE === undefined) {
  process.env.HUBREC_MATRIX_INSIDE = '1'
  process.exit(await runInside([process.execPath, ...process.argv.slice(1)]))
}

const say = (line: string): void => {
  if (!values.json) console.log(line)
}

const chosen = (values.rows === undefined ? rows : sliceOf(Number(values.rows))).filter(row =>
  nameOf(row).includes(values.only ?? ''),
)
await using _network = await startNetwork()
await using hub = await startHub({ hostName: hubName })
const giveUp = new AbortController()
process.once('SIGTERM', () => giveUp.abort())

const results = new Map<Row, Result>()
const waiting = [...chosen]
async function lane(): Promise<void> {
  for (let row = waiting.shift(); row; row = waiting.shift()) {
    const options = { hub, withSdk: !values['no-sdk'], signal: giveUp.signal }
    const shown = await runRow(row, options).catch((error: Error) => ({
      result: emptyResult(row!, error.stack ?? error.message),
      records: [],
    }))
    results.set(row, shown.result)
    say(lineOf(shown.result))
    if (values.record !== undefined && shown.result.problem === null) {
      await mkdir(values.record, { recursive: true })
      await writeFile(fileOf(row, values.record), gzipSync(recordingOf(shown.records), { level: 9 }))
    }
  }
}
await Promise.all(Array.from({ length: Number(values['at-once']) }, lane))

const told = chosen.flatMap(row => results.get(row) ?? [])
if (values.json) console.log(JSON.stringify({ results: told, bars: barsOf(told) }, null, 1))
else console.log(`\n${summaryOf(told)}`)
if (values.page !== undefined) await writeFile(values.page, pageOf(told))
process.exitCode = barsOf(told).every(({ met }) => met) ? 0 : 1
