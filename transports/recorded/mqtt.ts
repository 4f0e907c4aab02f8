/**
 * An application's MQTT, plain or over WebSocket: its SDK's own provider makes the client and the socket, and both are watched.
 */
import { type EventEmitter, errorMonitor } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { flatten } from '../failure.js'
import type { ServerCertificate } from '../wire-event.js'
import { type Attempt, type Destination, startAttempt } from './attempt.js'
import { credentialOf } from './credential.js'
import { type Guard, guard, type Recorder } from './recorder.js'
import { type SdkTransport, watchSdk, wrapCallback } from './sdk.js'
import { watchSocket } from './socket.js'
import { unexpectedStatus, watchUpgrade } from './upgrade.js'

/** MQTT 3.1.1, table 3.1, in our words. */
const connackReasons: Readonly<Record<number, string>> = {
  1: 'protocol version not accepted',
  2: 'client id rejected',
  3: 'server unavailable',
  4: 'bad user name or password',
  5: 'not authorized',
}

/** What of mqtt.js is relied on. */
type MqttClient = EventEmitter & { stream: TLSSocket }
type ConnectOptions = Readonly<{ username?: unknown; connectTimeout?: unknown }>
type Packet = Readonly<{
  cmd: string
  messageId?: number
  qos?: number
  returnCode?: number
  sessionPresent?: boolean
  granted?: readonly unknown[]
  subscriptions?: readonly Readonly<{ topic: string }>[]
}>
type Provider = { connect(uri: string, options: ConnectOptions): MqttClient }

/** What of azure-iot-mqtt-base is relied on. */
type MqttBase = EventEmitter & {
  mqttProvider: Provider
  disconnect?: unknown
  updateSharedAccessSignature?: unknown
}

export type MqttTransport = SdkTransport & { _mqtt: MqttBase }

export const isMqtt = (transport: object): transport is MqttTransport => {
  const base = (transport as Partial<MqttTransport>)._mqtt
  return typeof base?.mqttProvider?.connect === 'function'
}

/** Why this side says goodbye, if it does now. */
type Leaving = 'application' | 'renewal' | null

/** mqtt.js's own limit for everything up to CONNACK, where the SDK has set none. */
const connectLimitMs = 30_000

/** A timer of that length may be this early. */
const timerSlackMs = 50

export function watchMqtt(transport: MqttTransport, authentication: unknown, recorder: Recorder): void {
  const guarded = guard(recorder)
  const { clock } = recorder
  const incarnation = recorder.incarnation()
  const base = transport._mqtt
  const provider = base.mqttProvider
  let current: Attempt | null = null
  let renewals = 0
  let renewing: string | null = null
  let leaving = false
  const sdk = watchSdk(
    transport,
    () => current,
    guarded,
    () => clock.now().bootMs,
  )

  const begin = guarded((client: MqttClient, uri: string, options: ConnectOptions): void => {
    // The SDK has let go of the attempt before, whatever its socket says later.
    current?.closed({ by: 'us', how: 'error', reason: 'abandoned' })
    sdk.trying()
    leaving = false
    const attempt = startAttempt(destinationOf(uri, options, authentication), incarnation.attempt(), clock, sdk.ended)
    current = attempt
    watchClient(client, attempt, options, guarded, () => {
      if (leaving) return 'application'
      return renewing === null ? null : 'renewal'
    })
  })

  base.mqttProvider = Object.create(provider, {
    connect: {
      value: (uri: string, options: ConnectOptions): MqttClient => {
        const client = provider.connect(uri, options)
        begin(client, uri, options)
        return client
      },
    },
  })

  wrapCallback(base, 'disconnect', guarded, {
    called: () => {
      leaving = true
    },
  })
  wrapCallback(base, 'updateSharedAccessSignature', guarded, {
    called: () => {
      if (!current?.isSession || current.over) return
      renewals += 1
      renewing = `${current.number}.${renewals}`
      current.renewalStarted(renewing)
    },
    told: error => {
      if (renewing !== null) current?.renewalDone(renewing, !error)
      renewing = null
    },
  })
}

function watchClient(
  client: MqttClient,
  attempt: Attempt,
  options: ConnectOptions,
  guarded: Guard,
  leaving: () => Leaving,
): void {
  const startedMs = performance.now()
  const limitMs = typeof options.connectTimeout === 'number' ? options.connectTimeout : connectLimitMs
  let saidGoodbye = false

  const ended = (error: Error | null | undefined, certificate: ServerCertificate | null): void => {
    if (attempt.over) return
    const why = leaving()
    if (saidGoodbye || (why !== null && !error)) {
      if (why === 'renewal') attempt.closed({ by: 'us', how: 'goodbye', reason: 'renewal' })
      else attempt.closed({ by: 'application', how: saidGoodbye ? 'goodbye' : 'error' })
    } else if (error) attempt.lost(error, certificate)
    else if (error === null) attempt.closed({ by: 'hub', how: 'fin' })
    else if (attempt.pingUnansweredMs !== null) attempt.closed({ by: 'us', how: 'timeout', reason: 'silence' })
    else if (!attempt.isSession && performance.now() - startedMs >= limitMs - timerSlackMs) {
      attempt.closed({ by: 'us', how: 'timeout', reason: 'slow' })
    } else attempt.lost(null, certificate)
  }

  const { stream } = client
  if (isSocket(stream)) watchSocket(stream, attempt, guarded, ended)
  else watchWebSocket(stream, attempt, guarded, ended)

  client.on(
    errorMonitor,
    guarded((error: Error) => {
      // What has a code came from the socket or a CONNACK; the rest is mqtt.js's parser.
      if (attempt.over || 'code' in error) return
      attempt.closed({ by: 'hub', how: 'error', error: { ...flatten(error), code: 'MALFORMED_PACKET' } })
    }),
  )

  const subscriptions = new Map<number, readonly string[]>()
  const sent = guarded((packet: Packet) => {
    switch (packet.cmd) {
      case 'subscribe': {
        const { messageId, subscriptions: asked = [] } = packet
        if (messageId !== undefined) {
          subscriptions.set(
            messageId,
            asked.map(({ topic }) => topic),
          )
        }
        return
      }
      case 'pingreq':
        return attempt.pingSent()
      case 'disconnect':
        saidGoodbye = true
        return
    }
  })
  const received = guarded((packet: Packet) => {
    switch (packet.cmd) {
      case 'connack': {
        const { returnCode = 0, sessionPresent = false } = packet
        if (returnCode === 0) attempt.accepted(sessionPresent)
        else attempt.refused('connack', returnCode, connackReasons[returnCode] ?? 'unknown code')
        return
      }
      case 'suback': {
        const { messageId = 0 } = packet
        const topics = subscriptions.get(messageId) ?? []
        subscriptions.delete(messageId)
        const codes = packet.granted ?? []
        attempt.subscribed(Object.fromEntries(topics.map((topic, at) => [topic, Number(codes[at] ?? refused)])))
        return
      }
      case 'pingresp':
        return attempt.pongReceived()
      case 'disconnect':
        // MQTT 3.1.1 gives this packet to clients only.
        return attempt.closed({ by: 'hub', how: 'goodbye' })
    }
  })
  // Of thousands of packets a second nearly all are these two.
  client.on('packetsend', (packet: Packet) => {
    if (packet.cmd === 'publish') attempt.publishing((packet.qos ?? 0) > 0)
    else sent(packet)
  })
  client.on('packetreceive', (packet: Packet) => {
    attempt.heard()
    if (packet.cmd === 'puback') attempt.published()
    else received(packet)
  })
}

/** A SUBACK's code for a subscription that was not granted. */
const refused = 0x80

type Ended = (error: Error | null | undefined, certificate: ServerCertificate | null) => void

const isSocket = (stream: TLSSocket): boolean => typeof stream.getPeerCertificate === 'function'

/** Of a WebSocket mqtt.js shows a stream only; its socket is found by its request, where there is one to be seen. */
function watchWebSocket(stream: TLSSocket, attempt: Attempt, guarded: Guard, ended: Ended): void {
  const { host } = attempt.destination
  const forget = watchUpgrade({
    host,
    attempt,
    guarded,
    found: socket => watchSocket(socket, attempt, guarded, ended),
  })
  const over = (error: Error | undefined): void => {
    forget()
    const status = unexpectedStatus(error)
    if (status !== null) attempt.refused('upgrade', status, 'no upgrade')
    else ended(error, null)
  }
  const emitter: EventEmitter = stream
  emitter.prependListener(errorMonitor, guarded(over))
  stream.prependOnceListener(
    'close',
    guarded(() => over(stream.errored ?? undefined)),
  )
}

function destinationOf(uri: string, { username }: ConnectOptions, authentication: unknown): Destination {
  const { protocol, hostname, port } = new URL(uri)
  const isWebSocket = protocol === 'wss:'
  // "hub.azure-devices.net/device/?api-version=...": another host than this one is a gateway.
  const hub = typeof username === 'string' ? username.split('/', 1)[0] : hostname
  return {
    protocol: isWebSocket ? 'mqtt-ws' : 'mqtt',
    host: hostname,
    port: port === '' ? (isWebSocket ? 443 : 8883) : Number(port),
    gateway: hub?.split(':', 1)[0] !== hostname,
    credential: credentialOf(authentication),
  }
}
