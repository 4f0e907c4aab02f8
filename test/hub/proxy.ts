/** A TCP port that can be closed, deaf, rude or slow, in front of another one. */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type DeafPort, listenDeaf } from './deaf-port.js'
import { finish, Link, Pipe, type PipeEnd } from './pipe.js'

export type Listening = 'open' | 'refused' | 'unanswered'

export type ProxyOptions = Readonly<{
  /** Opens a socket toward the hub, with `allowHalfOpen`. */
  connect(): Socket
  /** Asked for each new connection. A silent one is held as it is until `release()`. */
  greeting?(): 'pass' | 'fin' | 'rst' | 'silent'
  opened?(connection: number, hub: Socket): void
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
  readonly #silent = new Set<Socket>()

  constructor(private readonly options: ProxyOptions) {
    this.link.setMaxListeners(0)
  }

  get port(): number {
    return this.#port
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pipes.size
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
      const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket))
      await listening(server, this.#port)
      this.#port = (server.address() as AddressInfo).port
      this.#server = server
    }
    if (how === 'unanswered' && !this.#deaf) this.#deaf = await listenDeaf(this.#port)
  }

  /** @returns how many connections were cut */
  cut(how: 'fin' | 'rst'): number {
    const { size } = this.#pipes
    for (const pipe of [...this.#pipes]) pipe.cut(how)
    return size
  }

  /** Lets the connections that were greeted with silence through. */
  release(): void {
    for (const device of this.#silent) this.#join(device)
    this.#silent.clear()
  }

  async close(): Promise<void> {
    await this.listen('refused')
    for (const pipe of [...this.#pipes]) pipe.destroy()
    for (const socket of [...this.#strays]) socket.destroy()
  }

  #accept(device: Socket): void {
    const greeting = this.options.greeting?.() ?? 'pass'
    if (greeting === 'pass') {
      this.#join(device)
      return
    }
    this.#strays.add(device)
    device.once('close', () => {
      this.#strays.delete(device)
      this.#silent.delete(device)
    })
    device.on('error', () => device.destroy())
    if (greeting === 'silent') this.#silent.add(device)
    else if (greeting === 'fin') finish(device)
    else device.resetAndDestroy()
  }

  #join(device: Socket): void {
    const connection = this.options.number?.() ?? ++this.#connections
    const hub = this.options.connect()
    const pipe = new Pipe(device, hub, this.link, end => {
      this.#pipes.delete(pipe)
      this.options.closed?.(connection, end)
    })
    this.#pipes.add(pipe)
    this.options.opened?.(connection, hub)
  }
}

const listening = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.off('error', reject)
      resolve()
    })
  })
