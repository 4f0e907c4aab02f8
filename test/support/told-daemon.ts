/** A daemon's end of the ingest socket that keeps what applications tell it. */
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameReader } from '../../agent/ingest/frames.js'
import type { Message } from '../../agent/ingest/messages.js'
import { readMessage } from '../../agent/ingest/schema.js'
import type { WireEvent } from '../../transports/wire-event.js'

export interface ToldDaemon extends AsyncDisposable {
  readonly path: string
  /** Every message that has come, in order, over all connections. */
  readonly messages: readonly Message[]
  events(lane?: number): WireEvent[]
  /** What the connection of this name has told, in order. */
  toldBy(name: string): WireEvent[]
  /** The same, as soon as there is one that matches, past or to come. */
  untilTold(name: string, match: (event: WireEvent) => boolean): Promise<WireEvent[]>
  /** The first message from `from` on that matches, past or to come. */
  next<M extends Message>(match: (message: Message) => message is M, from?: number): Promise<M>
  nextEvent<T extends WireEvent['type']>(type: T, from?: number): Promise<Extract<WireEvent, { type: T }>>
  /** Takes nothing more, until `open`; the connections that there are end. */
  close(): Promise<void>
  open(): Promise<void>
}

const patienceMs = 60_000

/** @param acknowledges whether it says that it has taken what came */
export async function startToldDaemon(acknowledges = true): Promise<ToldDaemon> {
  const dir = await mkdtemp(join(tmpdir(), 'told-'))
  const path = join(dir, 'ingest.sock')
  const messages: Message[] = []
  const sockets = new Set<Socket>()
  const bell = new EventEmitter().setMaxListeners(0)
  const make = () =>
    createServer(socket => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => undefined)
      const reader = new FrameReader()
      socket.on('data', piece => {
        for (const frame of reader.push(piece) ?? []) {
          const message = readMessage(frame)
          if (message === null) throw new Error(`not a message: ${frame.toString()}`)
          messages.push(message)
          const ack = Buffer.alloc(4)
          if (message.type === 'hello') socket.write(ack)
          if ('n' in message && acknowledges) {
            ack.writeUInt32BE(message.n)
            socket.write(ack)
          }
        }
        bell.emit('told')
      })
    })
  let server = make()
  const told: ToldDaemon = {
    path,
    messages,
    events: (lane = 1) =>
      messages.flatMap(message => (message.type === 'event' && message.lane === lane ? [message.event] : [])),
    toldBy(name) {
      let speaker = ''
      const events: WireEvent[] = []
      for (const message of messages) {
        if (message.type === 'hello') speaker = message.name
        else if (message.type === 'event' && speaker === name) events.push(message.event)
      }
      return events
    },
    async untilTold(name, match) {
      await told.next((message): message is never => message.type === 'event' && told.toldBy(name).some(match))
      return told.toldBy(name)
    },
    async next<M extends Message>(match: (message: Message) => message is M, from = 0) {
      const signal = AbortSignal.timeout(patienceMs)
      for (;;) {
        const found = messages.slice(from).find(match)
        if (found) return found
        await once(bell, 'told', { signal }).catch(() => {
          throw new Error(`not told; the newest: ${JSON.stringify(messages.slice(-5))}`)
        })
      }
    },
    async nextEvent<T extends WireEvent['type']>(type: T, from = 0) {
      const isIt = (message: Message): message is Message & { type: 'event' } =>
        message.type === 'event' && message.event.type === type
      return (await told.next(isIt, from)).event as Extract<WireEvent, { type: T }>
    },
    async open() {
      await rm(path, { force: true })
      server = make()
      server.listen(path)
      await once(server, 'listening')
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
      await rm(path, { force: true })
    },
    async [Symbol.asyncDispose]() {
      await told.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
  await told.open()
  return told
}
