/**
 * One MQTT connection: every packet of either side passes here, is written to the log, and meets the faults that are
 * set, before the broker or the device sees it.
 */

import { Duplex } from 'node:stream'
import mqtt, { type IConnectPacket, type IPublishPacket, type ISubscribePacket, type Packet } from 'mqtt-packet'
import { maySubscribe, methodTopic, parsePublication } from './dialect.js'
import type { ClientHappening, SessionEnd, Tell } from './events.js'
import type { Faults } from './faults.js'
import { finish } from './pipe.js'
import type { MethodRequest, Occupant } from './sessions.js'

/** Without a CONNECT for so long the connection is closed. */
const connectLimitMs = 30_000

/** IoT Hub's limit for a message. */
const bytesLimit = 256 * 1024

/** What became of a CONNECT. */
export type Admission =
  | Readonly<{
      admitted: true
      deviceId: string
      moduleId: string | null
      faults: Faults
      handle(stream: Duplex): void
      /**
       * Puts a message on the identity's topics, where its broker hands it to whoever has subscribed. Resolves when that
       * has happened, or when nobody has.
       */
      publish(topic: string, payload: Buffer): Promise<void>
    }>
  | Readonly<{
      admitted: false
      deviceId: string
      moduleId: string | null
      /** `null` leaves the CONNECT unanswered. */
      code: number | null
      why: string
      /** Hangs up, whether it was answered or not. */
      hangUp?: boolean
    }>

export type ConnectionOptions = Readonly<{
  /** The client's side: TLS, or a WebSocket in TLS. */
  stream: Duplex
  connection: number
  tell: Tell
  /** Decides about a CONNECT and, where it is admitted, knows the broker that takes it. */
  admit(packet: IConnectPacket, connection: MqttConnection): Promise<Admission>
  /** A message with this topic has really been written to the device. */
  delivered(topic: string): void
  /** Called once. `why` is null where no session had been accepted. */
  ended(connection: MqttConnection, why: SessionEnd | null): void
  /** The socket is gone. */
  closed(connection: MqttConnection): void
}>

export class MqttConnection implements Occupant {
  /** Why the session will have ended, said by whoever ends it before the broker's closing is seen here. */
  endedBecause: SessionEnd | null = null
  #state: 'new' | 'deciding' | 'open' | 'deaf' | 'over' = 'new'
  #admission: Extract<Admission, { admitted: true }> | null = null
  #connect: IConnectPacket | null = null
  readonly #broker: Duplex
  readonly #subscribing = new Map<number, string[]>()
  readonly #early: Packet[] = []
  readonly #connectTimer: NodeJS.Timeout
  #accepted = false

  constructor(private readonly options: ConnectionOptions) {
    const { stream } = options
    const fromDevice = mqtt.parser({ protocolVersion: 4 })
    fromDevice.on('packet', packet => this.#fromDevice(packet))
    fromDevice.on('error', () => this.end('forbidden'))
    const fromBroker = mqtt.parser({ protocolVersion: 4 })
    fromBroker.on('packet', packet => this.#fromBroker(packet))
    this.#broker = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        fromBroker.parse(chunk)
        done()
      },
      destroy: (error, done) => {
        this.end('forbidden')
        done(error)
      },
    })
    this.#broker.on('error', () => this.end('forbidden'))

    this.#connectTimer = setTimeout(() => this.end('forbidden'), connectLimitMs)
    stream.on('data', chunk => {
      if (this.#state !== 'deaf') fromDevice.parse(chunk)
    })
    stream.on('error', () => stream.destroy())
    stream.once('end', () => this.end('lost'))
    stream.once('close', () => {
      this.end('lost')
      options.closed(this)
    })
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** Close_notify and FIN, without DISCONNECT, after what was already written. */
  end(why: SessionEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#connectTimer)
    this.#broker.destroy()
    finish(this.options.stream)
    const cause = this.#accepted ? (this.endedBecause ?? why) : null
    if (cause) this.#tell({ type: 'sessionEnded', why: cause })
    this.options.ended(this, cause)
  }

  destroy(): void {
    this.end('hubClosed')
    this.options.stream.destroy()
  }

  /** A broker ends the older one of its own two clients itself. */
  displaced(by: Occupant): void {
    this.endedBecause = 'takeOver'
    if (!(by instanceof MqttConnection)) this.end('takeOver')
  }

  invoke({ id, methodName, payload }: MethodRequest): Promise<void> {
    return this.#toTopic(methodTopic(methodName, id), payload)
  }

  desiredChanged(patch: Readonly<Record<string, unknown>>): Promise<void> {
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${String(patch.$version)}`
    return this.#toTopic(topic, Buffer.from(JSON.stringify(patch)))
  }

  /** To sessions that are open when these faults are set, and to new ones after their CONNACK. */
  misbehave(kind: 'malformed' | 'serverDisconnect'): void {
    if (kind === 'malformed') {
      // Packet type 0 is forbidden, and a length of four continuation bytes has no end.
      this.options.stream.write(Buffer.from([0x00, 0xff, 0xff, 0xff, 0xff, 0xff]))
      return
    }
    this.#toDevice({ cmd: 'disconnect' })
    this.end('fault')
  }

  #fromDevice(packet: Packet): void {
    switch (this.#state) {
      case 'new':
        if (packet.cmd === 'connect') this.#ask(packet)
        else this.end('forbidden')
        break
      case 'deciding':
        this.#early.push(packet)
        break
      case 'open':
        this.#take(packet)
        break
      case 'deaf':
      case 'over':
        break
    }
  }

  #ask(packet: IConnectPacket): void {
    this.#state = 'deciding'
    clearTimeout(this.#connectTimer)
    this.#connect = packet
    void this.options.admit(packet, this).then(admission => this.#decided(packet, admission))
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'subscribe':
        this.#subscribe(packet)
        break
      case 'publish':
        this.#publish(packet)
        break
      case 'unsubscribe':
        this.#tell({ type: 'unsubscribe', topics: packet.unsubscriptions })
        this.#toBroker(packet)
        break
      case 'pingreq':
        this.#tell({ type: 'ping' })
        this.#toBroker(packet)
        break
      case 'disconnect':
        this.#tell({ type: 'disconnect' })
        this.endedBecause = 'disconnect'
        this.#toBroker(packet)
        break
      default:
        this.#toBroker(packet)
    }
  }

  #decided(packet: IConnectPacket, admission: Admission): void {
    if (this.#state !== 'deciding') return
    const { deviceId, moduleId } = admission
    if (admission.admitted) {
      this.#admission = admission
      this.#state = 'open'
      admission.handle(this.#broker)
      this.#toBroker(packet)
      for (const early of this.#early.splice(0)) this.#fromDevice(early)
      return
    }
    const { code, why } = admission
    this.options.tell({
      type: 'connect',
      connection: this.options.connection,
      deviceId,
      moduleId,
      code,
      sessionPresent: false,
      clean: packet.clean ?? true,
      keepaliveSeconds: packet.keepalive ?? 0,
      why,
    })
    if (code === null) {
      if (admission.hangUp) this.end('forbidden')
      else this.#state = 'deaf'
      return
    }
    this.#toDevice({ cmd: 'connack', returnCode: code, sessionPresent: false })
    this.end('forbidden')
  }

  #subscribe(packet: ISubscribePacket): void {
    const topics = packet.subscriptions.map(({ topic }) => topic)
    if (this.#faults.strike('noSuback')) {
      this.#tell({ type: 'subscribe', topics, granted: null })
      return
    }
    if (!topics.every(topic => maySubscribe(topic, this.#connect!.clientId))) {
      this.end('forbidden')
      return
    }
    this.#subscribing.set(packet.messageId ?? 0, topics)
    const subscriptions = packet.subscriptions.map(({ topic, qos }) => ({ topic, qos: Math.min(qos, 1) as 0 | 1 }))
    this.#toBroker({ ...packet, subscriptions })
  }

  #publish(packet: IPublishPacket): void {
    const bytes = packet.payload.length
    this.#tell({ type: 'publish', topic: packet.topic, qos: packet.qos, bytes })
    const allowed = parsePublication(packet.topic, this.#connect!.clientId)
    if (this.#faults.strike('closeAtPublish')) this.end('fault')
    else if (!allowed || packet.qos === 2 || bytes > bytesLimit) this.end('forbidden')
    else this.#toBroker({ ...packet, retain: false })
  }

  #toBroker(packet: Packet): void {
    this.#broker.push(mqtt.generate(packet))
  }

  #fromBroker(packet: Packet): void {
    if (this.#state !== 'open') return
    switch (packet.cmd) {
      case 'connack':
        this.#connack(packet)
        break
      case 'suback':
        this.#suback(packet)
        break
      case 'puback':
        if (!this.#faults.strike('noPuback')) this.#toDevice(packet)
        break
      case 'publish':
        this.#tell({ type: 'deliver', topic: packet.topic, qos: packet.qos, bytes: packet.payload.length })
        this.options.delivered(packet.topic)
        this.#toDevice(packet)
        break
      default:
        this.#toDevice(packet)
    }
  }

  #toDevice(packet: Packet): void {
    this.options.stream.write(mqtt.generate(packet))
  }

  #connack(packet: Extract<Packet, { cmd: 'connack' }>): void {
    const code = packet.returnCode ?? 0
    const sessionPresent = packet.sessionPresent ?? false
    this.#accepted = code === 0
    this.#tell({
      type: 'connect',
      code,
      sessionPresent,
      clean: this.#connect!.clean ?? true,
      keepaliveSeconds: this.#connect!.keepalive ?? 0,
      why: code === 0 ? null : 'the broker refused it',
    })
    this.#toDevice(packet)
    if (this.#faults.strike('closeAfterConnack')) this.end('fault')
    else if (this.#faults.get('malformed')) this.misbehave('malformed')
    else if (this.#faults.get('serverDisconnect')) this.misbehave('serverDisconnect')
  }

  #suback(packet: Extract<Packet, { cmd: 'suback' }>): void {
    const topics = this.#subscribing.get(packet.messageId ?? 0) ?? []
    this.#subscribing.delete(packet.messageId ?? 0)
    const granted = Object.fromEntries(topics.map((topic, i) => [topic, Number(packet.granted[i])]))
    this.#tell({ type: 'subscribe', topics, granted })
    this.#toDevice(packet)
  }

  async #toTopic(topic: string, payload: Buffer): Promise<void> {
    await this.#admission?.publish(topic, payload)
  }

  get #faults(): Faults {
    return this.#admission!.faults
  }

  #tell(happening: ClientHappening): void {
    const { deviceId, moduleId } = this.#admission!
    this.options.tell({ ...happening, deviceId, moduleId, connection: this.options.connection })
  }
}
