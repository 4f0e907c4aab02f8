/** Makes one bundle in a process of its own, as the daemon does, and prints what it took. */
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeBundle } from '../../agent/bundle/make.js'
import { parts } from '../../agent/bundle/parts.js'
import { causeTitles } from '../../agent/diagnosis/catalogue.js'
import { createRedactor } from '../../agent/redact.js'
import { versions } from '../../agent/versions.js'
import { createSecrets } from '../../transports/secrets.js'
import type { Figures } from './figures.js'

const [stateDir = '', file = '', names = ''] = process.argv.slice(2)
const resolutionMs = 5

const secrets = createSecrets()
secrets.add('shared-access-key', 'kR3t9aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w=')
const stub = async (): Promise<object> => ({})
setPriority(constants.priority.PRIORITY_LOW)
global.gc?.()
// What was loaded has settled.
await sleep(500)

const idleBytes = process.memoryUsage().rss
let peakBytes = idleBytes
const watching = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, resolutionMs)
const loop = monitorEventLoopDelay({ resolution: resolutionMs })
loop.enable()
const startedMs = performance.now()
const usedBefore = process.cpuUsage()
const { bytes, manifest } = await makeBundle({
  file,
  window: {},
  requestedBy: 'a bench',
  why: 'to be measured',
  ringDir: join(stateDir, 'ring'),
  device: 'gate',
  config: {},
  versions: versions(),
  causes: causeTitles,
  redactor: createRedactor(secrets),
  secrets,
  nowMs: Date.UTC(2100, 0),
  bytesMax: 2 ** 31,
  ...(names === '' ? {} : { types: names.split(',') }),
  parts: parts.map(part => ({ ...part, timeLimitMs: 3_600_000 })),
  // What they ask of the host and the network is not what is measured.
  state: stub,
  doctor: stub,
  inventory: stub,
})
const seconds = (performance.now() - startedMs) / 1e3
const { user, system } = process.cpuUsage(usedBefore)
loop.disable()
clearInterval(watching)
const unfinished = manifest.entries.filter(({ status }) => status !== 'complete')
if (unfinished.length > 0) throw new Error(`not everything is in it: ${JSON.stringify(unfinished)}`)
const stallMs = loop.max / 1e6 - resolutionMs
const processorSeconds = (user + system) / 1e6
const figures: Figures = { seconds, processorSeconds, memoryBytes: peakBytes - idleBytes, fileBytes: bytes, stallMs }
console.log(JSON.stringify({ figures, entries: manifest.entries.map(({ name, durationMs }) => [name, durationMs]) }))
