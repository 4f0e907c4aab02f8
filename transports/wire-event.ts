/** What the wire did, as plain data: the only words in which a transport speaks to the rest. */

export type Protocol = 'mqtt' | 'mqtt-ws' | 'amqp' | 'amqp-ws'

/** How far an attempt or a session had come when it ended. */
export type Stage = 'dns' | 'tcp' | 'tls' | 'upgrade' | 'auth' | 'session'

/** An error as plain data, outermost first, flattened while its codes are still there. */
export type Failure = Readonly<{
  name: string
  message: string
  code?: string
  /** Which system call failed. A reset without one is Node's word for a FIN before TLS was done. */
  syscall?: string
  /** Where it happened, `address:port`. */
  address?: string
  /** What a dual-stack attempt met at each address. */
  errors?: readonly Failure[]
  from?: Failure
}>

/** A server's certificate as far as a verdict needs it. Dates are RFC 3339. */
export type ServerCertificate = Readonly<{
  subject: string
  issuer: string
  validFrom: string
  validTo: string
  altNames: string
  fingerprint256: string
  /**
   * Only where the chain failed: whether it leads to a root that IoT Hub is known to use.
   * `null` when that was not asked.
   */
  knownRoot: boolean | null
}>

/** Ours: what we send goes through a sender. */
export type LinkRole = 'sender' | 'receiver'

export type ClosedBy = 'us' | 'application' | 'hub' | 'network' | 'unknown'
export type ClosedHow = 'fin' | 'rst' | 'timeout' | 'error' | 'goodbye'

/** Why we ourselves ended something; `null` where the other side or the network did. */
export type OurReason = 'shutdown' | 'renewal' | 'methods' | 'silence' | 'slow' | 'abandoned'

/** Who said no: a proxy to CONNECT, a web server to the upgrade, the hub's broker in a CONNACK, or the hub to a put-token. */
export type RefusingStep = 'proxy' | 'upgrade' | 'connack' | 'cbs'

/** With what the other side is convinced of who we are, and until when that is good. */
export type CredentialKind = 'key' | 'x509' | 'sas' | 'edge'

/** `expiresAt` is RFC 3339, of the certificate or of a token that somebody else renews. */
export type ConnectingCredential = Readonly<{ kind: CredentialKind; expiresAt: string | null }>

/** What every event carries. `monoMs` is CLOCK_MONOTONIC; wall time is added when it is written down. */
type At = Readonly<{
  monoMs: number
  protocol: Protocol
  /** Numbers the attempts of one connection from 1; all events of an attempt and its session share it. */
  attempt: number
}>

/**
 * Each `connecting` is followed by exactly one `accepted`, `refused` or `closed` of the same attempt,
 * each `accepted` by exactly one `closed`. `ms` is how long that step took.
 */
export type WireEvent = At &
  (
    | Readonly<{
        type: 'connecting'
        host: string
        port: number
        gateway: boolean
        credential?: ConnectingCredential
      }>
    | Readonly<{ type: 'resolved'; addresses: readonly string[]; ms: number }>
    | Readonly<{ type: 'tcpConnected'; address: string; localAddress: string; ms: number }>
    | Readonly<{ type: 'proxyConnected'; proxy: string; ms: number }>
    | Readonly<{ type: 'tlsSecured'; version: string; cipher: string; certificate: ServerCertificate; ms: number }>
    | Readonly<{ type: 'upgraded'; status: number; ms: number }>
    | Readonly<{ type: 'authorized'; status: number; description: string; ms: number }>
    | Readonly<{ type: 'accepted'; sessionPresent: boolean | null; ms: number }>
    /** `code` is a CONNACK's, a put-token's or an HTTP status; `headers` are the few of an HTTP answer that say who answered. */
    | Readonly<{
        type: 'refused'
        step: RefusingStep
        code: number
        reason: string
        headers?: Readonly<Record<string, string>>
      }>
    /** `link` is its address without the device's part: `$cbs`, `methods`, `events`, `messages`, `twin`. */
    | Readonly<{ type: 'attached'; link: string; role: LinkRole }>
    | Readonly<{ type: 'subscribed'; granted: Readonly<Record<string, number>>; ok: boolean }>
    | Readonly<{
        type: 'detached'
        link: string
        role: LinkRole
        condition: string | null
        description: string | null
      }>
    /** The hub took no message of ours: throttled, over quota, too large. */
    | Readonly<{ type: 'rejected'; link: string; condition: string | null; description: string | null }>
    | Readonly<{ type: 'pingSent' }>
    | Readonly<{ type: 'pongReceived'; rttMs: number }>
    | Readonly<{ type: 'bytes'; read: number; written: number }>
    | Readonly<{ type: 'retryScheduled'; delayMs: number; failures: number; policy: RetryPolicyName }>
    /** The protocol of the attempts that follow is another one; never for a credential that was refused. */
    | Readonly<{ type: 'protocolChosen'; from: Protocol; why: string }>
    | Readonly<{ type: 'provisioningStarted'; id: string; scopeId: string; registrationId: string }>
    /** `hub` is the one assigned. `reassigned`: it, or the device's id there, is another than before. */
    | Readonly<{
        type: 'provisioningDone'
        id: string
        ok: boolean
        hub: string | null
        reassigned: boolean
        error: Failure | null
        /** What kept us from the service on the way that was tried first, where another led to it. */
        unreached?: Failure
      }>
    /** `sas`: a new token; `x509`: a new certificate. */
    | Readonly<{ type: 'renewalStarted'; id: string; why: 'sas' | 'x509' }>
    | Readonly<{ type: 'renewalDone'; id: string; ok: boolean }>
    /** What the SDK told its application (during `identify`: who we are could not be found out), kept beside the wire's evidence and never believed over it. */
    | Readonly<{ type: 'sdkError'; during: 'identify' | 'open' | 'session' | 'methods'; error: Failure }>
    | Closed
  )

/** Why the next attempt waits as it does. `application`: by the policy of an application's own SDK, as it was seen to wait. */
export type RetryPolicyName = 'network' | 'refused' | 'takeOver' | 'application'

export type Closed = Readonly<{
  type: 'closed'
  by: ClosedBy
  how: ClosedHow
  stage: Stage
  reason: OurReason | null
  error: Failure | null
  /** The certificate that was shown, where the handshake failed on it. */
  certificate: ServerCertificate | null
  /** Since the last byte from the other side; since `connecting` when there was none. */
  silentMs: number
  /** Of the session; `null` when there was none. */
  lastedMs: number | null
  /** How long a keepalive ping has gone unanswered; `null` when none was out. */
  pingUnansweredMs: number | null
  inFlightPublishes: number
  /** Whether the first publish of the session was on its way, or had left within the last second: earlier ones did no harm. */
  afterPublish: boolean
  bytesRead: number
  bytesWritten: number
}>

export type ClosedEvent = At & Closed

/** Told as it happens. A listener must not throw and must not block. */
export type WireListener = (event: WireEvent) => void

/**
 * One packet as its header has it: never its payload, user name or password. There are too many of them for the ring, so
 * they are told beside the events, to whom it may concern.
 */
export type PacketHeader = At &
  Readonly<{
    type: 'packetSent' | 'packetReceived'
    /** As the protocol calls it: `publish`, `pingreq`; an AMQP frame by its performative, and `heartbeat` without one. */
    packet: string
    messageId?: number
    qos?: number
    dup?: boolean
    retain?: boolean
    /** Of the topic only the first 256 characters. */
    topic?: string
    payloadBytes?: number
    topics?: readonly string[]
    granted?: readonly number[]
    returnCode?: number
    sessionPresent?: boolean
    keepalive?: number
    clean?: boolean
    /** Of an AMQP frame: its channel, the handle of its link, that link's name as in `attached`, its size. */
    channel?: number
    handle?: number
    link?: string
    bytes?: number
  }>
