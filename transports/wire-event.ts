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

export type ClosedBy = 'us' | 'application' | 'hub' | 'network' | 'unknown'
export type ClosedHow = 'fin' | 'rst' | 'timeout' | 'error' | 'goodbye'

/** Why we ourselves ended something; `null` where the other side or the network did. */
export type OurReason = 'shutdown' | 'renewal' | 'methods' | 'silence' | 'slow' | 'abandoned'

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
    | Readonly<{ type: 'connecting'; host: string; port: number; gateway: boolean }>
    | Readonly<{ type: 'resolved'; addresses: readonly string[]; ms: number }>
    | Readonly<{ type: 'tcpConnected'; address: string; localAddress: string; ms: number }>
    | Readonly<{ type: 'proxyConnected'; proxy: string; ms: number }>
    | Readonly<{ type: 'tlsSecured'; version: string; cipher: string; certificate: ServerCertificate; ms: number }>
    | Readonly<{ type: 'upgraded'; status: number; ms: number }>
    | Readonly<{ type: 'authorized'; status: number; description: string; ms: number }>
    | Readonly<{ type: 'accepted'; sessionPresent: boolean | null; ms: number }>
    | Readonly<{ type: 'refused'; code: number; reason: string }>
    | Readonly<{ type: 'attached'; link: string }>
    | Readonly<{ type: 'subscribed'; granted: Readonly<Record<string, number>>; ok: boolean }>
    | Readonly<{ type: 'detached'; link: string; condition: string | null; description: string | null }>
    | Readonly<{ type: 'pingSent' }>
    | Readonly<{ type: 'pongReceived'; rttMs: number }>
    | Readonly<{ type: 'bytes'; read: number; written: number }>
    | Readonly<{ type: 'retryScheduled'; delayMs: number; failures: number; policy: RetryPolicyName }>
    | Readonly<{ type: 'renewalStarted'; id: string; why: 'sas' }>
    | Readonly<{ type: 'renewalDone'; id: string; ok: boolean }>
    /** What the SDK told its application, kept beside the wire's evidence and never believed over it. */
    | Readonly<{ type: 'sdkError'; during: 'open' | 'session' | 'methods'; error: Failure }>
    | Closed
  )

/** Why the next attempt waits as it does. */
export type RetryPolicyName = 'network' | 'refused' | 'takeOver'

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
    /** As the protocol calls it: `publish`, `pingreq`. */
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
  }>
