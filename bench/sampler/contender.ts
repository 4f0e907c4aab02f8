/** One of those who take samples, in a process of its own: `node contender.js NAME SAMPLES`. Prints its figures as JSON. */
import { readFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { runSampler } from '../../agent/evidence/sampler.js'
import { askForSockets } from '../../agent/watch/ss.js'
import { systemClock } from '../../transports/clock.js'

export type Figures = Readonly<{
  /** On a processor, for one sample: of this process and of those that it has started. */
  cpuMs: number
  /** The longest that the loop was kept from its timers. */
  longestDelayMs: number
}>

/** A jiffy of /proc, on every Linux that Node runs on. */
const jiffyMs = 10

/** Of children that have ended. */
function childrenMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[13]) + Number(fields[14])) * jiffyMs
}

/** What the daemon does every ten seconds. */
async function hubrec(samples: number): Promise<void> {
  const stop = new AbortController()
  let taken = 0
  await runSampler({
    intervalMs: 1,
    stateDir: tmpdir(),
    clock: systemClock(),
    signal: stop.signal,
    record: () => {
      taken += 1
      if (taken === samples) stop.abort()
    },
  })
}

/** What it asks once a minute beside that: the state of the hub's socket. */
async function sockets(samples: number): Promise<void> {
  for (let taken = 0; taken < samples; taken += 1) await askForSockets(['127.0.0.1'])
}

type Call = () => Promise<unknown>

/** The calls that its documentation names for the same readings: links, addresses, routes, load, memory, disk, heat, time, radio. */
async function systeminformation(samples: number): Promise<void> {
  const si = createRequire(import.meta.url)('systeminformation') as Readonly<Record<string, Call>>
  const calls = [
    'networkInterfaces',
    'networkStats',
    'networkGatewayDefault',
    'wifiConnections',
    'currentLoad',
    'mem',
    'fsSize',
    'cpuTemperature',
    'time',
  ]
  for (let taken = 0; taken < samples; taken += 1) await Promise.all(calls.map(async name => si[name]?.()))
}

const contenders: Readonly<Record<string, (samples: number) => Promise<void>>> = { hubrec, sockets, systeminformation }

const [name = '', count = ''] = process.argv.slice(2)
const take = contenders[name]
if (take === undefined) throw new Error(`expected one of ${Object.keys(contenders).join(', ')}`)
const samples = Number(count)
// What is loaded and compiled for the first one belongs to no sample.
await take(2)
const delays = monitorEventLoopDelay({ resolution: 1 })
delays.enable()
const [before, childrenBeforeMs] = [process.cpuUsage(), childrenMs()]
await take(samples)
const { user, system } = process.cpuUsage(before)
const cpuMs = ((user + system) / 1e3 + childrenMs() - childrenBeforeMs) / samples
delays.disable()
writeSync(1, JSON.stringify({ cpuMs, longestDelayMs: delays.max / 1e6 } satisfies Figures))
