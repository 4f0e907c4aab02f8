/** What every protocol's tap takes and gives: the supervisor knows no more of a protocol than this. */
import type { Clock } from './clock.js'
import type { SdkTransport } from './credentials.js'
import type { HttpProxy } from './proxy.js'
import type { Secrets } from './secrets.js'
import type { Lookup } from './socket-tap.js'
import type { Trust } from './trust.js'
import type { TwinDocument } from './twin-document.js'
import type { ConnectingCredential, OurReason, PacketHeader, Protocol, WireEvent } from './wire-event.js'

export type StepTimeoutsMs = Readonly<{ dns: number; tcp: number; tls: number; accept: number }>

/** What a connection of any protocol needs to know. */
export type Wiring = Readonly<{
  host: string
  port: number
  gateway: boolean
  /** Told with each attempt. */
  credential?: ConnectingCredential
  /** With the client certificate, where the hub knows us by one. */
  trust: Trust
  clock: Clock
  secrets: Secrets
  timeoutsMs: StepTimeoutsMs
  keepaliveSeconds: number
  /** Default: the system's. */
  lookup?: Lookup
  /** For what can use one: WebSocket. */
  proxy?: HttpProxy | null
}>

/** A direct method as it came off the wire: the payload is not parsed, because it may not be JSON. */
export type MethodRequest = Readonly<{ name: string; requestId: string; payload: Buffer }>
export type MethodAnswer = Readonly<{ status: number; payload?: unknown }>

/** To the cloud, as the application's own: `application/json` in UTF-8, and properties that messages are routed by. */
export type CloudMessage = Readonly<{ id: string; body: string; properties: Readonly<Record<string, string>> }>

/** The wire of one incarnation: one SDK client's transport, watched and with a fuse. */
export interface Tap {
  /** For the SDK's client; it makes exactly one of it. */
  readonly Transport: SdkTransport
  /** Whether the token is renewed inside the session: `renewalStarted` and `renewalDone` are then told by the tap. */
  readonly renewsItself: boolean
  /** Subscribes to direct methods; `subscribed` says what came of it. Never rejects. */
  enableMethods(): void
  /** Resolves once the answer was handed to the socket, rejects when there is none any more. */
  answer(requestId: string, answer: MethodAnswer): Promise<void>
  /**
   * Sets reported properties of the twin, by a merge patch. It resolves when the hub has it, and rejects when the hub does not want
   * it, has not answered within 30 s, or there is no session any more. Not to be asked for before the hub has answered the
   * subscription.
   */
  report(patch: object): Promise<void>
  /** The whole twin; from now on `desired` is told of what changes in it. Rejects as `report` does. */
  readTwin(): Promise<TwinDocument>
  /** Resolves when the hub has taken it. Where it rejects as `report` does, the hub may have it all the same. */
  send(message: CloudMessage): Promise<void>
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
  /** A change of the twin's desired properties as it came: it need not be an object. */
  desired?(patch: unknown): void
  /** Changes of the twin's desired properties are not told any more, until the twin is read again. */
  twinLost?(): void
  /** Numbers the attempts of the connection, over all incarnations. */
  nextAttempt(): number
}>

export type TapFactory = (wiring: Wiring, listener: TapListener) => Tap

/** Decides with which protocol the next client speaks. */
export interface Chooser {
  /** `changed` says from which one and why, where it is another one than before. */
  next(): Promise<
    Readonly<{ protocol: Protocol; tap: TapFactory; changed: Readonly<{ from: Protocol; why: string }> | null }>
  >
  /** Told of every event: it is the wire that says what the network lets through. */
  saw(event: WireEvent): void
  /**
   * @param wiringOf where each protocol would be spoken, for looking whether a better one is open
   * @param leave called at most once, while a session is up and a better way has opened: the session may end when it suits
   * @returns what ends the listening
   */
  whenBetter(wiringOf: (protocol: Protocol) => Wiring, leave: () => void): () => void
}
