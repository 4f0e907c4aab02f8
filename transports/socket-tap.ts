/**
 * The socket to the hub, dialled step by step so that each step has its own time, its own limit and its own error.
 *
 * The SDK writes its CONNECT at once; what it writes waits in the returned stream until the chain and the name were
 * verified, so no credential leaves before that.
 */
import dns from 'node:dns'
import net from 'node:net'
import tls from 'node:tls'
import duplexify from 'duplexify'
import type { Clock } from './clock.js'
import { flatten } from './failure.js'
import { describeCertificate, type Trust } from './trust.js'
import type { ClosedBy, ClosedHow, Failure, ServerCertificate, Stage } from './wire-event.js'

export type Dial = Readonly<{
  host: string
  port: number
  trust: Trust
  clock: Clock
  timeoutsMs: Readonly<{ dns: number; tcp: number; tls: number }>
  /** Default: the system's, `dns.lookup`. */
  lookup?: Lookup
}>

export type Lookup = (host: string, callback: (error: Error | null, addresses: dns.LookupAddress[]) => void) => void

/** How a socket ended, as far as the socket can tell. */
export type SocketEnd = Readonly<{
  by: ClosedBy
  how: ClosedHow
  stage: Stage
  error: Failure | null
  certificate: ServerCertificate | null
}>

/** What the tap tells while dialling and after. Each is called at most once, but for `heard`. */
export type SocketTapEvents = Readonly<{
  resolved(addresses: readonly string[], ms: number): void
  tcpConnected(address: string, localAddress: string, ms: number): void
  tlsSecured(version: string, cipher: string, certificate: ServerCertificate, ms: number): void
  /** Bytes came from the other side. */
  heard(): void
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

export function tapSocket(dial: Dial, events: SocketTapEvents): SocketTap {
  const stream = duplexify()
  let stage: Stage = 'dns'
  let raw: net.Socket | null = null
  let secured: tls.TLSSocket | null = null
  let timer: NodeJS.Timeout | undefined
  let peer: tls.DetailedPeerCertificate | null = null
  let over = false

  /** The first word about the end counts: errors before TLS arrive twice, and a close follows each of them. */
  const end = (by: ClosedBy, how: ClosedHow, error: Failure | null): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    const certificate = stage === 'tls' && peer ? describeCertificate(peer, dial.trust.knownRoots) : null
    events.ended({ by, how, stage, error, certificate })
    secured?.destroy()
    raw?.destroy()
    stream.destroy()
  }
  const fail = (error: unknown): void => end(...whoEnded(flatten(error), stage))
  const limit = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => end('us', 'timeout', null), ms)
  }
  const since = (startedMs: number): number => Math.round((dial.clock.now().monoMs - startedMs) * 1e3) / 1e3

  const resolve = (): void => {
    const family = net.isIP(dial.host)
    if (family !== 0) {
      connect([{ address: dial.host, family }])
      return
    }
    const startedMs = dial.clock.now().monoMs
    limit(dial.timeoutsMs.dns)
    const lookup = dial.lookup ?? systemLookup
    lookup(dial.host, (error, addresses) => {
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
      host: dial.host,
      port: dial.port,
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
    socket.once('close', () => end('unknown', 'error', null))
    socket.once('connect', () => {
      if (over) return
      events.tcpConnected(socket.remoteAddress ?? '', socket.localAddress ?? '', since(startedMs))
      secure(socket)
    })
  }

  const secure = (socket: net.Socket): void => {
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
    tlsSocket.once('end', () => end('hub', 'fin', null))
    tlsSocket.once('close', () => end('unknown', 'error', null))
    tlsSocket.once('secureConnect', () => {
      if (over || !peer) return
      clearTimeout(timer)
      const certificate = describeCertificate(peer, null)
      events.tlsSecured(tlsSocket.getProtocol() ?? '', tlsSocket.getCipher().name, certificate, since(startedMs))
      stage = 'auth'
      tlsSocket.on('data', events.heard)
      stream.setReadable(tlsSocket)
      stream.setWritable(tlsSocket)
    })
  }

  stream.on('error', fail)
  stream.once('close', () => end('us', 'error', null))
  // Not before the caller has the tap in its hands.
  setImmediate(() => {
    if (!over) resolve()
  })

  return {
    stream,
    bytes: () => ({ read: raw?.bytesRead ?? 0, written: raw?.bytesWritten ?? 0 }),
    destroy: (how, error) => end('us', how, error ? flatten(error) : null),
  }
}

const systemLookup: Lookup = (host, callback) =>
  dns.lookup(host, { all: true }, (error, addresses) => callback(error, addresses))

/** A FIN before TLS was done comes as ECONNRESET without a system call; only one with a call is a reset. */
function whoEnded(error: Failure, stage: Stage): [ClosedBy, ClosedHow, Failure] {
  const met = error.errors?.find(each => each.code === 'ECONNRESET') ?? error
  if (met.code === 'ECONNRESET') return met.syscall ? ['unknown', 'rst', error] : ['hub', 'fin', error]
  if (met.code === 'EPIPE') return ['unknown', 'rst', error]
  if (met.code === 'ETIMEDOUT' && stage !== 'dns') return ['network', 'timeout', error]
  if (stage === 'tls') return ['us', 'error', error]
  return ['network', 'error', error]
}
