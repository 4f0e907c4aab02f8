/** What really happened at the hub, in order: the truth that a test or a demo holds a diagnosis against. */

import type { LinkName, LinkRole } from './amqp-dialect.js'
import type { CertificateKind } from './certificates.js'
import type { BlobFault, Fault } from './faults.js'

/** A device, or a module of it. */
export type Identity = Readonly<{ deviceId: string; moduleId?: string | undefined }>

/** Why a session that had been accepted is over, as the hub knows it. */
export type SessionEnd =
  /** The device said DISCONNECT, or close. */
  | 'disconnect'
  /** A newer client connected with the same id. */
  | 'takeOver'
  /** The token's `se` has passed. */
  | 'tokenExpired'
  /** One and a half keepalives without a packet, or the idle time-out that the hub announced without a frame. */
  | 'keepalive'
  /** A packet, a frame or a topic that IoT Hub does not allow. */
  | 'forbidden'
  /** The identity was disabled or deleted. */
  | 'identity'
  /** A fault that was set on the device's door. */
  | 'fault'
  /** The connection went away under it. */
  | 'lost'
  /** The hub itself was closed. */
  | 'hubClosed'

type Connection = Readonly<{
  deviceId: string
  /** Numbers the TCP connections of a hub from 1. */
  connection: number
}>

/** The identity that the client claims. It need not belong to the door that it came through. */
type Client = Connection & Readonly<{ moduleId: string | null }>

/** What a client did, or had done to it. */
export type ClientHappening = Readonly<
  | {
      type: 'connect'
      /** CONNACK's return code; `null` when none was sent. */
      code: number | null
      sessionPresent: boolean
      clean: boolean
      keepaliveSeconds: number
      /** Why it was refused or not answered. */
      why: string | null
    }
  /** `granted` is the QoS by topic, 128 where refused; `null` when the packet was swallowed by a fault. */
  | { type: 'subscribe'; topics: readonly string[]; granted: Readonly<Record<string, number>> | null }
  | { type: 'unsubscribe'; topics: readonly string[] }
  /** From the device. */
  | { type: 'publish'; topic: string; qos: number; bytes: number }
  /** To the device. */
  | { type: 'deliver'; topic: string; qos: number; bytes: number }
  | { type: 'ping' }
  | { type: 'disconnect' }
  | { type: 'sessionEnded'; why: SessionEnd }
>

/** Why an end was put to something; both `null` where none was given. */
type Reason = Readonly<{ condition: string | null; description: string | null }>

/** Who did it. What a fault swallowed has been done by nobody. */
type By = Readonly<{ by: 'device' | 'hub' }>

/** A frame of AMQP on its way. `role` is the device's: what it sends goes through a sender. */
export type AmqpHappening =
  | (By & Readonly<{ type: 'open'; idleTimeOutMs: number | null }>)
  /**
   * A put-token has been answered, with nothing where `status` is null. `renewal`: the connection had signed in before.
   * `why` says what a real hub would keep to itself.
   */
  | Readonly<{
      type: 'putToken'
      status: number | null
      description: string | null
      renewal: boolean
      why: string | null
    }>
  | (By & Readonly<{ type: 'attach'; link: LinkName | null; role: LinkRole }>)
  | (By & Reason & Readonly<{ type: 'detach'; link: LinkName | null; role: LinkRole }>)
  | (By & Readonly<{ type: 'transfer'; link: LinkName | null; bytes: number }>)
  /** The hub took no message of this link. */
  | (Reason & Readonly<{ type: 'rejected'; link: LinkName }>)
  | (By & Reason & Readonly<{ type: 'end' | 'close' }>)
  | (By & Readonly<{ type: 'heartbeat' }>)

type Happening =
  | (Connection & Readonly<{ type: 'tcpOpened' }>)
  /** Both ends are gone. `first` is who ended it: the device, the hub behind the door, or the door itself. */
  | (Connection & Readonly<{ type: 'tcpClosed'; first: 'device' | 'hub' | 'door'; how: 'fin' | 'rst' }>)
  | (Connection & Readonly<{ type: 'tlsSecured'; certificate: CertificateKind }>)
  /** `code` is OpenSSL's: `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` when the client did not trust the certificate. */
  | (Connection & Readonly<{ type: 'tlsFailed'; certificate: CertificateKind; code: string }>)
  /** `status` is null when a fault left the request for a WebSocket unanswered. */
  | (Connection & Readonly<{ type: 'upgrade'; path: string; subprotocol: string | null; status: number | null }>)
  /** `code` is the first close frame's, whoever sent it; 1005 when it had none, 1006 when there was no such frame. */
  | (Connection & Readonly<{ type: 'websocketClosed'; by: 'device' | 'hub'; code: number }>)
  | (Client & ClientHappening)
  | (Client & AmqpHappening)
  | Readonly<
      | { type: 'fault'; deviceId: string; fault: Fault }
      /** A message to the cloud was taken. */
      | { type: 'message'; deviceId: string; moduleId: string | null }
      | { type: 'healed'; deviceId: string }
      | { type: 'cut'; deviceId: string; how: 'fin' | 'rst'; connections: number }
      | { type: 'blobFault'; fault: BlobFault | null }
      /** A direct method has come to its end: the device's status, or the hub's code (404103, 504101). */
      | {
          type: 'method'
          deviceId: string
          moduleId: string | null
          methodName: string
          status: number | null
          code: number | null
        }
      /** `code` is the six-digit one of a refusal; `status` is null when a fault left the request unanswered. */
      | { type: 'http'; method: string; path: string; status: number | null; code: number | null }
      /** The provisioning service was asked: CONNACK's code or the answer's status, `null` where a fault left it unanswered. */
      | {
          type: 'dps'
          registrationId: string
          operation: 'connect' | 'register' | 'query'
          status: number | null
        }
      | { type: 'uploadStarted'; deviceId: string; correlationId: string; blobName: string }
      | {
          type: 'uploadDone'
          deviceId: string
          correlationId: string
          isSuccess: boolean
          statusCode: number
          statusDescription: string
        }
    >

/** `n` numbers the events from 0, `monoMs` is CLOCK_MONOTONIC (the same for all processes), `at` wall time. */
export type HubEvent = Numbered & Happening

export type Tell = (happening: Happening) => void

type Numbered = Readonly<{ n: number; monoMs: number; at: string }>

/** The newest events, and whoever waits for one. */
export class EventLog<H extends object = Happening> {
  readonly events: (Numbered & H)[] = []
  readonly #waiting = new Set<(event: Numbered & H) => void>()
  #next = 0

  /** @param limit how many events are kept; the oldest go first */
  constructor(private readonly limit = 100_000) {}

  readonly tell = (happening: H): void => {
    const event: Numbered & H = {
      n: this.#next++,
      monoMs: Number(process.hrtime.bigint()) / 1e6,
      at: new Date().toISOString(),
      ...happening,
    }
    this.events.push(event)
    if (this.events.length > this.limit) this.events.shift()
    for (const listener of [...this.#waiting]) listener(event)
  }

  /** @throws Error after `timeoutMs`, with the newest events in its message */
  waitFor(
    match: (event: Numbered & H) => boolean,
    { from = this.#next, timeoutMs = 30_000 }: { from?: number; timeoutMs?: number } = {},
  ): Promise<Numbered & H> {
    const past = this.events.find(event => event.n >= from && match(event))
    if (past) return Promise.resolve(past)
    return new Promise((resolve, reject) => {
      const listener = (event: Numbered & H) => {
        if (!match(event)) return
        clearTimeout(timer)
        this.#waiting.delete(listener)
        resolve(event)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(listener)
        const newest = this.events.slice(-15).map(event => `  ${JSON.stringify(event)}`)
        reject(new Error(`nothing matched within ${timeoutMs} ms; the newest events:\n${newest.join('\n')}`))
      }, timeoutMs)
      this.#waiting.add(listener)
    })
  }
}
