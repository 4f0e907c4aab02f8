/** Ours: the ring as the daemon opens it, without what stands before it (the redactor, the pipeline). */
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { lastRecords } from '../../../agent/ring/last.js'
import { openRing } from '../../../agent/ring/open.js'
import { readRing } from '../../../agent/ring/read.js'
import type { RingClass, RingWriter } from '../../../agent/ring/ring.js'
import { type Archive, type Contender, type Place, type Sink, Unavailable } from '../contender.js'

const bootId = '1b4e28ba-2fa1-4c2d-883f-0016d3cca427'

/** As large as what the daemon says there. */
const context = {
  pid: 812,
  device: { hub: 'fleet-west-42.azure-devices.net', deviceId: 'gateway-0042', moduleId: null },
  protocol: 'mqtt',
  credential: 'c38a0b0e',
  configHash: 'baf3394f9a06',
  ringBudgetBytes: 16_777_216,
  versions: {
    hubrec: '0.1.0',
    sdk: { device: '1.18.4', mqtt: '1.16.4', amqp: '1.16.4', mqttClient: '4.3.8' },
    node: '20.20.2',
    os: 'Linux 6.18.44 x64',
  },
  clock: { wall: '2026-11-25T18:04:04.285Z', monoMs: 969_259, bootMs: 969_259, bootId, synchronised: true },
  session: { conn: 'hubrec', attempt: 2, at: '2026-11-25T18:04:05.430Z', bootId, monoMs: 970_403.873 },
  episode: null,
  credentialWorked: true,
}

/** The shares that the issue asks for: an eighth for episodes, and something for each other class of record. */
const classes: readonly RingClass[] = [
  { types: ['episode', 'session'], share: 1 / 8 },
  { types: ['wire'], share: 1 / 8 },
  { types: ['sample'], share: 1 / 8 },
  { types: ['log'], share: 1 / 8 },
]

async function open({ dir, budgetBytes }: Place): Promise<Sink> {
  const stamp = () => ({ at: new Date().toISOString(), bootId, monoMs: performance.now() })
  const { ring } = await openRing({ dir, budgetBytes, stamp, context: () => context, classes })
  return sinkOf(ring)
}

function sinkOf(ring: RingWriter): Sink {
  let outstanding = 0
  let refused = 0
  let allAnswered = () => {}
  const answered = (seq: number) => {
    if (seq === 0) refused++
    if (--outstanding === 0) allAnswered()
  }
  return {
    append(entry) {
      outstanding++
      void ring.append(JSON.stringify(entry), 'kernel').then(answered)
    },
    async handedOver() {
      if (outstanding > 0) {
        await new Promise<void>(resolve => {
          allAnswered = resolve
        })
      }
      if (refused > 0)
        throw new Error(`the ring refused ${refused} records (${ring.state.refusal ?? 'its queue was full'})`)
    },
    close: () => ring.close(),
  }
}

const ownTypes = /"type":"(?:context|gap)"/

const archive: Archive = {
  async count(dir) {
    let count = 0
    for await (const item of readRing(dir)) {
      // What the ring says of itself is no record of its user.
      if (item.kind === 'record' && !ownTypes.test(item.json.slice(0, 220))) count++
    }
    return count
  },

  read: async dir => ({
    async between(sinceMs, untilMs) {
      const since = new Date(sinceMs).toISOString()
      const until = new Date(untilMs).toISOString()
      const found: string[] = []
      for await (const item of readRing(dir, { sinceMs, untilMs })) {
        if (item.kind !== 'record') continue
        const at = atOf(item.json)
        if (at >= since && at <= until) found.push(item.json)
      }
      return found
    },
    last: async count => (await lastRecords(dir, count)).map(({ json }) => json),
  }),

  async exportTo(dir, file) {
    const exportRing = await loadExport()
    await pipeline(exportRing(dir), createWriteStream(file))
  },
}

/** RFC 3339 in UTC with milliseconds can be compared as text. */
function atOf(json: string): string {
  const start = json.indexOf('"at":"') + 6
  return json.slice(start, start + 24)
}

/** It is found when it is used, so that the rest can be measured where there is none yet. */
async function loadExport(): Promise<(dir: string) => AsyncIterable<Buffer>> {
  const path = '../../../agent/ring/export.js'
  try {
    const { exportRing } = (await import(path)) as { exportRing: (dir: string) => AsyncIterable<Buffer> }
    return exportRing
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Unavailable('there is no agent/ring/export.ts yet')
  }
}

export const ring: Contender = {
  name: 'ring',
  title: 'hubrec',
  measures: ['throughput', 'latency', 'kept', 'storm', 'trickle', 'open', 'read', 'export', 'memory'],
  open,
  archive,
}
