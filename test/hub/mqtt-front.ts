/**
 * The hub's MQTT side: who is let in, and a broker for each identity.
 *
 * IoT Hub passes no messages between devices, so each identity has a small broker of its own, with one client at most:
 * sessions, subscriptions, take-over, keepalive and acknowledgements are the broker's.
 */

import type { TLSSocket } from 'node:tls'
import { Aedes, type AedesPublishPacket } from 'aedes'
import type { IConnectPacket } from 'mqtt-packet'
import type { Authority } from './certificates.js'
import { parsePublication } from './dialect.js'
import type { Identity, SessionEnd, Tell } from './events.js'
import type { Faults } from './faults.js'
import { clientIdOf, type Identities, type Registered } from './identities.js'
import { Listeners, type Origin } from './listeners.js'
import { Methods } from './methods.js'
import { type Admission, MqttConnection } from './mqtt-connection.js'
import { clockGraceMs } from './sas.js'
import { checkSignIn } from './sign-in.js'
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
  readonly listeners: Listeners
  readonly #sessions = new Map<string, Session>()
  readonly #connections = new Set<MqttConnection>()
  readonly #expiries = new Map<MqttConnection, NodeJS.Timeout>()

  constructor(private readonly options: MqttFrontOptions) {
    const { authority, tell } = options
    this.listeners = new Listeners(authority, tell, (tls, origin) => this.#secured(tls, origin))
    this.methods = new Methods((identity, topic, payload) => this.#publish(identity, topic, payload), tell)
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
    this.listeners.close()
  }

  #secured(tls: TLSSocket, origin: Origin): void {
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

    const signIn = checkSignIn(packet, this.options.hostName, this.options.identities)
    if ('why' in signIn) return refuse(5, signIn.why)
    if (!session) return refuse(5, 'the identity is not registered')

    if (faults.strike('forgetSession')) {
      if (session.current) session.current.endedBecause = 'takeOver'
      await closeBroker(session.broker)
      session.broker = await this.#makeBroker({ deviceId, moduleId: module })
    }
    if (session.current) session.current.endedBecause = 'takeOver'
    session.current = connection
    this.#endAtExpiry(connection, signIn.expiresAtMs)
    return { admitted: true, deviceId, moduleId, faults, handle: stream => session.broker.handle(stream) }
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
