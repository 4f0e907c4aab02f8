/** Everything that can be made to go wrong, and what the wire then shows. */

import type { LinkName, LinkRole } from './amqp-dialect.js'
import type { CertificateKind } from './certificates.js'

/**
 * Set on a device's door, in force until `heal()` or until it has struck `times` times.
 *
 * The faults of TCP, TLS, WebSocket and AMQP act on whoever comes through the door. Those of MQTT and HTTP act on the
 * device's identities (its own and its modules'), whichever door they come through.
 */
export type Fault = TcpFault | TlsFault | WebSocketFault | MqttFault | AmqpFault | HttpFault

/** The first four decide about new connections only; the rest act on open ones too. */
export type TcpFault = Readonly<
  /** SYN is answered by RST: `ECONNREFUSED`. Open connections stay. */
  | { kind: 'refuse' }
  /** SYN is not answered at all, as behind a firewall that drops: the connect hangs. Open connections stay. */
  | { kind: 'unanswered' }
  /** TCP opens, then FIN or RST before any byte. */
  | { kind: 'finAtAccept'; times?: number }
  | { kind: 'rstAtAccept'; times?: number }
  /** TCP opens, the ClientHello is acknowledged by the kernel, nothing is answered. */
  | { kind: 'silent' }
  /**
   * Nothing is forwarded any more and nothing is closed; new connections open and stay silent. What was held is
   * delivered after `heal()`, as TCP would by retransmission.
   */
  | { kind: 'blackHole'; direction: Direction }
  /** Each chunk waits `latencyMs`, then its bytes trickle at `msPerByte`, in both directions. */
  | { kind: 'slow'; latencyMs?: number; msPerByte?: number }
  /** Both directions carry at most so many bytes a second. */
  | { kind: 'throttle'; bytesPerSecond: number }
>

export type Direction = 'both' | 'towardHub' | 'towardDevice'

/** New connections are shown another certificate; see `CertificateKind`. */
export type TlsFault = Readonly<{ kind: 'certificate'; certificate: Exclude<CertificateKind, 'good'> }>

export type MqttFault = Readonly<
  /** CONNECT is read and never answered; TCP and TLS stay open. */
  | { kind: 'noConnack'; times?: number }
  /** CONNACK with this code, then FIN. */
  | { kind: 'connack'; code: 1 | 2 | 3 | 4 | 5; times?: number }
  /** CONNACK 0, then FIN at once. */
  | { kind: 'closeAfterConnack'; times?: number }
  /** FIN instead of a PUBACK or an answer to the next PUBLISH, which has no effect. */
  | { kind: 'closeAtPublish'; times?: number }
  /** SUBACK with 0x80 for every topic; nothing is subscribed. */
  | { kind: 'subackRefused'; times?: number }
  /** SUBSCRIBE is read and never answered; nothing is subscribed. */
  | { kind: 'noSuback'; times?: number }
  /** PUBLISH at QoS 1 takes effect and is never acknowledged. */
  | { kind: 'noPuback'; times?: number }
  /** The stored session is lost before a CONNECT: session present 0, the old subscriptions gone. */
  | { kind: 'forgetSession'; times?: number }
  /**
   * A CONNECT that follows the same identity's DISCONNECT gets CONNACK 5. Over AMQP a put-token on a connection that has
   * signed in gets 401.
   */
  | { kind: 'renewalRefused'; times?: number }
  /** Bytes that are no MQTT packet: at once to sessions that are open, and after CONNACK to new ones. */
  | { kind: 'malformed' }
  /** A DISCONNECT packet, which no MQTT 3.1.1 server sends, then FIN: at once to open sessions, and after CONNACK. */
  | { kind: 'serverDisconnect' }
>

export type WebSocketFault = Readonly<
  /** The upgrade is answered by this status, as by a portal, a proxy or a hub that is busy. */
  | { kind: 'upgrade'; status: number; headers?: Readonly<Record<string, string>>; times?: number }
  /** The upgrade is read and never answered. */
  | { kind: 'upgradeSilent'; times?: number }
  /** A close frame with this code: at once on WebSockets that are open, and after the upgrade on new ones. */
  | { kind: 'websocketClose'; code: number; times?: number }
>

type WithReason = Readonly<{ condition?: string; description?: string; times?: number }>

/**
 * `close`, `end` and `detach` come without an error where no condition is given. They strike at once what is open, and
 * new ones as soon as they have been answered; all that is struck at once counts one time.
 */
export type AmqpFault = Readonly<
  /** The protocol header is answered, `open` and all after it are read and not answered. */
  | { kind: 'noOpen'; times?: number }
  /** A put-token is answered by this status and has no effect. */
  | { kind: 'cbs'; status: number; description?: string; times?: number }
  /** A put-token is read and never answered, and has no effect. */
  | { kind: 'cbsSilent'; times?: number }
  /** An attach of this link (`methods` by default) is read and never answered. */
  | { kind: 'noAttach'; link?: LinkName; times?: number }
  | ({ kind: 'amqpClose' } & WithReason)
  | ({ kind: 'amqpEnd' } & WithReason)
  /** One link, or all but `$cbs`; in the role that it has for the device, or in both. */
  | ({ kind: 'amqpDetach'; link: LinkName | 'all'; role?: LinkRole } & WithReason)
  /** A message to the cloud is answered by `rejected`. */
  | ({ kind: 'rejectSends'; condition: string } & WithReason)
  /**
   * Nothing is sent any more, heartbeats neither, on connections that are open and on new ones; TCP goes on
   * acknowledging. What was held is sent after `heal()`.
   */
  | { kind: 'amqpSilent' }
  /** Who asks how the session stands is not told, as by a stack that knows no echo. */
  | { kind: 'noEcho' }
>

export type HttpFault = Readonly<
  /** Requests of this device over HTTPS are answered with this status; `code` is the six-digit one of the body. */
  | { kind: 'http'; status: number; code?: number; on?: HttpOperation; times?: number }
  /** Requests of this device over HTTPS are read and never answered. */
  | { kind: 'httpSilent'; on?: HttpOperation; times?: number }
>

/** Which requests a fault of HTTPS means; all of them when it does not say. */
export type HttpOperation = 'files' | 'notifications'

/** `stall` holds all bytes both ways, `refuse` closes the port and cuts, `slow` carries 64 KiB a second. */
export type BlobFault = 'stall' | 'refuse' | 'slow'

/** The faults in force for one device, or for a proxy; a new one of the same kind takes the old one's place. */
export class Faults<F extends Readonly<{ kind: string }> = Fault> {
  readonly #active = new Map<F['kind'], { fault: F; left: number }>()

  set(fault: F): void {
    const times = 'times' in fault && typeof fault.times === 'number' ? fault.times : Number.POSITIVE_INFINITY
    this.#active.set(fault.kind, { fault, left: times })
  }

  clear(): void {
    this.#active.clear()
  }

  get<K extends F['kind']>(kind: K): Extract<F, { kind: K }> | undefined {
    return this.#active.get(kind)?.fault as Extract<F, { kind: K }> | undefined
  }

  /** Like `get`, and counts against `times`. */
  strike<K extends F['kind']>(kind: K): Extract<F, { kind: K }> | undefined {
    const active = this.#active.get(kind)
    if (!active) return undefined
    active.left -= 1
    if (active.left <= 0) this.#active.delete(kind)
    return active.fault as Extract<F, { kind: K }>
  }
}
