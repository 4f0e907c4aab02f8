/** One TLS listener for each certificate, and which door each of their connections came through. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Authority, CertificateKind } from './certificates.js'
import { type Shown, shownBy } from './client-certificates.js'
import type { Tell } from './events.js'

/** The door, and the number of the connection there. */
export type Origin = Readonly<{
  deviceId: string
  connection: number
  /** The client certificate of the handshake. */
  shown: Shown | null
}>

export class Listeners {
  readonly #servers = new Map<CertificateKind, { server: Server; port: number }>()
  /** Also those that are not open yet, so that two doors that want the same one at once do not get two. */
  readonly #opening = new Map<CertificateKind, Promise<void>>()
  /** By the port that the door's own socket has, which is how a connection is known behind it. */
  readonly #origins = new Map<number, Omit<Origin, 'shown'>>()

  /** @param secured gets each connection whose handshake is done */
  constructor(
    private readonly authority: Authority,
    private readonly tell: Tell,
    private readonly secured: (tls: TLSSocket, origin: Origin) => void,
  ) {}

  /** Opens the listener that shows this certificate, unless it is open. */
  open(kind: CertificateKind): Promise<void> {
    const known = this.#opening.get(kind)
    if (known) return known
    const opening = this.#listen(kind)
    this.#opening.set(kind, opening)
    return opening
  }

  async #listen(kind: CertificateKind): Promise<void> {
    const { cert, key } = await this.authority.issue(kind)
    // IoT Hub speaks TLS 1.2.
    // A client certificate is asked for and judged after the handshake, as by IoT Hub.
    const asking = { requestCert: true, rejectUnauthorized: false, ca: this.authority.clients.ca }
    const server = createServer({ cert, key, ...asking, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', noDelay: true })
    server.on('secureConnection', tls => {
      const origin = this.#origins.get(tls.remotePort ?? 0)
      if (!origin) {
        tls.destroy()
        return
      }
      this.tell({ type: 'tlsSecured', ...origin, certificate: kind })
      this.secured(tls, { ...origin, shown: shownBy(tls) })
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException, tls) => {
      const origin = this.#origins.get(tls.remotePort ?? 0)
      if (origin) this.tell({ type: 'tlsFailed', ...origin, certificate: kind, code: error.code ?? error.message })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#servers.set(kind, { server, port: (server.address() as AddressInfo).port })
  }

  port(kind: CertificateKind): number {
    const known = this.#servers.get(kind)
    if (!known) throw new Error(`nobody listens with the ${kind} certificate`)
    return known.port
  }

  /** A door's connection will be seen here as coming from `localPort`. */
  expect(localPort: number, origin: Omit<Origin, 'shown'>): void {
    this.#origins.set(localPort, origin)
  }

  forget(localPort: number): void {
    this.#origins.delete(localPort)
  }

  close(): void {
    for (const { server } of this.#servers.values()) server.close()
  }
}
