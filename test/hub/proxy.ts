/** A TCP port that can be closed, deaf, rude or slow, in front of another one. */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeafPort, listenDeaf } from './deaf-port.js'
import { finish, Link, Pipe, type PipeEnd } from './pipe.js'

export type Listening = 'open' | 'refused' | 'unanswered'

export type ProxyOptions = Readonly<{
  /** Opens a socket toward the hub, with `allowHalfOpen`. */
  connect(): Socket
  /** Asked for each new connection. A silent one is held as it is until `release()`. */
  greeting?(): 'pass' | 'fin' | 'rst' | 'silent'
  opened?(connection: number): void
  /** The connection is passed on through this socket. */
  joined?(connection: number, hub: Socket): void
  closed?(connection: number, end: PipeEnd): void
  /** Numbers the connections; shared between proxies so that a number is unique. */
  number?(): number
}>

export class TcpProxy {
  /** Bytes obey it; emit `changed` after changing it. */
  readonly link = new Link()
  #server: Server | null = null
  #deaf: DeafPort | null = null
  #port = 0
  #connections = 0
  readonly #pipes = new Set<Pipe>()
  /** Accepted and not passed on. */
  readonly #strays = new Set<Socket>()
  /** Those of them that are to be passed on once the door is healed, with their numbers. */
  readonly #silent = new Map<Socket, number>()

  constructor(private readonly options: ProxyOptions) {
    this.link.setMaxListeners(0)
  }

  get port(): number {
    return this.#port
  }

  /** Opens, closes or deafens the port; open connections stay. The number stays too, once the kernel gave it. */
  async listen(how: Listening): Promise<void> {
    if (how !== 'open' && this.#server) {
      this.#server.close()
      this.#server = null
    }
    if (how !== 'unanswered' && this.#deaf) {
      await this.#deaf.close()
      this.#deaf = null
    }
    if (how === 'open' && !this.#server) {
      const server = await this.#listening()
      this.#port = (server.address() as AddressInfo).port
      this.#server = server
    }
    if (how === 'unanswered' && !this.#deaf) this.#deaf = await listenDeaf(this.#port)
  }

  /** The port was free for a while, and an outgoing connection of anybody may have it for a moment. */
  async #listening(): Promise<Server> {
    for (let lacking = againMax; ; lacking--) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket))
      try {
        await listening(server, this.#port)
        return server
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || lacking === 0) throw error
        await sleep(againAfterMs)
      }
    }
  }

  /** @returns how many connections were cut */
  cut(how: 'fin' | 'rst'): number {
    const open = this.#pipes.size + this.#silent.size
    for (const pipe of [...this.#pipes]) pipe.cut(how)
    for (const device of [...this.#silent.keys()]) {
      this.#silent.delete(device)
      if (how === 'rst') device.resetAndDestroy()
      else finish(device)
    }
    return open
  }

  /** Lets the connections that were greeted with silence through. */
  release(): void {
    for (const [device, connection] of [...this.#silent]) {
      this.#silent.delete(device)
      this.#strays.delete(device)
      this.#join(device, connection)
    }
  }

  async close(): Promise<void> {
    await this.listen('refused')
    for (const pipe of [...this.#pipes]) pipe.destroy()
    for (const socket of [...this.#strays]) socket.destroy()
  }

  #accept(device: Socket): void {
    const { greeting, number, opened } = this.options
    const connection = number?.() ?? ++this.#connections
    const how = greeting?.() ?? 'pass'
    opened?.(connection)
    if (how === 'pass') this.#join(device, connection)
    else this.#stray(device, connection, how)
  }

  #stray(device: Socket, connection: number, how: 'fin' | 'rst' | 'silent'): void {
    this.#strays.add(device)
    device.on('error', () => device.destroy())
    device.once('close', () => {
      // One that was silent and has been passed on is told of by its pipe.
      if (!this.#strays.delete(device)) return
      this.#silent.delete(device)
      this.options.closed?.(connection, { first: 'door', how: how === 'rst' ? 'rst' : 'fin' })
    })
    if (how === 'silent') this.#silent.set(device, connection)
    else if (how === 'fin') finish(device)
    else device.resetAndDestroy()
  }

  #join(device: Socket, connection: number): void {
    const { connect, joined, closed } = this.options
    const hub = connect()
    const pipe = new Pipe(device, hub, this.link, end => {
      this.#pipes.delete(pipe)
      closed?.(connection, end)
    })
    this.#pipes.add(pipe)
    joined?.(connection, hub)
  }
}

/** For 5 s. */
const againMax = 50
const againAfterMs = 100

const listening = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.off('error', reject)
      resolve()
    })
  })
