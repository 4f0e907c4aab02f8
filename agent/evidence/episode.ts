/** An episode, the evidence a verdict is made from, and the verdict: the shapes that travel from the wire to a reader. */
import type {
  ClosedEvent,
  CredentialKind,
  Failure,
  LinkRole,
  Protocol,
  RefusingStep,
  ServerCertificate,
  Stage,
} from '../../transports/wire-event.js'
import type { ProbeAnswer } from './probe-answer.js'
import type { Surroundings } from './surroundings.js'

/** `certain`: the wire says so. A cause has a ceiling for what a device alone can know. */
export type Confidence = 'certain' | 'likely' | 'possible' | 'unknown'

export type Verdict = Readonly<{
  cause: string
  confidence: Confidence
  title: string
  hubCodes: readonly string[]
  /** Sentences for the person at the gateway: what was seen. */
  evidence: readonly string[]
  /** In the imperative. */
  nextSteps: readonly string[]
  docs: readonly string[]
  /** What else it could have been, and what would tell. */
  runnersUp: readonly Readonly<{ cause: string; confidence: Confidence; toDecide: string }>[]
}>

/** One line of `hubrec episodes --json`. Times are RFC 3339; open episodes have `endedAt` and `durationMs` null. */
export type Episode = Readonly<{
  id: string
  conn: string
  state: 'open' | 'closed'
  provisional: boolean
  planned: boolean
  protocol: Protocol
  startedAt: string
  endedAt: string | null
  durationMs: number | null
  /** The session that was lost; `null` before the first. */
  session: Readonly<{ lastedMs: number }> | null
  /** From the fault to the moment we knew; `null` if the fault's time is unknown. */
  detectedAfterMs: number | null
  attempts: number
  waitedMs: number
  sdkSaid: Readonly<{ name: string; message: string }> | null
  verdict: Verdict
}>

/** With what the device signed in. `expiresAt` is RFC 3339, where an end is known. */
export type CredentialUsed = Readonly<{ kind: CredentialKind; expiresAt: string | null }>

/** What befell a link of an AMQP connection, at most 8 kept of each, newest last; a link that was attached anew has none. */
export type LinkTrouble = Readonly<{
  what: 'detached' | 'rejected'
  link: string
  role: LinkRole | null
  condition: string | null
  description: string | null
  /** How long before the end of the session or attempt. */
  beforeEndMs: number
}>

/** How the time before the episode ended. */
export type Ending =
  | Readonly<{
      kind: 'closed'
      event: ClosedEvent
      subscribed: boolean
      credential: CredentialUsed | null
      /** By the wall clock. */
      endedMs: number
      links: readonly LinkTrouble[]
      /** What the hub answered when it was given a new token in the session and did not take it. */
      renewalRefused: string | null
    }>
  /** The previous run left no goodbye. `unclean` is true when the host booted in between. */
  | Readonly<{ kind: 'crash'; rebooted: boolean }>
  /** The previous run said goodbye (`why`: 'SIGTERM', ...). */
  | Readonly<{ kind: 'goodbye'; why: string }>
  /** The very first start: there was nothing to lose. */
  | Readonly<{ kind: 'start' }>

/** One attempt that did not become a session. */
export type FailedAttempt = Readonly<{
  protocol: Protocol
  /** How far it came; `null` where nothing was dialled. */
  stage: Stage | null
  /**
   * `refused`: somebody answered and said no, with `code`. `closed`: it ended otherwise. `provisioning`: the provisioning
   * service did not say where to dial. `credential`: there was nothing to sign in with.
   */
  outcome: 'refused' | 'closed' | 'provisioning' | 'credential'
  /** Who said no. */
  step: RefusingStep | null
  /** CONNACK's return code (MQTT), the CBS status (AMQP) or an HTTP status. */
  code: number | null
  /** What was said with it; empty where nothing was. */
  reason: string
  /** Of an HTTP answer, names in lower case. */
  headers: Readonly<Record<string, string>>
  /** Set when `outcome` is `closed`. */
  closed: ClosedEvent | null
  error: Failure | null
  certificate: ServerCertificate | null
  host: string
  port: number
  /** Dialled a gateway (`GatewayHostName`) and not the hub. */
  gateway: boolean
  addresses: readonly string[]
  /** The proxy that it went through. */
  proxy: string | null
  /** The AMQP links that the hub had attached. */
  attached: readonly string[]
  links: readonly LinkTrouble[]
  credential: CredentialUsed | null
  /** By the wall clock. */
  endedMs: number
  /** Where the provisioning service sent the device after it; `null` where it was not asked, or said the same as before. */
  reassignedTo: string | null
  /** How much of the outage this attempt answers for: from the end of the one before to its own end. */
  answersForMs: number
}>

/** Over what, to where and through which proxy. */
export type WayBack = Readonly<{ protocol: Protocol; host: string; port: number; proxy: string | null }>

/** From one protocol to another, because the network let the first not through, or does so again. */
export type ProtocolChange = Readonly<{ from: Protocol; to: Protocol; why: string }>

/** An earlier session of this connection, newest last, at most 16. */
export type PastSession = Readonly<{
  /** Wall time: when it began and ended. */
  startedMs: number
  endedMs: number
  lastedMs: number
  subscribed: boolean
  closed: ClosedEvent
}>

/** All that a verdict may look at. Plain data, so that it can be recorded and judged again. */
export type Evidence = Readonly<{
  protocol: Protocol
  ending: Ending
  /** The failed attempts, oldest first; the middle is left out above 64, and `failedCount` counts them all. */
  failed: readonly FailedAttempt[]
  failedCount: number
  /** How much of the outage had passed before this run began: it weighs for what ended the run before. */
  beforeStartMs: number
  /** Whether the episode has ended, and so nothing more is to come. */
  ended: boolean
  /** Of the session that ended it. */
  cameBack: WayBack | null
  /** At most 8, the newest last. */
  protocolChanges: readonly ProtocolChange[]
  /** Another hub, or another device id there, that the provisioning service gave in this outage. */
  reassignedTo: string | null
  /** The connection is an application's, and its SDK decides about attempts. */
  application: boolean
  /** How long nobody tried although nothing was being waited for; only of an application's connection. */
  stoodStillMs: number
  sdkSaid: Readonly<{ name: string; message: string }> | null
  /** Sessions before the episode, the one that was lost last. */
  history: readonly PastSession[]
  /** Whether this credential was accepted before, as far as the ring remembers. */
  credentialWorked: boolean
  clock: Readonly<{
    wallMs: number
    /** False when the wall clock is before this release was made or 20 years after. */
    plausible: boolean
    /** `null` where the host does not say. */
    synchronised: boolean | null
  }>
  /** The verdict the previous run had reached when the episode was already open then. */
  carriedOver: Verdict | null
  host: Surroundings
  /** Of this episode, oldest first. */
  probes: readonly ProbeAnswer[]
}>
