/**
 * Keeps one identity connected, for ever: a fresh SDK client per incarnation, because the SDK hides short outages,
 * stops after four minutes and forgets subscriptions. Recovery is decided here and nowhere in the SDK.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import common from 'azure-iot-common'
import { after, type Backoff, type BackoffLimits, initialBackoff, nextDelay, type Outcome } from './backoff.js'
import type { Clock } from './clock.js'
import { flatten } from './failure.js'
import { type Asking, type Credential, type Identity, IdentityError, type SdkClient } from './identity.js'
import type { Chooser, MethodAnswer, MethodRequest, Tap, TapFactory, Wiring } from './transport.js'
import type { ClosedEvent, OurReason, PacketHeader, Protocol, RefusingStep, WireEvent } from './wire-event.js'

export type Supervision = Readonly<{
  credential: Credential
  /** These two hold for every client, unless there is a choice. */
  protocol: Protocol
  tap: TapFactory
  clock: Clock
  /** How one that is known by now is connected in a protocol. */
  wiring(identity: Identity, protocol: Protocol): Wiring
  /** Who chooses the protocol of each client, in place of the two that were given. */
  chooser?: Chooser
  limits: BackoffLimits
  /** The token's life; the connection is renewed at three quarters of it. */
  sasLifetimeSeconds: number
  /** The last incarnation of earlier runs; numbers are never reused. */
  lastIncarnation: number
  onEvent(event: WireEvent, incarnation: number): void
  /** Told who we are before an incarnation begins; it must not throw. */
  onIdentity?(identity: Identity): void
  /** Told of each packet; it must not throw and must not block. */
  onPacket?(header: PacketHeader, incarnation: number): void
  /** Answers a direct method. What it throws becomes a 500: every request gets an answer. */
  onMethod(request: MethodRequest): Promise<MethodAnswer>
  /** Told when the hub has answered the subscription; it must not throw. */
  onServed?(session: ServedSession): void
  /** How long a subscription to methods may be missing or refused before the incarnation is thrown away. Default: 30 s. */
  methodsProofMs?: number
  /** How often a session looks for a newer token or certificate, where somebody else renews it. Default: 30 s. */
  renewalLookMs?: number
  /** In [0, 1). Default: Math.random. */
  random?: () => number
  /** Default: timers; it rejects when the signal aborts. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
}>

/** What may be asked of the hub while a session is served; what is asked after its end rejects. */
export type ServedSession = Pick<Tap, 'report' | 'readTwin' | 'send'> &
  Readonly<{
    /** Aborts with the session. */
    ended: AbortSignal
    /** After `readTwin`: told of each change of the desired properties, as it came. They must not throw. */
    onDesired(told: (patch: unknown) => void): void
    /** Changes are not told any more until the twin is read again. */
    onTwinLost(told: () => void): void
  }>

const methodsProofMs = 30_000
const renewalLookMs = 30_000

/** How long a polite end may take: the SDK's close() can hang for minutes. */
const goodbyeMs = 3_000

/** A renewal lets methods that are being answered finish, but not for ever. */
const renewalPatienceMs = 5_000

/** How long the SDK gets to tell its application what the wire has told us. */
const sdkWordMs = 250

/** Node's timers overflow above this. */
const timerMaxMs = 2 ** 31 - 1

/** How an incarnation ended, for what comes next. */
type End = Readonly<{ what: 'renewing'; id: string; lastedMs: number }> | Readonly<{ what: 'stopped' }> | Outcome

/** Connect, and reconnect, until the signal aborts; then say goodbye within 3 s. */
export async function supervise(supervision: Supervision, signal: AbortSignal): Promise<void> {
  const { clock, credential } = supervision
  const random = supervision.random ?? Math.random
  const wait = supervision.wait ?? ((delayMs, signal) => sleep(delayMs, undefined, { signal }))
  let incarnation = supervision.lastIncarnation
  let backoff: Backoff = initialBackoff(clock.now().bootMs)
  let attempt = 0
  let renewalId: string | null = null

  while (!signal.aborted) {
    incarnation += 1
    const spoken = await choose(supervision, attempt, incarnation)
    const found = await identify(spoken, incarnation, attempt, renewalId, signal)
    const end: End =
      found.known === null
        ? { what: 'attemptFailed', refused: false }
        : await new Incarnation(spoken, found.known, incarnation, renewalId, () => ++attempt).live(signal)
    if (end.what === 'stopped') return
    if (found.known !== null) credential.met(outcomeOf(end))
    renewalId = end.what === 'renewing' ? end.id : null
    backoff = after(
      backoff,
      end.what === 'renewing' ? { what: 'renewed', lastedMs: end.lastedMs } : end,
      clock.now().bootMs,
    )
    if (end.what === 'renewing' || signal.aborted) continue

    const next = nextDelay(backoff, supervision.limits, clock.now().bootMs, random)
    const { policy } = next
    const delayMs = Math.max(next.delayMs, found.retryAfterMs)
    const { monoMs } = clock.now()
    const { protocol } = spoken
    const { failures } = backoff
    supervision.onEvent({ type: 'retryScheduled', monoMs, protocol, attempt, delayMs, failures, policy }, incarnation)
    try {
      await wait(delayMs, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** The same supervision, with the protocol of the next client. */
async function choose(supervision: Supervision, attempt: number, incarnation: number): Promise<Supervision> {
  const { chooser, clock, onEvent } = supervision
  if (!chooser) return supervision
  const { protocol, tap, changed } = await chooser.next()
  if (changed) {
    const { monoMs } = clock.now()
    onEvent({ type: 'protocolChosen', monoMs, protocol, attempt, ...changed }, incarnation)
  }
  return { ...supervision, protocol, tap }
}

/** Who we are, and the wire that goes with it. */
type Known = Readonly<{ identity: Identity; wiring: Wiring }>

/** Who we are, asked anew for each incarnation; a failure is told, and is an attempt that did not get as far as the wire. */
async function identify(
  { credential, protocol, clock, wiring, onEvent, onIdentity }: Supervision,
  incarnation: number,
  attempt: number,
  renewalId: string | null,
  signal: AbortSignal,
): Promise<{ known: Known | null; retryAfterMs: number }> {
  const at = () => ({ monoMs: clock.now().monoMs, protocol, attempt })
  const tell: Asking['tell'] = ({ type, ...rest }) => onEvent({ type, ...at(), ...rest } as WireEvent, incarnation)
  try {
    const identity = await credential.identify({ signal, tell })
    onIdentity?.(identity)
    return { known: { identity, wiring: wiring(identity, protocol) }, retryAfterMs: 0 }
  } catch (error) {
    if (!signal.aborted) onEvent({ type: 'sdkError', ...at(), during: 'identify', error: flatten(error) }, incarnation)
    if (renewalId !== null) onEvent({ type: 'renewalDone', ...at(), id: renewalId, ok: false }, incarnation)
    return { known: null, retryAfterMs: error instanceof IdentityError ? error.retryAfterMs : 0 }
  }
}

function outcomeOf(end: Exclude<End, { what: 'stopped' }>): Parameters<Credential['met']>[0] {
  if (end.what === 'attemptFailed') return end.refused ? 'refused' : 'failed'
  return 'accepted'
}

/** One SDK client, from its making to its end. It never outlives `live`: the fuse of its tap sees to it. */
class Incarnation {
  readonly #tap: Tap
  readonly #client: SdkClient
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Whether an attempt or a session is under way, so that an end of it will be told. */
  #underWay = false
  /** We are on our way out, and the reason is given: no other one takes its place. */
  #leaving = false
  /** What comes after the end is of an incarnation that nobody follows any more. */
  #over = false
  #subscribed = false
  readonly #ended = new AbortController()
  #onDesired: (patch: unknown) => void = () => undefined
  #onTwinLost: () => void = () => undefined
  /** The hub has said that another client has the identity. */
  #stolen = false
  #answering = 0
  #answered: (() => void) | null = null
  #lastAttempt = 0
  #end: ((end: End) => void) | null = null
  #stopListening = (): void => undefined

  constructor(
    private readonly supervision: Supervision,
    private readonly known: Known,
    private readonly incarnation: number,
    private renewalId: string | null,
    nextAttempt: () => number,
  ) {
    this.#tap = supervision.tap(known.wiring, {
      event: event => this.#onEvent(event),
      packet: header => supervision.onPacket?.(header, incarnation),
      method: request => void this.#onMethod(request),
      desired: patch => this.#onDesired(patch),
      twinLost: () => this.#onTwinLost(),
      nextAttempt: () => {
        this.#lastAttempt = nextAttempt()
        return this.#lastAttempt
      },
    })
    this.#client = known.identity.client(this.#tap.Transport)
    this.#client.setRetryPolicy(new common.NoRetry())
    this.#client.on('error', error => this.#sdkSaid('session', error))
    this.#client.on('disconnect', (said: { transportObj?: unknown } | undefined) =>
      this.#sdkSaid('session', said?.transportObj ?? new Error('disconnect')),
    )
  }

  async live(signal: AbortSignal): Promise<End> {
    const ended = new Promise<End>(resolve => {
      this.#end = resolve
    })
    const stop = (): void => void this.#leave('shutdown')
    signal.addEventListener('abort', stop, { once: true })
    const opened = this.#open()
    const end = await ended
    this.#end = null
    this.#ended.abort()
    signal.removeEventListener('abort', stop)
    this.#stopListening()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#tap.abandon('abandoned')
    // What the SDK tells its application follows the wire by some ticks, and belongs to this outage.
    await Promise.race([opened, atMost(sdkWordMs)])
    // Its own close() may hang or fail; nothing waits for it, because the fuse has ended the socket already.
    this.#client.close().catch(() => undefined)
    this.#over = true
    return end
  }

  async #open(): Promise<void> {
    try {
      const { sasLifetimeSeconds } = this.supervision
      // The token's life is ours to set. Where the session does not outlive it, the SDK's own renewal is stopped by the tap.
      const marginSeconds = this.#tap.renewsItself ? sasLifetimeSeconds / 4 : 1
      const tokenRenewal = {
        tokenValidTimeInSeconds: sasLifetimeSeconds,
        tokenRenewalMarginInSeconds: Math.max(marginSeconds, sasLifetimeSeconds - timerMaxMs / 1e3),
      }
      await this.#client.setOptions(this.known.identity.options(tokenRenewal))
      await this.#client.open()
      this.#tap.enableMethods()
    } catch (error) {
      this.#sdkSaid('open', error)
      if (!this.#underWay) this.#end?.({ what: 'attemptFailed', refused: false })
    }
  }

  #onEvent(event: WireEvent): void {
    this.supervision.onEvent(event, this.incarnation)
    this.supervision.chooser?.saw(event)
    switch (event.type) {
      case 'connecting':
        this.#underWay = true
        return
      case 'accepted':
        this.#renewed(true)
        this.#after(this.supervision.methodsProofMs ?? methodsProofMs, () => this.#abandonDeaf())
        // Another protocol is a new client with a new token: a renewal before its time.
        this.#listenForBetter()
        this.#planRenewal()
        return
      case 'subscribed':
        if (!event.ok || this.#subscribed) return
        this.#subscribed = true
        this.supervision.onServed?.(this.#served())
        return
      case 'detached':
        if (event.condition === linkStolen) this.#stolen = true
        return
      case 'refused':
        this.#underWay = false
        this.#renewed(false)
        this.#end?.({ what: 'attemptFailed', refused: credentialRefused[event.step].has(event.code) })
        return
      case 'closed':
        this.#underWay = false
        if (event.lastedMs === null) this.#renewed(false)
        this.#end?.(this.#endOf(event))
        return
    }
  }

  #served(): ServedSession {
    return {
      report: patch => this.#tap.report(patch),
      readTwin: () => this.#tap.readTwin(),
      send: message => this.#tap.send(message),
      ended: this.#ended.signal,
      onDesired: told => {
        this.#onDesired = told
      },
      onTwinLost: told => {
        this.#onTwinLost = told
      },
    }
  }

  #listenForBetter(): void {
    const { chooser, wiring } = this.supervision
    if (!chooser) return
    const wiringOf = (protocol: Protocol): Wiring => wiring(this.known.identity, protocol)
    this.#stopListening = chooser.whenBetter(wiringOf, () => void this.#renew())
  }

  #endOf(closed: ClosedEvent): End {
    if (closed.reason === 'shutdown') return { what: 'stopped' }
    if (closed.lastedMs === null) return { what: 'attemptFailed', refused: closed.error?.code === unauthorized }
    const { lastedMs } = closed
    if (closed.reason === 'renewal' && this.renewalId !== null) {
      return { what: 'renewing', id: this.renewalId, lastedMs }
    }
    const isTakeOver = this.#stolen || closed.error?.code === linkStolen
    return { what: 'sessionEnded', lastedMs, likeTakeOver: isTakeOver || (this.#subscribed && likeTakeOver(closed)) }
  }

  /** A subscription that was refused or never answered: the hub believes us connected, and no method gets through. */
  #abandonDeaf(): void {
    if (!this.#subscribed && !this.#leaving) this.#tap.abandon('methods')
  }

  #planRenewal(): void {
    const { sasLifetimeSeconds, renewalLookMs: lookMs = renewalLookMs } = this.supervision
    if (this.known.identity.renewal === 'ours') {
      if (this.#tap.renewsItself) return
      this.#after(Math.min(sasLifetimeSeconds * 750, timerMaxMs), () => void this.#renew())
    } else this.#after(lookMs, () => void this.#renewIfNewer())
  }

  async #renewIfNewer(): Promise<void> {
    const newer = await this.supervision.credential.hasNewer(this.known.identity)
    if (!this.#underWay || this.#leaving) return
    if (newer) await this.#renew()
    else this.#planRenewal()
  }

  async #renew(): Promise<void> {
    if (this.#answering > 0) {
      const answered = new Promise<void>(resolve => {
        this.#answered = resolve
      })
      await Promise.race([answered, atMost(renewalPatienceMs)])
    }
    if (!this.#underWay || this.#leaving) return
    this.renewalId = randomUUID()
    const why = this.known.identity.kind === 'x509' ? 'x509' : 'sas'
    this.#tell({ type: 'renewalStarted', id: this.renewalId, why })
    await this.#leave('renewal')
  }

  #renewed(ok: boolean): void {
    if (this.renewalId === null) return
    this.#tell({ type: 'renewalDone', id: this.renewalId, ok })
    this.renewalId = null
  }

  /** Says goodbye as the protocol wants it, for at most 3 s, and then ends it all the same. */
  async #leave(reason: OurReason): Promise<void> {
    this.#leaving = true
    this.#tap.leaving(reason)
    if (this.#underWay) {
      // A failed goodbye is no news: the wire tells how it ended.
      await Promise.race([this.#client.close().catch(() => undefined), atMost(goodbyeMs)])
    }
    this.#tap.abandon(reason)
    this.#end?.({ what: 'stopped' })
  }

  async #onMethod(request: MethodRequest): Promise<void> {
    this.#answering += 1
    try {
      await this.#tap.answer(request.requestId, await this.#answerTo(request))
    } catch (error) {
      this.#sdkSaid('methods', error)
    }
    this.#answering -= 1
    if (this.#answering === 0) this.#answered?.()
  }

  async #answerTo(request: MethodRequest): Promise<MethodAnswer> {
    try {
      return await this.supervision.onMethod(request)
    } catch (error) {
      return { status: 500, payload: { message: flatten(error).message } }
    }
  }

  #sdkSaid(during: 'open' | 'session' | 'methods', error: unknown): void {
    if (!this.#over) this.#tell({ type: 'sdkError', during, error: flatten(error) })
  }

  #tell(event: Omit<Extract<WireEvent, { type: 'sdkError' }>, keyof At> | RenewalEvent): void {
    const { monoMs } = this.supervision.clock.now()
    const { protocol } = this.supervision
    const { type, ...rest } = event
    const told = { type, monoMs, protocol, attempt: this.#lastAttempt, ...rest } as WireEvent
    this.supervision.onEvent(told, this.incarnation)
  }

  #after(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, delayMs)
    this.#timers.add(timer)
  }
}

/** The losing side of a race; it does not keep the process from ending. */
const atMost = (ms: number): Promise<void> => sleep(ms, undefined, { ref: false })

type At = Pick<WireEvent, 'monoMs' | 'protocol' | 'attempt'>
type RenewalEvent =
  | Omit<Extract<WireEvent, { type: 'renewalStarted' }>, keyof At>
  | Omit<Extract<WireEvent, { type: 'renewalDone' }>, keyof At>

/** What says that what was presented is not accepted, so that trying the same again soon is no use. */
const credentialRefused: Readonly<Record<RefusingStep, ReadonlySet<number>>> = {
  connack: new Set([1, 2, 4, 5]),
  cbs: new Set([401, 403, 404]),
  // Neither has seen our credential.
  proxy: new Set(),
  upgrade: new Set(),
}

const linkStolen = 'amqp:link:stolen'

/** What AMQP says of a certificate, for which there is no put-token that could be refused. */
const unauthorized = 'amqp:unauthorized-access'

/**
 * A bare FIN on a healthy session without a publish before it: what IoT Hub does to the older of two MQTT clients. Over a
 * WebSocket a close frame that complains of nothing is the same; over AMQP the hub says so in a word.
 */
const likeTakeOver = (closed: ClosedEvent): boolean =>
  (closed.protocol === 'mqtt' || closed.protocol === 'mqtt-ws') &&
  closed.by === 'hub' &&
  (closed.how === 'fin' || isPlainClose(closed)) &&
  closed.stage === 'session' &&
  !closed.afterPublish &&
  closed.pingUnansweredMs === null

/** RFC 6455, 7.4.1: normal closure, or no code at all. */
const isPlainClose = ({ how, error }: ClosedEvent): boolean =>
  how === 'goodbye' && error?.name === 'WebSocketClose' && (error.code === '1000' || error.code === '1005')
