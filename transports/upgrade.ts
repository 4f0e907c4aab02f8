/** The upgrade of a verified TLS socket to WebSocket: what was answered, and the stream that comes of it. */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'
import { type HttpRefusal, refusalOf } from './http-answer.js'

export type UpgradeTarget = Readonly<{ host: string; port: number; path: string; subprotocol: string }>

export type UpgradeEvents = Readonly<{
  upgraded(status: number, messages: Duplex): void
  /** The server answered with anything but 101. */
  refused(refusal: HttpRefusal): void
  failed(error: Error): void
  /** `code` is that of the other side's close frame; `null` when there was none. */
  closed(code: number | null, reason: string): void
}>

export type Upgrading = Readonly<{
  /** A close frame has come, so that nothing can be sent any more; `closed` follows. */
  isClosing(): boolean
  destroy(): void
}>

/** More than any packet of IoT Hub, which takes 256 KB. */
const messageBytesMax = 1 << 20

/** How long a server may take to end the socket after its close frame. */
const closeTimeoutMs = 1_000

/** RFC 6455, 7.1.5: no close frame was received. */
const withoutFrame = 1006

export function upgrade(socket: TLSSocket, target: UpgradeTarget, events: UpgradeEvents): Upgrading {
  const { host, port, path, subprotocol } = target
  const options = {
    // Already connected and verified; without an agent the request takes what this gives.
    createConnection: () => socket,
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: messageBytesMax,
    closeTimeout: closeTimeoutMs,
  }
  const authority = host.includes(':') ? `[${host}]` : host
  const webSocket = new WebSocket(`wss://${authority}:${port}${path}`, subprotocol, options as WebSocket.ClientOptions)
  let status = 101
  webSocket.on('error', error => events.failed(error))
  webSocket.on('upgrade', ({ statusCode }) => {
    status = statusCode ?? status
  })
  webSocket.on('unexpected-response', (request, response) => {
    events.refused(refusalOf(response))
    request.destroy()
  })
  webSocket.on('close', (code, reason) => {
    events.closed(code === withoutFrame ? null : code, reason.toString('utf8'))
  })
  webSocket.on('open', () => events.upgraded(status, createWebSocketStream(webSocket)))
  return {
    isClosing: () => webSocket.readyState === WebSocket.CLOSING,
    destroy: () => webSocket.terminate(),
  }
}
