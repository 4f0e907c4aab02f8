/** What really happened at the hub, in order: the truth that a test or a demo holds a diagnosis against. */

import type { CertificateKind } from './certificates.js'
import type { BlobFault, Fault } from './faults.js'

/** A device, or a module of it. */
export type Identity = Readonly<{ deviceId: string; moduleId?: string | undefined }>

/** Why a session that had been accepted is over, as the hub knows it. */
export type SessionEnd =
  /** The device said DISCONNECT. */
  | 'disconnect'
  /** A newer client connected with the same id. */
  | 'takeOver'
  /** The token's `se` has passed. */
  | 'tokenExpired'
  /** One and a half keepalives without a packet. */
  | 'keepalive'
  /** A packet or a topic that IoT Hub does not allow. */
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

type Happening =
  | (Connection & Readonly<{ type: 'tcpOpened' }>)
  /** Both ends are gone. `first` is who ended it: the device, the hub behind the door, or the door itself. */
  | (Connection & Readonly<{ type: 'tcpClosed'; first: 'device' | 'hub' | 'door'; how: 'fin' | 'rst' }>)
  | (Connection & Readonly<{ type: 'tlsSecured'; certificate: CertificateKind }>)
  /** `code` is OpenSSL's: `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` when the client did not trust the certificate. */
  | (Connection & Readonly<{ type: 'tlsFailed'; certificate: CertificateKind; code: string }>)
  | (Client & ClientHappening)
  | Readonly<
      | { type: 'fault'; deviceId: string; fault: Fault }
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
export type HubEvent = Readonly<{ n: number; monoMs: number; at: string }> & Happening

export type Tell = (happening: Happening) => void

/** The newest events, and whoever waits for one. */
export class EventLog {
  readonly events: HubEvent[] = []
  readonly #waiting = new Set<(event: HubEvent) => void>()
  #next = 0

  /** @param limit how many events are kept; the oldest go first */
  constructor(private readonly limit = 100_000) {}

  readonly tell: Tell = happening => {
    const event: HubEvent = {
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
    match: (event: HubEvent) => boolean,
    { from = this.#next, timeoutMs = 30_000 }: { from?: number; timeoutMs?: number } = {},
  ): Promise<HubEvent> {
    const past = this.events.find(event => event.n >= from && match(event))
    if (past) return Promise.resolve(past)
    return new Promise((resolve, reject) => {
      const listener = (event: HubEvent) => {
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
