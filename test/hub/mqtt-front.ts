/**
 * The hub's MQTT side: TLS listeners, the check of each CONNECT, and a broker for each identity.
 *
 * IoT Hub passes no messages between devices, so each identity has a small broker of its own, with one client at most:
 * sessions, subscriptions, take-over, keepalive and acknowledgements are the broker's.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { Aedes, type AedesPublishPacket } from 'aedes'
import type { IConnectPacket } from 'mqtt-packet'
import type { Authority, CertificateKind } from './certificates.js'
import { parsePublication, parseUserName } from './dialect.js'
import type { Identity, SessionEnd, Tell } from './events.js'
import type { Faults } from './faults.js'
import { clientIdOf, type Identities, type Registered } from './identities.js'
import { Methods } from './methods.js'
import { type Admission, MqttConnection } from './mqtt-connection.js'
import { bareHost, clockGraceMs, faultOfSas, parseSas, sameResource } from './sas.js'
import { isObject } from './twin.js'

export type MqttFrontOptions = Readonly<{
  hostName: string
  authority: Authority
  identities: Identities
  faultsOf(deviceId: string): Faults
  tell: Tell
}>

/** What the hub remembers of an identity between its connections. */
type Session = {
  broker: Aedes
  current: MqttConnection | null
  lastEnd: SessionEnd | null
  /** CONNECTs of one identity are decided one after the other. */
  deciding: Promise<unknown>
}

/** The longest that a timer of Node can wait. */
const timerLimitMs = 2 ** 31 - 1

export class MqttFront {
  readonly methods: Methods
  readonly #servers = new Map<CertificateKind, { server: Server; port: number }>()
  readonly #sessions = new Map<string, Session>()
  readonly #connections = new Set<MqttConnection>()
  readonly #expiries = new Map<MqttConnection, NodeJS.Timeout>()
  /** By the port that the door's own socket has, which is how a connection is known behind it. */
  readonly #origins = new Map<number, { deviceId: string; connection: number }>()

  constructor(private readonly options: MqttFrontOptions) {
    this.methods = new Methods((identity, topic, payload) => this.#publish(identity, topic, payload), options.tell)
  }

  /** @returns the port of the listener that shows this certificate, which is opened at first need */
  async listen(kind: CertificateKind): Promise<number> {
    const known = this.#servers.get(kind)
    if (known) return known.port
    const { cert, key } = await this.options.authority.issue(kind)
    // IoT Hub speaks TLS 1.2.
    const server = createServer({ cert, key, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', noDelay: true })
    server.on('secureConnection', tls => this.#secured(tls, kind))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, tls) => {
      const origin = this.#origins.get(tls.remotePort ?? 0)
      if (origin)
        this.options.tell({ type: 'tlsFailed', ...origin, certificate: kind, code: error.code ?? error.message })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    this.#servers.set(kind, { server, port })
    return port
  }

  port(kind: CertificateKind): number {
    const known = this.#servers.get(kind)
    if (!known) throw new Error(`nobody listens with the ${kind} certificate`)
    return known.port
  }

  /** A door's connection will be seen here as coming from `localPort`. */
  expect(localPort: number, origin: { deviceId: string; connection: number }): void {
    this.#origins.set(localPort, origin)
  }

  forget(localPort: number): void {
    this.#origins.delete(localPort)
  }

  async addIdentity(identity: Identity): Promise<void> {
    const id = clientIdOf(identity)
    const session: Session = {
      broker: await this.#makeBroker(identity),
      current: null,
      lastEnd: null,
      deciding: Promise.resolve(),
    }
    this.#sessions.set(id, session)
  }

  /** Ends the open session, and forgets the stored one. */
  async removeIdentity(identity: Identity): Promise<void> {
    const id = clientIdOf(identity)
    this.endSession(identity, 'identity')
    const session = this.#sessions.get(id)
    this.#sessions.delete(id)
    if (session) await closeBroker(session.broker)
  }

  endSession(identity: Identity, why: SessionEnd): void {
    this.#sessions.get(clientIdOf(identity))?.current?.end(why)
  }

  misbehave(identity: Identity, kind: 'malformed' | 'serverDisconnect'): void {
    this.#sessions.get(clientIdOf(identity))?.current?.misbehave(kind)
  }

  isConnected({ deviceId, moduleId }: Registered): boolean {
    return Boolean(this.#sessions.get(clientIdOf({ deviceId, moduleId: moduleId ?? undefined }))?.current)
  }

  /** A device hears of changes to its desired properties only when it has subscribed to them. */
  async patchDesired(registered: Registered, patch: object): Promise<void> {
    const told = registered.twin.patchDesired(patch)
    const { deviceId, moduleId } = registered
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${String(told.$version)}`
    await this.#publish({ deviceId, moduleId: moduleId ?? undefined }, topic, Buffer.from(JSON.stringify(told)))
  }

  async close(): Promise<void> {
    for (const connection of [...this.#connections]) connection.destroy()
    await Promise.all([...this.#sessions.values()].map(({ broker }) => closeBroker(broker)))
    for (const { server } of this.#servers.values()) server.close()
  }

  #secured(tls: TLSSocket, certificate: CertificateKind): void {
    const origin = this.#origins.get(tls.remotePort ?? 0)
    if (!origin) {
      tls.destroy()
      return
    }
    this.options.tell({ type: 'tlsSecured', ...origin, certificate })
    const connection = new MqttConnection({
      tls,
      connection: origin.connection,
      tell: this.options.tell,
      admit: (packet, self) => this.#admit(packet, self),
      delivered: topic => this.methods.delivered(topic),
      ended: (self, why) => {
        const session = [...this.#sessions.values()].find(({ current }) => current === self)
        if (!session) return
        session.current = null
        session.lastEnd = why
      },
      closed: self => {
        this.#connections.delete(self)
        clearTimeout(this.#expiries.get(self))
        this.#expiries.delete(self)
      },
    })
    this.#connections.add(connection)
  }

  async #admit(packet: IConnectPacket, connection: MqttConnection): Promise<Admission> {
    const session = this.#sessions.get(packet.clientId)
    if (!session) return this.#decide(packet, connection, null)
    const decided = session.deciding.then(() => this.#decide(packet, connection, session))
    // Whoever asked hears of a failure; the next one in the queue need not.
    session.deciding = Promise.allSettled([decided])
    return decided
  }

  async #decide(packet: IConnectPacket, connection: MqttConnection, session: Session | null): Promise<Admission> {
    const [deviceId = '', module] = packet.clientId.split('/')
    const moduleId = module ?? null
    const faults = this.options.faultsOf(deviceId)
    const refuse = (code: number | null, why: string): Admission => ({ admitted: false, deviceId, moduleId, code, why })

    if (faults.strike('noConnack')) return refuse(null, 'a fault')
    const connack = faults.strike('connack')
    if (connack) return refuse(connack.code, 'a fault')
    if (session?.lastEnd === 'disconnect' && faults.strike('renewalRefused'))
      return refuse(5, 'a fault: renewal refused')

    const credentials = this.#check(packet)
    if ('why' in credentials) return refuse(5, credentials.why)
    if (!session) return refuse(5, 'the identity is not registered')

    if (faults.strike('forgetSession')) {
      if (session.current) session.current.endedBecause = 'takeOver'
      await closeBroker(session.broker)
      session.broker = await this.#makeBroker({ deviceId, moduleId: module })
    }
    if (session.current) session.current.endedBecause = 'takeOver'
    session.current = connection
    this.#endAtExpiry(connection, credentials.expiresAtMs)
    return { admitted: true, deviceId, moduleId, faults, handle: stream => session.broker.handle(stream) }
  }

  #check(packet: IConnectPacket): { expiresAtMs: number } | { why: string } {
    const { hostName, identities } = this.options
    const user = parseUserName(packet.username ?? '')
    if (!user) return { why: 'the user name is not host/device[/module]/?api-version=...' }
    if (user.host !== bareHost(hostName)) return { why: `the user name is for the host ${user.host}` }
    if (!user.apiVersion) return { why: 'the user name has no api-version' }
    if (user.clientId !== packet.clientId) return { why: 'client id and user name differ' }
    const registered = identities.find(packet.clientId)
    if (!registered) return { why: 'the identity is not registered' }
    if (!registered.enabled) return { why: 'the identity is disabled' }
    const token = parseSas(packet.password?.toString() ?? '')
    if (!token) return { why: 'the password is not a shared access signature' }
    if (!sameResource(token.resource, resourceOf(hostName, registered)))
      return { why: 'the token is for another resource' }
    const fault = faultOfSas(token, registered.key)
    return fault ? { why: fault } : { expiresAtMs: token.expiresAtMs }
  }

  /** A token that had expired already when it was let in lives to the end of its grace. */
  #endAtExpiry(connection: MqttConnection, expiresAtMs: number): void {
    const endsAtMs = expiresAtMs > Date.now() ? expiresAtMs + 1_000 : expiresAtMs + clockGraceMs
    const timer = setTimeout(() => connection.end('tokenExpired'), Math.min(endsAtMs - Date.now(), timerLimitMs))
    this.#expiries.set(connection, timer)
  }

  async #makeBroker(identity: Identity): Promise<Aedes> {
    const { faultsOf } = this.options
    const id = clientIdOf(identity)
    const broker = await Aedes.createBroker({
      authorizeSubscribe: (_client, subscription, done) =>
        done(null, faultsOf(identity.deviceId).strike('subackRefused') ? null : subscription),
    })
    broker.on('keepaliveTimeout', () => {
      const current = this.#sessions.get(id)?.current
      if (current) current.endedBecause = 'keepalive'
    })
    broker.on('publish', (packet, client) => {
      if (client) void this.#received(identity, packet)
    })
    return broker
  }

  async #received(identity: Identity, packet: AedesPublishPacket): Promise<void> {
    const registered = this.options.identities.find(clientIdOf(identity))
    const publication = parsePublication(packet.topic, clientIdOf(identity))
    if (!registered || !publication) return
    const payload = Buffer.from(packet.payload)
    switch (publication.to) {
      case 'events':
        return
      case 'methodResponse':
        this.methods.answered(publication.requestId, { status: publication.status, payload })
        return
      case 'twinGet': {
        const { desired, reported } = registered.twin
        const topic = `$iothub/twin/res/200/?$rid=${publication.requestId}`
        return this.#publish(identity, topic, Buffer.from(JSON.stringify({ desired, reported })))
      }
      case 'twinPatch': {
        const patch = parseObject(payload)
        const topic = patch
          ? `$iothub/twin/res/204/?$rid=${publication.requestId}&$version=${registered.twin.patchReported(patch)}`
          : `$iothub/twin/res/400/?$rid=${publication.requestId}`
        return this.#publish(identity, topic, Buffer.alloc(0))
      }
    }
  }

  #publish(identity: Identity, topic: string, payload: Buffer): Promise<void> {
    const broker = this.#sessions.get(clientIdOf(identity))?.broker
    if (!broker) return Promise.resolve()
    const packet = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const
    return new Promise((resolve, reject) => broker.publish(packet, error => (error ? reject(error) : resolve())))
  }
}

/** `host/devices/id[/modules/id]`, which a token's `sr` must name. */
export const resourceOf = (hostName: string, { deviceId, moduleId }: Registered): string =>
  `${hostName}/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`

const closeBroker = (broker: Aedes): Promise<void> => new Promise(resolve => broker.close(resolve))

function parseObject(payload: Buffer): object | null {
  try {
    const value: unknown = JSON.parse(payload.toString())
    return isObject(value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
