/** HTTP at a device's door: WebSockets on IoT Hub's one path with MQTT or AMQP inside, and whatever HTTPS serves. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { Tell } from './events.js'
import type { Fault, Faults } from './faults.js'
import { answerBare } from './http-answer.js'
import type { Origin } from './listeners.js'
import { finish } from './pipe.js'
import type { Carried } from './protocols.js'

export const websocketPath = '/$iothub/websocket'

const subprotocols = ['AMQPWSB10', 'mqtt'] as const

export type WebSocketFrontOptions = Readonly<{
  mqtt(stream: Duplex, origin: Origin): Carried
  amqp(stream: Duplex, origin: Origin): Carried
  /** A request that wants no upgrade. */
  serve(request: IncomingMessage, response: ServerResponse): void
  faultsOf(deviceId: string): Faults
  tell: Tell
}>

type Open = Readonly<{ deviceId: string; closeWith(code: number): void }>

export class WebSocketFront {
  /** It listens nowhere: connections are handed to it. */
  readonly #http = createServer()
  readonly #origins = new WeakMap<Duplex, Origin>()
  readonly #sockets = new Set<TLSSocket>()
  readonly #open = new Set<Open>()
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: asked => subprotocols.find(known => asked.has(known)) ?? false,
  })

  constructor(private readonly options: WebSocketFrontOptions) {
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('request', options.serve)
    this.#http.on('clientError', (_error, socket) => socket.destroy())
  }

  /** @param tls speaks HTTP, as far as its first byte shows */
  accept(tls: TLSSocket, origin: Origin): void {
    this.#origins.set(tls, origin)
    this.#sockets.add(tls)
    tls.on('error', () => tls.destroy())
    tls.once('close', () => this.#sockets.delete(tls))
    this.#http.emit('connection', tls)
  }

  /** A fault has been set that strikes what is open, once for all of it. */
  misbehave(deviceId: string, fault: Fault): void {
    const open = [...this.#open].filter(found => found.deviceId === deviceId)
    if (fault.kind !== 'websocketClose' || open.length === 0) return
    this.options.faultsOf(deviceId).strike('websocketClose')
    for (const { closeWith } of open) closeWith(fault.code)
  }

  close(): void {
    for (const tls of this.#sockets) tls.destroy()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const origin = this.#origins.get(socket)
    if (!origin) {
      socket.destroy()
      return
    }
    const faults = this.options.faultsOf(origin.deviceId)
    const path = (request.url ?? '').replace(/\?.*$/, '')
    const asked = (request.headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
    const subprotocol = subprotocols.find(known => asked.includes(known)) ?? null
    const tell = (status: number | null) => this.options.tell({ type: 'upgrade', ...origin, path, subprotocol, status })
    const refuse = (status: number, headers: Readonly<Record<string, string>> = {}) => {
      tell(status)
      answerBare(request, socket, status, headers)
    }

    if (faults.strike('upgradeSilent')) {
      tell(null)
      // Read on, so that TCP acknowledges and a FIN is noticed.
      socket.once('end', () => finish(socket))
      socket.resume()
      return
    }
    const fault = faults.strike('upgrade')
    if (fault) refuse(fault.status, fault.headers)
    else if (path !== websocketPath) refuse(404)
    else if (!subprotocol) refuse(400)
    else {
      this.#upgrades.handleUpgrade(request, socket, head, websocket => {
        tell(101)
        this.#opened(websocket, subprotocol, origin)
      })
    }
  }

  #opened(socket: WebSocket, subprotocol: (typeof subprotocols)[number], origin: Origin): void {
    const { mqtt, amqp, faultsOf, tell } = this.options
    const stream = createWebSocketStream(socket)
    const carried = subprotocol === 'mqtt' ? mqtt(stream, origin) : amqp(stream, origin)
    let sent: number | null = null
    const open: Open = {
      deviceId: origin.deviceId,
      closeWith(code) {
        sent = code
        socket.close(code)
        carried.end('fault')
      },
    }
    this.#open.add(open)
    socket.once('close', code => {
      this.#open.delete(open)
      // The stream hears of it after us, so one that has ended was ended here.
      const by = sent !== null || stream.writableEnded || stream.destroyed ? 'hub' : 'device'
      tell({ type: 'websocketClosed', ...origin, by, code: sent ?? code })
    })
    const fault = faultsOf(origin.deviceId).strike('websocketClose')
    if (fault) open.closeWith(fault.code)
  }
}
