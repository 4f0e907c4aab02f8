/** Makes a bundle of a ring and prints how much memory was in use for it at most, beyond what was before: started with --expose-gc. */
import { performance } from 'node:perf_hooks'
import { makeBundle } from '../../agent/bundle/make.js'
import { createRedactor } from '../../agent/redact.js'
import { createSecrets } from '../../transports/secrets.js'
import { patientParts } from './bundle-parts.js'

export type MemoryUsed = Readonly<{
  /** Live: after a collection. Heap and what is outside of it. */
  liveBytes: number
  /** Resident, with what is yet to be collected. */
  residentBytes: number
  longestStallMs: number
  statuses: Readonly<Record<string, string>>
}>

const [ringDir = '', file = '', nowMs = '0'] = process.argv.slice(2)
const secrets = createSecrets()
secrets.add('shared-access-key', 'kR3t+9/aQ2mZx8Wb7Yc1Nf5Lp0Jd6Vh4Tg2Se8Uq3w=')

const live = (): number => {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const before = { live: live(), resident: process.memoryUsage().rss }
let most = before
let longestStallMs = 0
let turnedMs = performance.now()
let lookedMs = performance.now()
const timer = setInterval(() => {
  longestStallMs = Math.max(longestStallMs, performance.now() - turnedMs)
  if (performance.now() - lookedMs > 500) {
    most = { live: Math.max(most.live, live()), resident: Math.max(most.resident, process.memoryUsage().rss) }
    lookedMs = performance.now()
  }
  turnedMs = performance.now()
}, 1)

const { manifest } = await makeBundle({
  file,
  window: { until: Number(nowMs) },
  requestedBy: 'a test',
  why: 'to see what it takes',
  ringDir,
  device: 'gate',
  config: {},
  versions: { hubrec: '0', sdk: { device: '1', mqtt: '2', amqp: '2', mqttClient: '3' }, node: '20', os: 'Linux' },
  causes: {},
  redactor: createRedactor(secrets),
  secrets,
  nowMs: Number(nowMs),
  inventory: async () => ({}),
  parts: patientParts.map(part => ({ ...part, timeLimitMs: 3_600_000 })),
})
clearInterval(timer)
const used: MemoryUsed = {
  liveBytes: most.live - before.live,
  residentBytes: most.resident - before.resident,
  longestStallMs: Math.round(longestStallMs),
  statuses: Object.fromEntries(manifest.entries.map(({ name, status }) => [name, status])),
}
console.log(JSON.stringify(used))
