/**
 * A ring of an application's own, for where no daemon takes what it tells. Loaded when it is needed and not before; nothing here
 * fails its caller.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../transports/clock.js'
import { createSecrets } from '../../transports/secrets.js'
import { type Memory, noMemory, readMemory } from '../evidence/read.js'
import { recordClasses } from '../evidence/record.js'
import { remember } from '../evidence/remember.js'
import { lockState } from '../lock.js'
import { makeDirectory } from '../make-directory.js'
import { createPipeline, type Pipeline } from '../pipeline.js'
import { createRedactor } from '../redact.js'
import { openRing } from '../ring/open.js'
import { versions } from '../versions.js'
import { admit, emptyLane, type Lane } from './lane.js'
import type { Hello, Numbered, Resumed } from './messages.js'

export interface OwnRing {
  take(message: Numbered | Resumed): void
  /** For the end of the process, which waits for nothing: leaves a word for the next start. */
  bye(why: string): void
  close(why: string): Promise<void>
}

/** Of an application that thinks of nothing else. */
const budgetBytes = 4 << 20

const countsEveryMs = 60_000

/** @throws where the directory cannot be used, or another process uses it */
export async function openOwnRing(dir: string, hello: Hello): Promise<OwnRing> {
  await makeDirectory(dir, 0o750)
  const lock = await lockState(dir)
  const clock = systemClock()
  const redactor = createRedactor(createSecrets())
  const ringDir = join(dir, 'ring')
  const goodbyeFile = join(dir, 'goodbye.json')
  const memory = withGoodbye(await recall(ringDir), goodbyeFile)
  let records: Pipeline | null = null
  const start = {
    pid: process.pid,
    device: null,
    protocol: 'unknown',
    versions: versions(),
    ringBudgetBytes: budgetBytes,
  }
  const stamp = () => {
    const { wallMs, monoMs } = clock.now()
    return { at: new Date(wallMs).toISOString(), bootId: clock.bootId, monoMs }
  }
  const startedAt = stamp().at
  const { ring } = await openRing({
    dir: ringDir,
    budgetBytes,
    stamp,
    classes: recordClasses,
    context: () => {
      const said = records?.context(hello.name) ?? {
        session: null,
        episode: null,
        incarnation: 0,
        credentialWorked: false,
      }
      return JSON.parse(redactor.json({ ...start, startedAt, ...said }))
    },
  })
  const pipeline = createPipeline({ ring, redactor, clock, synchronised: () => null })
  records = pipeline
  void pipeline.record('start', start)

  const lanes = new Map<number, { conn: string; lane: Lane }>()
  const laneOf = (number: number, event: Numbered & { type: 'event' }): { conn: string; lane: Lane } => {
    const found = lanes.get(number)
    if (found) return found
    const conn = number === 1 ? hello.name : `${hello.name}.${number}`
    const { protocol } = event.event
    const present = { conn, protocol, credential: conn, bootId: clock.bootId, now: clock.now() }
    pipeline.follow({ ...remember(memory, present), application: true })
    const made = { conn, lane: emptyLane }
    lanes.set(number, made)
    return made
  }
  const put = (message: Numbered & { type: 'event' }): void => {
    const lane = laneOf(message.lane, message)
    const admitted = admit(lane.lane, message.event)
    if (!admitted) return
    lane.lane = admitted.lane
    const now = clock.now()
    for (const event of admitted.events) {
      const agoMs = Math.max(0, now.monoMs - event.monoMs)
      const at = { wallMs: now.wallMs - agoMs, monoMs: event.monoMs, bootMs: now.bootMs - agoMs }
      pipeline.wire(lane.conn, event, memory.nextInc - 1 + message.inc, { at })
    }
  }
  const counter = setInterval(() => {
    for (const conn of pipeline.connections()) void pipeline.writeCounts(conn)
  }, countsEveryMs).unref()

  return {
    take(message) {
      if (message.type === 'lost') {
        void pipeline.record(
          'gap',
          { reason: 'library', count: message.count, fromSeq: null, toSeq: null },
          40,
          hello.name,
        )
      } else if (message.type === 'open') {
        for (const event of message.events) put({ type: 'event', n: 0, lane: message.lane, inc: message.inc, event })
      } else put(message)
    },
    bye(why) {
      writeFileSync(goodbyeFile, JSON.stringify({ why }))
    },
    async close(why) {
      clearInterval(counter)
      await pipeline.record('stop', { why })
      await ring.close()
      lock.release()
    },
  }
}

async function recall(ringDir: string): Promise<Memory> {
  try {
    return await readMemory(ringDir)
  } catch {
    // The first start, or a ring that cannot be read: it is begun anew, and says so itself.
    return noMemory
  }
}

/** The process before could not wait for its ring, so it left its goodbye beside it. */
function withGoodbye(memory: Memory, file: string): Memory {
  try {
    const { why } = JSON.parse(readFileSync(file, 'utf8'))
    rmSync(file)
    const { lastRecord } = memory
    if (lastRecord === null || memory.lastStop !== null) return memory
    return { ...memory, lastStop: { ...lastRecord, type: 'stop', data: { why: String(why) } } }
  } catch {
    // There is none: the process before was killed, or there was none before.
    return memory
  }
}
