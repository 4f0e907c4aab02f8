/** What a cause is: what each side sees of it, what to do about it, and the rules that recognise it. */
import type { Protocol } from '../../transports/wire-event.js'
import type { Confidence, Ending, Evidence, FailedAttempt, Verdict } from '../evidence/episode.js'

/** In the order in which a reader should think of them: from the cable up. */
export const families = ['network', 'tls', 'credential', 'identity', 'service', 'protocol', 'local', 'unknown'] as const

export type Family = (typeof families)[number]

/** The most that a device alone can know. `none`: it is explained, but never a verdict. */
export type Ceiling = 'certain' | 'likely' | 'possible' | 'none'

/** A page of Microsoft's documentation. */
export type Page = Readonly<{ title: string; address: string }>

export type RunnerUp = Verdict['runnersUp'][number]

/** What a rule has to say when it recognises its cause. */
export type Finding = Readonly<{
  confidence: Confidence
  /** Sentences with the values that were seen. */
  evidence: readonly string[]
  /** What else the same evidence fits, the more probable first. */
  runnersUp: readonly RunnerUp[]
  /** Steps that this evidence puts before those of the cause. */
  firstSteps?: readonly string[]
}>

export type Cause = Readonly<{
  /** Kebab-case, never renamed or used for something else. */
  id: string
  family: Family
  title: string
  /** Codes that the hub's log or the portal may show at the same time. */
  hubCodes: readonly string[]
  ceiling: Readonly<{ mqtt: Ceiling; amqp: Ceiling }>
  /** The connection was given up on purpose: nothing to repair. */
  planned: boolean
  sees: Readonly<{
    device: string
    hub: string
    /** The hub's Connections log, which the portal shows. */
    log: string
  }>
  meaning: string
  /** Which evidence makes it more probable, and which speaks against it. */
  tells: Readonly<{ raises: string; rulesOut: string }>
  /** In the imperative, for the person at the device and for the person who has the portal. */
  nextSteps: Readonly<{ device: readonly string[]; portal: readonly string[] }>
  docs: readonly Page[]
  /** Judges one attempt that did not become a session; `null` when this cause does not fit it. */
  fromAttempt?: (attempt: FailedAttempt, evidence: Evidence) => Finding | null
  /** Judges that nobody tried for long, though nothing was waited for; `null` when this cause does not fit it. */
  fromPause?: (evidence: Evidence) => Finding | null
  /** Judges how the time before the outage ended; `null` when this cause does not fit it. */
  fromEnding?: (ending: Ending, evidence: Evidence) => Finding | null
}>

/** The same ceiling whatever the protocol. */
export const knowable = (ceiling: Ceiling): Cause['ceiling'] => ({ mqtt: ceiling, amqp: ceiling })

/** Another cause that the same evidence fits, and what would tell the two apart. */
export const maybe = (cause: string, toDecide: string): RunnerUp => ({ cause, confidence: 'possible', toDecide })

/** WebSocket changes the road and not what the protocol lets a device know. */
export const ceilingFor = ({ ceiling }: Cause, protocol: Protocol): Ceiling =>
  protocol === 'mqtt' || protocol === 'mqtt-ws' ? ceiling.mqtt : ceiling.amqp
