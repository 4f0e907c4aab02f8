/** An HTTP proxy on loopback, as companies have them: CONNECT, credentials, TLS inspection, portals, and trouble. */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type Duplex, pipeline, Transform } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { type Inspector, type KeyPair, makeInspector } from './certificates.js'
import { EventLog } from './events.js'
import { Faults } from './faults.js'
import { answerBare } from './http-answer.js'
import { finish } from './pipe.js'

/** In force until `heal()` or until it has struck `times` times, for connections that come from now on. */
export type ProxyFault = Readonly<
  /** CONNECT is answered by this status. */
  | { kind: 'status'; status: number; headers?: Readonly<Record<string, string>>; times?: number }
  /** CONNECT is read and never answered. */
  | { kind: 'silent'; times?: number }
  /** Everything is answered by 302 to a login page. */
  | { kind: 'portal'; location?: string }
  /** TLS is answered by the proxy itself, with a certificate of its own authority for the name that was asked for. */
  | { kind: 'intercept' }
  /** A tunnel ends as soon as so many bytes have passed, both ways together. */
  | { kind: 'cutAfter'; bytes: number; how: 'fin' | 'rst'; times?: number }
>

export type Credentials = Readonly<{ user: string; password: string }>

export type ProxyHappening =
  /** `status` is null where a fault left it unanswered. A password is never told. */
  | Readonly<{
      type: 'connect'
      connection: number
      target: string
      user: string | null
      status: number | null
      why: string | null
    }>
  /** Anything but CONNECT; without the query of its URL. */
  | Readonly<{ type: 'request'; connection: number; method: string; url: string; status: number }>
  /** `code` is OpenSSL's where the client did not take the proxy's certificate. */
  | Readonly<{ type: 'intercepted'; connection: number; target: string; code: string | null }>
  /** Of a tunnel. */
  | Readonly<{
      type: 'closed'
      connection: number
      target: string
      bytesUp: number
      bytesDown: number
      cut: boolean
    }>
  | Readonly<{ type: 'fault'; fault: ProxyFault }>
  | Readonly<{ type: 'healed' }>

export type ProxyEvent = EventLog<ProxyHappening>['events'][number]

export type ProxyOptions = Readonly<{
  /** Without them everybody may pass. */
  credentials?: Credentials
  /** `my-hub.azure-devices.net:443` by the loopback port that is meant. `localhost` and 127.0.0.1 need none. */
  targets?: Readonly<Record<string, number>>
  /** The authority behind the targets, for `intercept`. */
  ca?: string
}>

export interface LocalProxy extends AsyncDisposable {
  readonly port: number
  /** Without credentials. */
  readonly url: string
  /** The authority of `intercept`. */
  readonly ca: string
  readonly log: readonly ProxyEvent[]
  waitFor: EventLog<ProxyHappening>['waitFor']
  /** Whoever has passed already stays. */
  demand(credentials: Credentials | null): void
  /** Where a name and port lead from now on. */
  route(target: string, port: number): void
  set(fault: ProxyFault): void
  heal(): void
  /** Ends the tunnels that are open. */
  cut(how: 'fin' | 'rst'): void
  close(): Promise<void>
}

export async function startProxy(options: ProxyOptions = {}): Promise<LocalProxy> {
  const proxy = new HttpProxy(options, await makeInspector())
  await proxy.listen()
  return proxy
}

const loginPage = 'http://portal.example/login'

type Tunnel = Readonly<{ cut(how: 'fin' | 'rst'): void }>

class HttpProxy implements LocalProxy {
  readonly #faults = new Faults<ProxyFault>()
  readonly #log = new EventLog<ProxyHappening>()
  readonly #targets: Map<string, number>
  readonly #sockets = new Set<Socket>()
  readonly #tunnels = new Set<Tunnel>()
  readonly #certificates = new Map<string, Promise<KeyPair>>()
  readonly #server: Server
  #credentials: Credentials | null
  #connections = 0
  readonly #numbers = new WeakMap<Duplex, number>()

  constructor(
    private readonly options: ProxyOptions,
    private readonly inspector: Inspector,
  ) {
    this.#credentials = options.credentials ?? null
    this.#targets = new Map(Object.entries(options.targets ?? {}))
    this.#server = createServer((request, response) => {
      const status = this.#faults.get('portal') ? 302 : this.#isWelcome(request) ? 501 : 407
      const url = (request.url ?? '').replace(/\?.*$/, '')
      const connection = this.#numbers.get(request.socket) ?? 0
      this.#log.tell({ type: 'request', connection, method: request.method ?? 'GET', url, status })
      response.writeHead(status, { ...this.#headersOf(status), connection: 'close' }).end()
    })
    this.#server.on('connection', socket => {
      this.#numbers.set(socket, ++this.#connections)
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('connect', (request, socket: Socket, head: Buffer) => this.#connect(request, socket, head))
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get ca(): string {
    return this.inspector.ca
  }

  get log(): readonly ProxyEvent[] {
    return this.#log.events
  }

  readonly waitFor: EventLog<ProxyHappening>['waitFor'] = (match, options) => this.#log.waitFor(match, options)

  demand(credentials: Credentials | null): void {
    this.#credentials = credentials
  }

  route(target: string, port: number): void {
    this.#targets.set(target, port)
  }

  set(fault: ProxyFault): void {
    this.#faults.set(fault)
    this.#log.tell({ type: 'fault', fault })
  }

  heal(): void {
    this.#faults.clear()
    this.#log.tell({ type: 'healed' })
  }

  cut(how: 'fin' | 'rst'): void {
    for (const tunnel of [...this.#tunnels]) tunnel.cut(how)
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #connect(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const target = request.url ?? ''
    const connection = this.#numbers.get(socket) ?? 0
    const user = readCredentials(request)?.user ?? null
    const tell = (status: number | null, why: string | null) =>
      this.#log.tell({ type: 'connect', connection, target, user, status, why })
    const refuse = (status: number, why: string, headers = this.#headersOf(status)) => {
      tell(status, why)
      answerBare(request, socket, status, headers)
    }

    if (this.#faults.strike('silent')) {
      tell(null, 'a fault')
      // Read on, so that TCP acknowledges and a FIN is noticed.
      socket.once('end', () => finish(socket))
      socket.resume()
      return
    }
    const fault = this.#faults.strike('status')
    if (fault) refuse(fault.status, 'a fault', fault.headers)
    else if (this.#faults.get('portal')) refuse(302, 'a fault')
    else if (!this.#isWelcome(request)) refuse(407, user === null ? 'no credentials' : 'wrong credentials')
    else {
      const port = this.#portOf(target)
      if (port === null) refuse(502, 'nobody knows the target')
      else this.#dial(request, socket, head, { target, port, connection, tell, refuse })
    }
  }

  #dial(request: IncomingMessage, socket: Socket, head: Buffer, call: Call): void {
    const upstream = connect({ port: call.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const failed = (error: NodeJS.ErrnoException) => call.refuse(502, error.code ?? error.message)
    const gone = () => upstream.destroy()
    upstream.once('error', failed)
    socket.once('close', gone)
    upstream.once('connect', () => {
      upstream.off('error', failed)
      socket.off('close', gone)
      call.tell(200, null)
      socket.write(`HTTP/${request.httpVersion} 200 Connection Established\r\n\r\n`)
      if (head.length > 0) socket.unshift(head)
      if (this.#faults.get('intercept')) void this.#intercept(socket, upstream, call)
      else this.#tunnel(socket, upstream, socket, call)
    })
  }

  async #intercept(socket: Socket, upstream: Socket, { target, connection }: Call): Promise<void> {
    const hostName = hostOf(target)
    const certificate = this.#certificates.get(hostName) ?? this.inspector.issueFor(hostName)
    this.#certificates.set(hostName, certificate)
    const inside = new TLSSocket(socket, { isServer: true, ...(await certificate) })
    inside.once('error', (error: NodeJS.ErrnoException) => {
      this.#log.tell({ type: 'intercepted', connection, target, code: error.code ?? error.message })
      socket.destroy()
      upstream.destroy()
    })
    inside.once('secure', () => {
      inside.removeAllListeners('error')
      this.#log.tell({ type: 'intercepted', connection, target, code: null })
      const { ca } = this.options
      const outside = connectTls({ socket: upstream, servername: hostName, ...(ca === undefined ? {} : { ca }) })
      this.#tunnel(inside, outside, socket, { target, connection })
    })
  }

  /** @param socket what the client's side runs over */
  #tunnel(client: Duplex, upstream: Duplex, socket: Socket, call: Readonly<{ target: string; connection: number }>) {
    const { bytes: left = Number.POSITIVE_INFINITY, how = 'fin' } = this.#faults.strike('cutAfter') ?? {}
    let wasCut = false
    const tunnel: Tunnel = {
      cut: as => {
        wasCut = true
        client.unpipe()
        if (as === 'rst') socket.resetAndDestroy()
        else finish(socket)
        upstream.destroy()
      },
    }
    const budget: Budget = { left, spent: () => tunnel.cut(how) }
    const up = new Meter(budget)
    const down = new Meter(budget)
    this.#tunnels.add(tunnel)
    let open = 2
    // How one direction ended shows in the other, and at both ends; what it was called is of no use.
    const over = () => {
      open -= 1
      if (open > 0) return
      this.#tunnels.delete(tunnel)
      this.#log.tell({ type: 'closed', ...call, bytesUp: up.bytes, bytesDown: down.bytes, cut: wasCut })
    }
    pipeline(client, up, upstream, over)
    pipeline(upstream, down, client, over)
  }

  #isWelcome(request: IncomingMessage): boolean {
    if (!this.#credentials) return true
    const { user, password } = readCredentials(request) ?? {}
    return user === this.#credentials.user && password === this.#credentials.password
  }

  #portOf(target: string): number | null {
    const known = this.#targets.get(target)
    if (known !== undefined) return known
    // A test never leaves the machine.
    const port = Number(target.split(':').at(-1))
    return ['localhost', '127.0.0.1'].includes(hostOf(target)) && port > 0 ? port : null
  }

  #headersOf(status: number): Readonly<Record<string, string>> {
    if (status === 407) return { 'proxy-authenticate': 'Basic realm="proxy"' }
    return status === 302 ? { location: this.#faults.get('portal')?.location ?? loginPage } : {}
  }
}

type Call = Readonly<{
  target: string
  port: number
  connection: number
  tell(status: number, why: string | null): void
  refuse(status: number, why: string): void
}>

type Budget = { left: number; spent(): void }

/** Counts what passes, and passes no more than a budget that it shares. */
class Meter extends Transform {
  bytes = 0

  constructor(private readonly budget: Budget) {
    super()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { budget } = this
    const passed = chunk.subarray(0, budget.left)
    budget.left -= passed.length
    this.bytes += passed.length
    this.push(passed)
    if (budget.left > 0) done()
    // What is on its way out goes first.
    else setImmediate(budget.spent)
  }
}

const hostOf = (target: string): string => target.replace(/:\d+$/, '')

function readCredentials({ headers }: IncomingMessage): Credentials | null {
  const encoded = /^basic (.*)$/i.exec(headers['proxy-authorization'] ?? '')?.[1]
  if (encoded === undefined) return null
  const [user = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':')
  return { user, password: password.join(':') }
}
