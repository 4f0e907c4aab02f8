/**
 * MQTT, tapped under the SDK's translation: its provider gets our socket, and mqtt.js tells each packet.
 *
 * The SDK renames what it meets ("Not authorized" for a dead resolver) and hides short outages; here each has its own name.
 */
import mqttDevice from 'azure-iot-device-mqtt'
import mqttBase from 'azure-iot-mqtt-base'
import duplexify from 'duplexify'
import mqtt from 'mqtt'
import { type Header, round, startAttempt } from './attempt.js'
import { sdkMessage } from './cloud-message.js'
import { flatten } from './failure.js'
import { createMqttTwin } from './mqtt-twin.js'
import { createQuestions } from './questions.js'
import { rememberToken } from './remember-token.js'
import type { Upgrade } from './socket-tap.js'
import type { MethodAnswer, MethodRequest, Tap, TapFactory, TapListener, Wiring } from './transport.js'
import type { OurReason } from './wire-event.js'

/** MQTT 3.1.1, table 3.1, in our words. */
const connackReasons: Readonly<Record<number, string>> = {
  1: 'protocol version not accepted',
  2: 'client id rejected',
  3: 'server unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
}

const subackRefused = 0x80
const methodTopic = '$iothub/methods/POST/'

/** A close this soon after the first publish may be the hub's answer to it. */
const publishEchoMs = 1_000

/** mqtt.js's own limit must not be faster than ours, which say which step was slow. */
const sdkLimitMarginMs = 5_000

/** One with a key renews its token on a timer of its own until it is told to stop. */
type AuthenticationProvider = ConstructorParameters<typeof mqttDevice.Mqtt>[0] & { stop?(): void }

/** Which protocol the packets travel in. */
export type MqttRoad = Readonly<{ protocol: 'mqtt' | 'mqtt-ws'; upgrade?: Upgrade }>

export const tapMqtt: TapFactory = (wiring, listener) => tapMqttOver({ protocol: 'mqtt' }, wiring, listener)

export function tapMqttOver(road: MqttRoad, wiring: Wiring, listener: TapListener): Tap {
  let fused = false
  let reason: OurReason | null = null
  let current: Connection | null = null
  let instance: mqttDevice.Mqtt | null = null
  let stopTokens = (): void => undefined

  const provider = {
    // Must never throw: the SDK's open() would then stay pending for ever.
    connect: (_uri: string, options: mqtt.IClientOptions): mqtt.MqttClient => {
      // Renewal is the supervisor's: the SDK would reconnect behind its back, and where it is stuck, renew for ever.
      stopTokens()
      if (fused) return deadClient(options)
      if (options.password !== undefined) rememberToken(wiring.secrets, options.password.toString())
      current = connect(road, wiring, { ...listener, event }, options, () => reason)
      return current.client
    },
  }
  const base = new mqttBase.MqttBase(provider)
  const twin = createMqttTwin(base, patch => {
    if (!fused) listener.desired?.(patch)
  })
  const messages = createQuestions()
  const end = (): void => {
    twin.end()
    messages.giveUp(new Error('the connection is gone'))
  }
  const event: TapListener['event'] = told => {
    if (told.type === 'closed') end()
    listener.event(told)
  }

  class TappedMqtt extends mqttDevice.Mqtt {
    constructor(authenticationProvider: AuthenticationProvider) {
      super(authenticationProvider, base)
      instance = this
      stopTokens = () => authenticationProvider.stop?.()
      // The SDK's own readers throw at a topic they cannot read, where nobody can catch it; and nobody here needs them.
      base.removeAllListeners('message')
      base.on('message', (topic: string, payload: Buffer) => {
        if (twin.take(topic, payload)) return
        const request = readMethod(topic, payload)
        if (request && !fused) listener.method(request)
      })
    }
  }

  return {
    Transport: TappedMqtt,
    renewsItself: false,
    enableMethods: () => instance?.enableMethods(() => undefined),
    answer: (requestId, answer) => publishAnswer(base, requestId, answer),
    report: twin.report,
    readTwin: twin.read,
    async send(message) {
      // By the transport and not by the client, which would publish it again as another one where nothing is answered.
      await messages.ask(answered =>
        instance ? instance.sendEvent(sdkMessage(message), answered) : answered(new Error('there is no session')),
      )
    },
    leaving: why => {
      reason = why
    },
    abandon: why => {
      reason = why
      fused = true
      end()
      current?.abandon()
    },
  }
}

type Connection = Readonly<{ client: mqtt.MqttClient; abandon(): void }>

/** What the packets of one attempt mean, and of its session. */
function connect(
  { protocol, upgrade }: MqttRoad,
  wiring: Wiring,
  listener: TapListener,
  options: mqtt.IClientOptions,
  ourReason: () => OurReason | null,
): Connection {
  const { clock, timeoutsMs } = wiring
  let firstPublishMs: number | null = null
  let pingSentMs: number | null = null
  let forgetPing = (): void => undefined
  const publishes = new Set<number>()
  const subscriptions = new Map<number, readonly string[]>()

  const attempt = startAttempt({
    protocol,
    ...(upgrade ? { upgrade } : {}),
    wiring,
    listener,
    ourReason,
    account: () => ({
      pingUnansweredMs: pingSentMs === null ? null : round(clock.now().monoMs - pingSentMs),
      inFlightPublishes: publishes.size,
      afterPublish: firstPublishMs !== null && clock.now().bootMs - firstPublishMs < publishEchoMs,
    }),
  })
  const { tell, tellHeader } = attempt

  const { dns, tcp, tls, accept } = timeoutsMs
  const client = new mqtt.MqttClient(() => attempt.stream, {
    ...options,
    keepalive: wiring.keepaliveSeconds,
    reschedulePings: false,
    connectTimeout: dns + tcp + tls + accept + (upgrade ? tcp + accept : 0) + sdkLimitMarginMs,
  })

  // Sent while the client was made, into a stream that waits for TLS.
  tellHeader('packetSent', { packet: 'connect', keepalive: wiring.keepaliveSeconds, clean: options.clean ?? true })

  client.on('error', error => {
    // What has a code came from the socket or a CONNACK and has been told; the rest is mqtt.js's parser.
    if (attempt.isOver || 'code' in error) return
    attempt.know({ by: 'hub', error: { ...flatten(error), code: 'MALFORMED_PACKET' } })
    attempt.destroy('error')
  })

  client.on('packetsend', packet => {
    tellHeader('packetSent', headerOf(packet))
    switch (packet.cmd) {
      case 'publish':
        firstPublishMs ??= clock.now().bootMs
        if (packet.qos > 0 && packet.messageId !== undefined) publishes.add(packet.messageId)
        return
      case 'subscribe':
        if (packet.messageId !== undefined) {
          subscriptions.set(
            packet.messageId,
            packet.subscriptions.map(({ topic }) => topic),
          )
        }
        return
      case 'pingreq':
        pingSentMs = clock.now().monoMs
        forgetPing = attempt.after((wiring.keepaliveSeconds * 1e3) / 2, () => attempt.destroy('timeout'))
        return tell({ type: 'pingSent' })
      case 'disconnect':
        attempt.know({ by: 'us', how: 'goodbye', error: null })
        return
    }
  })

  client.on('packetreceive', packet => {
    tellHeader('packetReceived', headerOf(packet))
    if (attempt.isOver) return
    switch (packet.cmd) {
      case 'connack': {
        const code = packet.returnCode ?? 0
        if (code === 0) return attempt.accepted(packet.sessionPresent)
        return attempt.refused('connack', code, connackReasons[code] ?? 'unknown code')
      }
      case 'puback':
        if (packet.messageId !== undefined) publishes.delete(packet.messageId)
        return
      case 'suback': {
        const topics = subscriptions.get(packet.messageId ?? 0) ?? []
        // Those of the twin are for who has asked for it.
        if (!topics.some(topic => topic.startsWith(methodTopic))) return
        const granted = Object.fromEntries(
          topics.map((topic, index) => [topic, Number(packet.granted[index] ?? subackRefused)]),
        )
        return tell({ type: 'subscribed', granted, ok: Object.values(granted).every(code => code < subackRefused) })
      }
      case 'pingresp':
        forgetPing()
        if (pingSentMs !== null) tell({ type: 'pongReceived', rttMs: round(clock.now().monoMs - pingSentMs) })
        pingSentMs = null
        return
      case 'disconnect':
        // MQTT 3.1.1 gives this packet to clients only.
        attempt.know({ by: 'hub' })
        attempt.destroy('goodbye')
        return
    }
  })

  return {
    client,
    abandon: () => attempt.destroy('goodbye'),
  }
}

/** For an SDK that asks again after its fuse is blown: a client whose stream is gone, without a socket. */
function deadClient(options: mqtt.IClientOptions): mqtt.MqttClient {
  const stream = duplexify()
  const client = new mqtt.MqttClient(() => stream, { ...options, reconnectPeriod: 0 })
  client.on('error', () => undefined)
  setImmediate(() => stream.destroy())
  return client
}

/** A topic may carry the properties of a message, and they are as long as an application likes. */
const topicMax = 256

const shortTopic = (topic: string): string => (topic.length > topicMax ? `${topic.slice(0, topicMax)}...` : topic)

/** Chosen field by field: what is not named here, such as the password of a CONNECT, is not told. */
function headerOf(packet: mqtt.Packet): Header {
  const { cmd } = packet
  // mqtt.js numbers packets that need no number with 0.
  const numbered = packet.messageId ? { packet: cmd, messageId: packet.messageId } : { packet: cmd }
  switch (packet.cmd) {
    case 'connack':
      return { packet: cmd, returnCode: packet.returnCode ?? 0, sessionPresent: packet.sessionPresent }
    case 'publish': {
      const { qos, dup, retain, topic, payload } = packet
      return { ...numbered, qos, dup, retain, topic: shortTopic(topic), payloadBytes: Buffer.byteLength(payload ?? '') }
    }
    case 'subscribe':
      return { ...numbered, topics: packet.subscriptions.map(({ topic }) => shortTopic(topic)) }
    case 'unsubscribe':
      return { ...numbered, topics: packet.unsubscriptions.map(shortTopic) }
    case 'suback':
      return { ...numbered, granted: packet.granted.map(Number) }
    default:
      return numbered
  }
}

function readMethod(topic: string, payload: Buffer): MethodRequest | null {
  if (!topic.startsWith(methodTopic)) return null
  const [name = '', query = ''] = topic.slice(methodTopic.length).split('/?', 2)
  const requestId = new URLSearchParams(query).get('$rid')
  return name === '' || requestId === null ? null : { name, requestId, payload }
}

function publishAnswer(base: mqttBase.MqttBase, requestId: string, { status, payload }: MethodAnswer): Promise<void> {
  const text = payload === undefined ? '' : JSON.stringify(payload)
  return publish(base, `$iothub/methods/res/${status}/?$rid=${requestId}`, text)
}

const publish = (base: mqttBase.MqttBase, topic: string, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    base.publish(topic, text, { qos: 0, retain: false }, error => (error ? reject(error) : resolve()))
  })
