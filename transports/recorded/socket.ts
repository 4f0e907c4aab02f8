/**
 * A socket that somebody else made, watched without touching it: no 'data' listener, which would start its flow, and no 'error'
 * listener, which would swallow what nobody else catches.
 */
import type { X509Certificate } from 'node:crypto'
import { type EventEmitter, errorMonitor } from 'node:events'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { cloudOf } from '../clouds.js'
import { describeCertificate, shippedRoots } from '../trust.js'
import type { ServerCertificate } from '../wire-event.js'
import type { Attempt } from './attempt.js'
import type { Guard } from './recorder.js'

/**
 * @param onEnd in place of what an end of the socket means by itself; `error` is `null` for a FIN, `undefined` where nothing was said
 */
export function watchSocket(
  socket: TLSSocket,
  attempt: Attempt,
  guarded: Guard,
  onEnd: (error: Error | null | undefined, certificate: ServerCertificate | null) => void,
): void {
  const emitter: EventEmitter = socket
  const addresses: string[] = []
  let isResolved = false
  let peer: DetailedPeerCertificate | undefined

  const tellAddresses = (): void => {
    if (isResolved || addresses.length === 0) return
    isResolved = true
    attempt.resolved(addresses)
  }
  const tellConnected = (): void => {
    tellAddresses()
    attempt.tcpConnected(socket.remoteAddress ?? '', socket.localAddress ?? '')
  }
  const tellSecured = (): void => {
    peer ??= socket.getPeerCertificate(true)
    if (!peer.raw) return
    const certificate = describeCertificate(peer, null)
    // What failed would not have come so far, and a chain is large.
    peer = undefined
    attempt.tlsSecured(socket.getProtocol() ?? '', socket.getCipher()?.name ?? '', certificate)
  }
  /** Only where the handshake failed on it, and then with the question where its chain leads to. */
  const shown = (): ServerCertificate | null =>
    attempt.stage === 'tls' && peer?.raw && !attempt.over
      ? describeCertificate(peer, { knownRoots: knownRoots(), areAll: cloudOf(attempt.destination.host) !== null })
      : null

  attempt.countBytes(() => ({ read: socket.bytesRead, written: socket.bytesWritten }))
  socket.prependListener(
    'lookup',
    guarded((error: Error | null, address: string | null) => {
      if (!error && address) addresses.push(address)
    }),
  )
  // Not declared for TLS sockets, and not there before Node 20.12: then the connection itself tells.
  emitter.prependListener('connectionAttempt', guarded(tellAddresses))
  socket.prependOnceListener('connect', guarded(tellConnected))
  // 'secure' comes before Node verifies the chain and destroys what fails: the last moment to see what was shown.
  socket.prependOnceListener(
    'secure',
    guarded(() => {
      // Not its X509Certificate: whoever takes that before Node has verified the chain leaves nothing to be verified.
      peer = socket.getPeerCertificate(true)
    }),
  )
  socket.prependOnceListener('secureConnect', guarded(tellSecured))
  socket.prependOnceListener(
    'end',
    guarded(() => {
      // Node makes an error of a FIN before TLS was done, and that says more.
      if (attempt.stage !== 'tls') onEnd(null, shown())
    }),
  )
  emitter.prependListener(
    errorMonitor,
    guarded((error: Error) => {
      tellAddresses()
      onEnd(error, shown())
    }),
  )
  socket.prependOnceListener(
    'close',
    guarded(() => onEnd(socket.errored ?? undefined, shown())),
  )

  // An agent may hand over one that is connected already.
  if (!socket.connecting && socket.remoteAddress) {
    tellConnected()
    if (socket.encrypted && socket.getProtocol() && socket.authorized) tellSecured()
  }
}

let roots: readonly X509Certificate[] | null = null

/** Read when a chain has failed and not before: an application starts without them. */
function knownRoots(): readonly X509Certificate[] {
  roots ??= shippedRoots()
  return roots
}
