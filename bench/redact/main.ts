/**
 * `npm run bench:redact`: what a megabyte costs to redact, of records, of pages and of what an enemy would write, with as many secrets
 * known by value as a device remembers after a day. It exits with 0 whatever comes out, because a time is no test.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { createRedactor } from '../../agent/redact.js'
import { hostileTexts } from '../../test/support/hostile-texts.js'
import { createSecrets } from '../../transports/secrets.js'
import { machineOf } from '../machine.js'
import { median } from '../statistics.js'

const help = `npm run bench:redact -- [options]

  --rounds N     the medians are shown (default 3)
  --json         print everything as JSON`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const length = 1 << 20
const barMs = 100

const secrets = createSecrets()
for (const kind of ['shared-access-key', 'sas-token', 'sas-signature', 'sas-url'])
  for (let n = 0; n < 16; n++) secrets.add(kind, randomBytes(32).toString('base64'))
const { text: redact } = createRedactor(secrets)

const filled = (texts: readonly string[]): string => {
  const text = texts.join('\n')
  return text.repeat(Math.ceil(length / text.length)).slice(0, length)
}

const recordings = 'test/fixtures/matrix'
const texts: Readonly<Record<string, string>> = {
  'records of real troubles': filled(
    readdirSync(recordings).map(name => gunzipSync(readFileSync(join(recordings, name))).toString()),
  ),
  'pages of documentation': filled(
    ['README.md', 'docs/decisions.md', 'docs/local-hub.md'].map(file => readFileSync(file, 'utf8')),
  ),
  'base64 of noise': randomBytes(length).toString('base64').slice(0, length),
  ...hostileTexts(length),
}

/** Processor time, because others may use the machine. */
function costMs(text: string): number {
  const before = process.cpuUsage()
  redact(text)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / 1e3) * (length / text.length)
}

if (values.help) console.log(help)
else {
  const rows = Object.entries(texts).map(([name, text]) => {
    redact(text.slice(0, 65_536))
    return { name, ms: median(Array.from({ length: Number(values.rounds) }, () => costMs(text))) }
  })
  const machine = machineOf(tmpdir())
  if (values.json) console.log(JSON.stringify({ rows, machine }, null, 2))
  else {
    for (const { name, ms } of rows.sort((a, b) => b.ms - a.ms))
      console.log(`${name.padEnd(44)} ${ms.toFixed(0).padStart(5)} ms a megabyte  ${ms <= barMs ? 'met' : 'NOT MET'}`)
    console.log(`bar: at most ${barMs} ms a megabyte; ${machine.processor}, Node ${machine.node}`)
  }
}
