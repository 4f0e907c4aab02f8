/**
 * The daemon's end of the ingest socket (unix, mode 0660): whoever may open it may tell of a connection of his own, and of nothing
 * else, no faster than is good for the ring.
 */
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeDirectory } from '../make-directory.js'
import type { Part } from '../run-together.js'
import { listenAt } from '../unix-socket.js'
import { FrameReader } from './frames.js'
import type { Application, Intake } from './intake.js'
import type { Message } from './messages.js'
import { readMessage } from './schema.js'

export type ServerOptions = Readonly<{
  path: string
  intake: Intake
  note(message: string, fields: Readonly<Record<string, unknown>>): void
  limits?: Partial<ServerLimits>
}>

export type ServerLimits = Readonly<{
  connections: number
  /** Messages that a connection may send at once, and those a second that it earns again. */
  burst: number
  perSecond: number
  /** New connections at once, and those a second that are earned again: a bucket is not filled by dialling anew. */
  dials: number
  dialsPerSecond: number
  /** To say who it is. */
  helloMs: number
  lookAfterMs: number
}>

const standard: ServerLimits = {
  connections: 32,
  burst: 200,
  perSecond: 50,
  dials: 64,
  dialsPerSecond: 5,
  helloMs: 10_000,
  lookAfterMs: 5_000,
}

/** An application that has just gone is asked after at once, and again when the kernel has buried it. */
const goneAfterMs = [20, 200, 1_000]

/** @throws where somebody else listens there, or the system does not let it be made */
export async function openIngest(options: ServerOptions): Promise<Part> {
  const limits = { ...standard, ...options.limits }
  const { path, intake, note } = options
  const open = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  const mayDial = bucket(limits.dials, limits.dialsPerSecond)
  let turnedAway = 0

  const later = (delayMs: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, delayMs).unref()
    timers.add(timer)
  }

  const server = createServer(socket => {
    if (open.size >= limits.connections || !mayDial()) {
      turnedAway += 1
      if (turnedAway === 1) note('more applications than can be recorded', { connections: limits.connections })
      socket.destroy()
      return
    }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.unref()
    serve(socket, intake, limits, note, later)
  })
  await makeDirectory(dirname(path), 0o750)
  await listenAt(server, path, 'another process listens')
  server.on('error', error => note('the ingest socket has trouble', { code: (error as NodeJS.ErrnoException).code }))

  return {
    name: 'ingest',
    async run(signal) {
      try {
        for (;;) {
          await sleep(limits.lookAfterMs, undefined, { signal })
          intake.lookAfter()
        }
      } finally {
        for (const timer of timers) clearTimeout(timer)
        server.close()
        for (const socket of open) socket.destroy()
      }
    },
  }
}

function serve(
  socket: Socket,
  intake: Intake,
  limits: ServerLimits,
  note: ServerOptions['note'],
  later: (delayMs: number, act: () => void) => void,
): void {
  const reader = new FrameReader()
  const waiting: Buffer[] = []
  let application: Application | null = null
  /** It has said goodbye, or was shown the door: what else it sends is not read. */
  let isDone = false
  let saidBye = false
  let isGone = false
  const mayTell = bucket(limits.burst, limits.perSecond)
  let isWaiting = false
  const helloTimer = setTimeout(() => socket.destroy(), limits.helloMs).unref()

  const over = (why: string): void => {
    if (isDone) return
    isDone = true
    note('a connection to the ingest socket was ended', { why, name: application?.name ?? null })
    socket.destroy()
  }

  /** @returns the greatest number that was taken, where that is news */
  const act = (message: Message): number | null => {
    if (application === null) {
      if (message.type !== 'hello') {
        over('it did not say who it is')
        return null
      }
      const welcomed = intake.welcome(message)
      if (typeof welcomed === 'string') over(welcomed)
      else {
        application = welcomed
        clearTimeout(helloTimer)
        // A welcome: nothing was taken yet, and everything may be told.
        return 0
      }
      return null
    }
    switch (message.type) {
      case 'hello':
        over('it said twice who it is')
        return null
      case 'open':
        application.resume(message)
        return null
      case 'event':
      case 'lost':
        return application.take(message)
      case 'bye':
        isDone = true
        saidBye = true
        application.bye(message)
        return null
    }
  }

  const work = (): void => {
    isWaiting = false
    if (isDone) waiting.length = 0
    let taken: number | null = null
    while (waiting.length > 0 && !isDone) {
      if (!mayTell()) {
        // Who is too fast waits, and drops by himself what he cannot keep; who is gone cannot wait.
        if (isGone) {
          application?.lost(waiting.length)
          break
        }
        isWaiting = true
        socket.pause()
        later(1e3 / limits.perSecond, work)
        break
      }
      const message = readMessage(waiting.shift() as Buffer)
      if (message === null) over('it sent what is no message')
      else taken = act(message) ?? taken
    }
    if (taken !== null && !isGone && !socket.destroyed) socket.write(acknowledgement(taken))
    if (saidBye) socket.end()
    if (!isWaiting && !isGone) socket.resume()
  }

  socket.on('data', piece => {
    const frames = reader.push(piece)
    if (frames === null) over('it sent what is no frame')
    else if (frames.length > 0) {
      waiting.push(...frames)
      if (!isWaiting) work()
    }
  })
  // The end that follows says all that matters.
  socket.on('error', () => undefined)
  socket.once('close', () => {
    clearTimeout(helloTimer)
    isGone = true
    work()
    if (application === null || saidBye) return
    application.disconnected()
    for (const delayMs of goneAfterMs) later(delayMs, () => intake.lookAfter())
  })
}

/** @returns whether there is a token left, and takes it */
function bucket(most: number, perSecond: number): () => boolean {
  let tokens = most
  let earnedMs = performance.now()
  return () => {
    const nowMs = performance.now()
    tokens = Math.min(most, tokens + ((nowMs - earnedMs) * perSecond) / 1e3)
    earnedMs = nowMs
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}

/** Four bytes; an application that told more than that has told for years. */
function acknowledgement(n: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(n % 2 ** 32)
  return bytes
}
