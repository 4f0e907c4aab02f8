/**
 * The hub's MQTT side: who is let in, and a broker for each identity.
 *
 * IoT Hub passes no messages between devices, so each identity has a small broker of its own, with one client at most:
 * sessions, subscriptions, take-over, keepalive and acknowledgements are the broker's.
 */

import type { Duplex } from 'node:stream'
import { Aedes, type AedesPublishPacket } from 'aedes'
import type { IConnectPacket } from 'mqtt-packet'
import type { Shown } from './client-certificates.js'
import { methodRequestId, parsePublication } from './dialect.js'
import type { Identity, SessionEnd, Tell } from './events.js'
import { endAtExpiry } from './expiry.js'
import type { Fault, Faults } from './faults.js'
import { clientIdOf, type Identities } from './identities.js'
import type { Origin } from './listeners.js'
import { readTopic } from './messages.js'
import type { Methods } from './methods.js'
import { type Admission, MqttConnection } from './mqtt-connection.js'
import type { Sessions } from './sessions.js'
import { checkSignIn } from './sign-in.js'
import { parseObject } from './twin.js'

export type MqttFrontOptions = Readonly<{
  hostName: string
  identities: Identities
  sessions: Sessions
  methods: Methods
  faultsOf(deviceId: string): Faults
  tell: Tell
}>

/** What the hub remembers of an identity between its connections. */
type Memory = {
  broker: Aedes
  lastEnd: SessionEnd | null
  /** CONNECTs of one identity are decided one after the other. */
  deciding: Promise<unknown>
}

export class MqttFront {
  readonly #memories = new Map<string, Memory>()
  readonly #connections = new Set<MqttConnection>()
  readonly #admitted = new Map<MqttConnection, { identity: Identity; expiry: NodeJS.Timeout }>()

  constructor(private readonly options: MqttFrontOptions) {}

  async addIdentity(identity: Identity): Promise<void> {
    const id = clientIdOf(identity)
    const memory: Memory = {
      broker: await this.#makeBroker(identity),
      lastEnd: null,
      deciding: Promise.resolve(),
    }
    this.#memories.set(id, memory)
  }

  /** Forgets the stored session. The open one is to be ended before. */
  async removeIdentity(identity: Identity): Promise<void> {
    const id = clientIdOf(identity)
    const memory = this.#memories.get(id)
    this.#memories.delete(id)
    if (memory) await closeBroker(memory.broker)
  }

  misbehave(identity: Identity, { kind }: Fault): void {
    if (kind !== 'malformed' && kind !== 'serverDisconnect') return
    const current = this.options.sessions.get(identity)
    if (current instanceof MqttConnection) current.misbehave(kind)
  }

  async close(): Promise<void> {
    for (const connection of [...this.#connections]) connection.destroy()
    await Promise.all([...this.#memories.values()].map(({ broker }) => closeBroker(broker)))
  }

  /** @param stream speaks MQTT, as far as its first byte shows */
  accept(stream: Duplex, origin: Origin): MqttConnection {
    const { sessions, methods, tell } = this.options
    const connection = new MqttConnection({
      stream,
      connection: origin.connection,
      tell,
      admit: (packet, self) => this.#admit(packet, self, origin.shown),
      delivered: topic => {
        const requestId = methodRequestId(topic)
        if (requestId !== undefined) methods.delivered(requestId)
      },
      ended: (self, why) => {
        const identity = this.#admitted.get(self)?.identity
        if (!identity || !sessions.leave(identity, self)) return
        const memory = this.#memories.get(clientIdOf(identity))
        if (memory) memory.lastEnd = why
      },
      closed: self => {
        this.#connections.delete(self)
        clearTimeout(this.#admitted.get(self)?.expiry)
        this.#admitted.delete(self)
      },
    })
    this.#connections.add(connection)
    return connection
  }

  async #admit(packet: IConnectPacket, connection: MqttConnection, shown: Shown | null): Promise<Admission> {
    const memory = this.#memories.get(packet.clientId)
    if (!memory) return this.#decide(packet, connection, null, shown)
    const decided = memory.deciding.then(() => this.#decide(packet, connection, memory, shown))
    // Whoever asked hears of a failure; the next one in the queue need not.
    memory.deciding = Promise.allSettled([decided])
    return decided
  }

  async #decide(
    packet: IConnectPacket,
    connection: MqttConnection,
    memory: Memory | null,
    shown: Shown | null,
  ): Promise<Admission> {
    const [deviceId = '', module] = packet.clientId.split('/')
    const moduleId = module ?? null
    const faults = this.options.faultsOf(deviceId)
    const refuse = (code: number | null, why: string): Admission => ({ admitted: false, deviceId, moduleId, code, why })

    if (faults.strike('noConnack')) return refuse(null, 'a fault')
    const connack = faults.strike('connack')
    if (connack) return refuse(connack.code, 'a fault')
    if (memory?.lastEnd === 'disconnect' && faults.strike('renewalRefused'))
      return refuse(5, 'a fault: renewal refused')

    const { hostName, identities } = this.options
    const signIn = checkSignIn(packet, hostName, identities, shown)
    if ('why' in signIn) {
      const { why, silently = false } = signIn
      return { ...refuse(silently ? null : 5, why), hangUp: silently } as Admission
    }
    if (!memory) return refuse(5, 'the identity is not registered')
    if (connection.isOver) return refuse(null, 'the client is gone already')

    const identity: Identity = { deviceId, moduleId: module }
    const forget = faults.strike('forgetSession')
    this.options.sessions.occupy(identity, connection)
    if (forget) {
      await closeBroker(memory.broker)
      memory.broker = await this.#makeBroker(identity)
    }
    const expiry = endAtExpiry(signIn.expiresAtMs, () => connection.end('tokenExpired'))
    this.#admitted.set(connection, { identity, expiry })
    return {
      admitted: true,
      deviceId,
      moduleId,
      faults,
      handle: stream => memory.broker.handle(stream),
      publish: (topic, payload) => this.#publish(identity, topic, payload),
    }
  }

  async #makeBroker(identity: Identity): Promise<Aedes> {
    const { faultsOf } = this.options
    const broker = await Aedes.createBroker({
      authorizeSubscribe: (_client, subscription, done) =>
        done(null, faultsOf(identity.deviceId).strike('subackRefused') ? null : subscription),
    })
    broker.on('keepaliveTimeout', () => {
      const current = this.options.sessions.get(identity)
      if (current instanceof MqttConnection) current.endedBecause = 'keepalive'
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
      case 'events': {
        const message = readTopic(packet.topic, payload)
        registered.messages.add(message)
        this.options.tell({ type: 'message', deviceId: identity.deviceId, moduleId: identity.moduleId ?? null })
        return
      }
      case 'methodResponse':
        this.options.methods.answered(publication.requestId, { status: publication.status, payload })
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
    const broker = this.#memories.get(clientIdOf(identity))?.broker
    if (!broker) return Promise.resolve()
    const packet = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const
    return new Promise((resolve, reject) => broker.publish(packet, error => (error ? reject(error) : resolve())))
  }
}

const closeBroker = (broker: Aedes): Promise<void> => new Promise(resolve => broker.close(resolve))
