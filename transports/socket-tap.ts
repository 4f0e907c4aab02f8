/**
 * The socket to the hub, dialled step by step so that each step has its own time, its own limit and its own error: the
 * name, TCP, where there is a proxy its CONNECT, TLS, and where the protocol needs it the upgrade to WebSocket.
 *
 * The SDK writes its first words at once; what it writes waits in the returned stream until the chain and the name were
 * verified, so no credential leaves before that.
 */
import dns from 'node:dns'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import duplexify from 'duplexify'
import type { Clock } from './clock.js'
import { flatten } from './failure.js'
import { type HttpProxy, openTunnel, type Tunnel } from './proxy.js'
import { describeCertificate, judgedBy, type Trust } from './trust.js'
import { type Upgrading, upgrade } from './upgrade.js'
import type { ClosedBy, ClosedHow, Failure, RefusingStep, ServerCertificate, Stage } from './wire-event.js'

export type Dial = Readonly<{
  host: string
  port: number
  trust: Trust
  clock: Clock
  /** A proxy's CONNECT has as long as TCP, an upgrade as long as the hub's first answer. */
  timeoutsMs: Readonly<{ dns: number; tcp: number; tls: number; accept: number }>
  /** Default: the system's, `dns.lookup`. */
  lookup?: Lookup
  proxy: HttpProxy | null
  upgrade: Upgrade | null
}>

/** A WebSocket in which the protocol travels. */
export type Upgrade = Readonly<{ path: string; subprotocol: string }>

/** That of MQTT, at a hub and at the provisioning service alike. */
export const mqttUpgrade: Upgrade = { path: '/$iothub/websocket', subprotocol: 'mqtt' }

export type Lookup = (host: string, callback: (error: Error | null, addresses: dns.LookupAddress[]) => void) => void

/** How a socket ended, as far as the socket can tell. */
export type SocketEnd = Readonly<{
  by: ClosedBy
  how: ClosedHow
  stage: Stage
  error: Failure | null
  certificate: ServerCertificate | null
}>

/** Somebody on the way said no, in words of HTTP. */
export type Refusal = Readonly<{
  step: Extract<RefusingStep, 'proxy' | 'upgrade'>
  code: number
  reason: string
  headers: Readonly<Record<string, string>>
}>

/** What the tap tells while dialling and after. Each is called at most once, but for `heard`. */
export type SocketTapEvents = Readonly<{
  resolved(addresses: readonly string[], ms: number): void
  tcpConnected(address: string, localAddress: string, ms: number): void
  proxyConnected(proxy: string, ms: number): void
  tlsSecured(version: string, cipher: string, certificate: ServerCertificate, ms: number): void
  upgraded(status: number, ms: number): void
  /** From now on the stream is connected to the hub. */
  ready(): void
  /** Bytes came from the other side. */
  heard(): void
  /** In place of `ended`. */
  refused(refusal: Refusal): void
  ended(end: SocketEnd): void
}>

export type SocketTap = Readonly<{
  /** For the SDK: a stream from the first moment, connected once the server is verified. */
  stream: NodeJS.ReadWriteStream & { destroy(error?: Error): void }
  /** Bytes on the wire, TLS included. */
  bytes(): { read: number; written: number }
  /** Ends it now. `ended` is told as `by: us` unless it was told before. */
  destroy(how: ClosedHow, error?: Error): void
}>

/** An address is given up for the next one after its share of the limit, but not before this: fit for slow links. */
const addressMinMs = 2_500

/** How long a WebSocket may take to tell with which code it was closed, once its socket has ended. */
const closeCodeMs = 200

export function tapSocket(dial: Dial, events: SocketTapEvents): SocketTap {
  const { proxy } = dial
  /** Whom we dial: the hub, or the proxy in front of it. */
  const next = proxy ?? dial
  const stream = duplexify()
  let stage: Stage = 'dns'
  let raw: net.Socket | null = null
  let tunnel: Tunnel | null = null
  let secured: tls.TLSSocket | null = null
  let webSocket: Upgrading | null = null
  let timer: NodeJS.Timeout | undefined
  let peer: tls.DetailedPeerCertificate | null = null
  let over = false

  const destroyAll = (): void => {
    webSocket?.destroy()
    secured?.destroy()
    tunnel?.destroy()
    raw?.destroy()
    stream.destroy()
  }
  /** The first word about the end counts: errors before TLS arrive twice, and a close follows each of them. */
  const end = (by: ClosedBy, how: ClosedHow, error: Failure | null): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    const certificate = stage === 'tls' && peer ? describeCertificate(peer, judgedBy(dial.trust, dial.host)) : null
    const isBeforeHub = proxy !== null && (stage === 'dns' || stage === 'tcp')
    const who = isBeforeHub && by === 'hub' ? 'network' : by
    events.ended({ by: who, how, stage, error: isBeforeHub ? naming(proxy, error, how) : error, certificate })
    destroyAll()
  }
  const refuse = (refusal: Refusal): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    events.refused(refusal)
    destroyAll()
  }
  const fail = (error: unknown): void => end(...whoEnded(flatten(error), stage))
  /** Without an error. The code of a WebSocket's close frame, if there was one, is told when its socket is gone. */
  const ended = (by: ClosedBy, how: ClosedHow): void => {
    if (webSocket) setTimeout(() => end(by, how, null), closeCodeMs)
    else end(by, how, null)
  }
  const limit = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => end('us', 'timeout', null), ms)
  }
  const since = (startedMs: number): number => Math.round((dial.clock.now().monoMs - startedMs) * 1e3) / 1e3

  const resolve = (): void => {
    const family = net.isIP(next.host)
    if (family !== 0) {
      connect([{ address: next.host, family }])
      return
    }
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.dns)
    const lookup = dial.lookup ?? systemLookup
    lookup(next.host, (error, addresses) => {
      if (over) return
      if (error) {
        fail(error)
        return
      }
      events.resolved(
        addresses.map(({ address }) => address),
        since(startedMs),
      )
      connect(addresses)
    })
  }

  const connect = (addresses: readonly dns.LookupAddress[]): void => {
    stage = 'tcp'
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.tcp)
    const socket = net.connect({
      host: next.host,
      port: next.port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: Math.max(addressMinMs, dial.timeoutsMs.tcp / addresses.length),
      lookup: (_host, { all }, callback) => {
        const first = addresses[0]
        // Asynchronous, because Node does not survive a lookup that answers before it returns.
        setImmediate(() => {
          if (all) callback(null, [...addresses])
          else callback(null, first?.address ?? '', first?.family ?? 4)
        })
      },
    })
    raw = socket
    socket.setNoDelay(true)
    socket.once('error', fail)
    socket.once('close', () => ended('unknown', 'error'))
    socket.once('connect', () => {
      if (over) return
      events.tcpConnected(socket.remoteAddress ?? '', socket.localAddress ?? '', since(startedMs))
      if (proxy) passThrough(socket, proxy)
      else secure(socket)
    })
  }

  const passThrough = (socket: net.Socket, proxy: HttpProxy): void => {
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.tcp)
    tunnel = openTunnel(socket, proxy, dial, {
      opened: through => {
        if (over) return
        events.proxyConnected(proxy.name, since(startedMs))
        secure(through)
      },
      refused: refusal => refuse({ step: 'proxy', ...refusal }),
      failed: fail,
    })
  }

  const secure = (socket: Duplex): void => {
    stage = 'tls'
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.tls)
    const tlsSocket = tls.connect({
      socket,
      servername: net.isIP(dial.host) === 0 ? dial.host : '',
      host: dial.host,
      secureContext: dial.trust.context,
    })
    secured = tlsSocket
    // 'secure' comes before Node verifies the chain and destroys what fails: the last moment to see what was shown.
    tlsSocket.prependOnceListener('secure', () => {
      const certificate = tlsSocket.getPeerCertificate(true)
      if (certificate?.raw) peer = certificate
    })
    tlsSocket.on('error', fail)
    tlsSocket.once('end', () => ended('hub', 'fin'))
    tlsSocket.once('close', () => ended('unknown', 'error'))
    tlsSocket.once('secureConnect', () => {
      if (over || !peer) return
      clearTimeout(timer)
      const certificate = describeCertificate(peer, null)
      events.tlsSecured(tlsSocket.getProtocol() ?? '', tlsSocket.getCipher().name, certificate, since(startedMs))
      if (dial.upgrade) wrap(tlsSocket, dial.upgrade)
      else open(tlsSocket, tlsSocket)
    })
  }

  const wrap = (tlsSocket: tls.TLSSocket, wanted: Upgrade): void => {
    stage = 'upgrade'
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.accept)
    webSocket = upgrade(
      tlsSocket,
      { host: dial.host, port: dial.port, ...wanted },
      {
        upgraded: (status, messages) => {
          if (over) return
          clearTimeout(timer)
          events.upgraded(status, since(startedMs))
          open(messages, tlsSocket)
        },
        refused: refusal => refuse({ step: 'upgrade', ...refusal }),
        failed: fail,
        closed: (code, reason) => {
          if (code === null) end('hub', 'fin', null)
          else end('hub', 'goodbye', { name: 'WebSocketClose', code: String(code), message: reason })
        },
      },
    )
  }

  const open = (messages: Duplex, tlsSocket: tls.TLSSocket): void => {
    stage = 'auth'
    tlsSocket.on('data', events.heard)
    stream.setReadable(messages)
    stream.setWritable(messages)
    events.ready()
  }

  // What we send after a close frame fails; how the other side closed is then still to be told.
  let isLeft = false
  stream.on('error', error => {
    isLeft = webSocket?.isClosing() ?? false
    if (isLeft) ended('hub', 'fin')
    else fail(error)
  })
  stream.once('close', () => {
    if (!isLeft) end('us', 'error', null)
  })
  // Not before the caller has the tap in its hands.
  setImmediate(() => {
    if (!over) resolve()
  })

  return {
    stream,
    bytes: () => ({ read: raw?.bytesRead ?? 0, written: raw?.bytesWritten ?? 0 }),
    destroy(how, error) {
      // A close frame has come, and its code follows within a second: the other side was first.
      if (how === 'timeout' && webSocket?.isClosing()) return
      end('us', how, error ? flatten(error) : null)
    },
  }
}

/** What goes wrong before the proxy has let us through is between the proxy and us. */
function naming({ name }: HttpProxy, error: Failure | null, how: ClosedHow): Failure | null {
  if (error) return { ...error, name: 'ProxyError', message: `the proxy ${name}: ${error.message}` }
  return how === 'timeout' ? { name: 'ProxyError', message: `the proxy ${name} does not answer` } : null
}

const systemLookup: Lookup = (host, callback) =>
  dns.lookup(host, { all: true }, (error, addresses) => callback(error, addresses))

/** An answer that is no HTTP or no WebSocket, and a frame that breaks its rules, are the other side's doing. */
const isOfWebSocket = ({ code }: Failure, stage: Stage): boolean =>
  code === undefined ? stage === 'upgrade' : /^(?:WS_ERR|HPE)_/.test(code)

/**
 * A FIN before TLS was done comes as ECONNRESET without a system call; only one with a call is a reset. A reset that the first
 * write of TLS has met already is read as an end, too: Node keeps that write's error to itself.
 */
function whoEnded(error: Failure, stage: Stage): [ClosedBy, ClosedHow, Failure] {
  const met = error.errors?.find(each => each.code === 'ECONNRESET') ?? error
  if (met.code === 'ECONNRESET') return met.syscall ? ['unknown', 'rst', error] : ['hub', 'fin', error]
  if (met.code === 'EPIPE') return ['unknown', 'rst', error]
  if (met.code === 'ETIMEDOUT' && stage !== 'dns') return ['network', 'timeout', error]
  if (stage === 'tls') return ['us', 'error', error]
  if (isOfWebSocket(error, stage)) return ['hub', 'error', error]
  return ['network', 'error', error]
}
