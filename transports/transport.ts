/** What every protocol's tap takes and gives: the supervisor knows no more of a protocol than this. */
import type { Clock } from './clock.js'
import type { SdkTransport } from './credentials.js'
import type { Secrets } from './secrets.js'
import type { Lookup } from './socket-tap.js'
import type { Trust } from './trust.js'
import type { OurReason, PacketHeader, WireEvent } from './wire-event.js'

export type StepTimeoutsMs = Readonly<{ dns: number; tcp: number; tls: number; accept: number }>

/** What a connection of any protocol needs to know. */
export type Wiring = Readonly<{
  host: string
  port: number
  gateway: boolean
  trust: Trust
  clock: Clock
  secrets: Secrets
  timeoutsMs: StepTimeoutsMs
  keepaliveSeconds: number
  /** Default: the system's. */
  lookup?: Lookup
}>

/** A direct method as it came off the wire: the payload is not parsed, because it may not be JSON. */
export type MethodRequest = Readonly<{ name: string; requestId: string; payload: Buffer }>
export type MethodAnswer = Readonly<{ status: number; payload?: unknown }>

/** The wire of one incarnation: one SDK client's transport, watched and with a fuse. */
export interface Tap {
  /** For the SDK's client; it makes exactly one of it. */
  readonly Transport: SdkTransport
  /** Subscribes to direct methods; `subscribed` says what came of it. Never rejects. */
  enableMethods(): void
  /** Resolves once the answer was handed to the socket, rejects when there is none any more. */
  answer(requestId: string, answer: MethodAnswer): Promise<void>
  /** Why a goodbye that follows is said, so that `closed` can name it. */
  leaving(reason: OurReason): void
  /** Blows the fuse: the socket is destroyed, and this incarnation never opens another. */
  abandon(reason: OurReason): void
}

export type TapListener = Readonly<{
  event(event: WireEvent): void
  /** Each packet, before what came of it is told. */
  packet?(header: PacketHeader): void
  method(request: MethodRequest): void
  /** Numbers the attempts of the connection, over all incarnations. */
  nextAttempt(): number
}>

export type TapFactory = (wiring: Wiring, listener: TapListener) => Tap
