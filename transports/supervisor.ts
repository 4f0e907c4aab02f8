/**
 * Keeps one identity connected, for ever: a fresh SDK client per incarnation, because the SDK hides short outages,
 * stops after four minutes and forgets subscriptions. Recovery is decided here and nowhere in the SDK.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import common from 'azure-iot-common'
import { after, type Backoff, type BackoffLimits, initialBackoff, nextDelay, type Outcome } from './backoff.js'
import type { Credential, SdkClient } from './credentials.js'
import { flatten } from './failure.js'
import type { MethodAnswer, MethodRequest, Tap, TapFactory, Wiring } from './transport.js'
import type { ClosedEvent, OurReason, PacketHeader, Protocol, WireEvent } from './wire-event.js'

export type Supervision = Readonly<{
  credential: Credential
  protocol: Protocol
  tap: TapFactory
  wiring: Wiring
  limits: BackoffLimits
  /** The token's life; the connection is renewed at three quarters of it. */
  sasLifetimeSeconds: number
  /** The last incarnation of earlier runs; numbers are never reused. */
  lastIncarnation: number
  onEvent(event: WireEvent, incarnation: number): void
  /** Told of each packet; it must not throw and must not block. */
  onPacket?(header: PacketHeader, incarnation: number): void
  /** Answers a direct method. What it throws becomes a 500: every request gets an answer. */
  onMethod(request: MethodRequest): Promise<MethodAnswer>
  /** How long a subscription to methods may be missing or refused before the incarnation is thrown away. Default: 30 s. */
  methodsProofMs?: number
  /** In [0, 1). Default: Math.random. */
  random?: () => number
  /** Default: timers; it rejects when the signal aborts. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
}>

const methodsProofMs = 30_000

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
  const { clock } = supervision.wiring
  const random = supervision.random ?? Math.random
  const wait = supervision.wait ?? ((delayMs, signal) => sleep(delayMs, undefined, { signal }))
  let incarnation = supervision.lastIncarnation
  let backoff: Backoff = initialBackoff(clock.now().bootMs)
  let attempt = 0
  let renewalId: string | null = null

  while (!signal.aborted) {
    incarnation += 1
    const life: Incarnation = new Incarnation(supervision, incarnation, renewalId, () => ++attempt)
    const end: End = await life.live(signal)
    if (end.what === 'stopped') return
    renewalId = end.what === 'renewing' ? end.id : null
    backoff = after(
      backoff,
      end.what === 'renewing' ? { what: 'renewed', lastedMs: end.lastedMs } : end,
      clock.now().bootMs,
    )
    if (end.what === 'renewing' || signal.aborted) continue

    const { delayMs, policy } = nextDelay(backoff, supervision.limits, clock.now().bootMs, random)
    const { monoMs } = clock.now()
    const { protocol } = supervision
    const { failures } = backoff
    supervision.onEvent({ type: 'retryScheduled', monoMs, protocol, attempt, delayMs, failures, policy }, incarnation)
    try {
      await wait(delayMs, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
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
  #answering = 0
  #answered: (() => void) | null = null
  #lastAttempt = 0
  #end: ((end: End) => void) | null = null

  constructor(
    private readonly supervision: Supervision,
    private readonly incarnation: number,
    private renewalId: string | null,
    nextAttempt: () => number,
  ) {
    this.#tap = supervision.tap(supervision.wiring, {
      event: event => this.#onEvent(event),
      packet: header => supervision.onPacket?.(header, incarnation),
      method: request => void this.#onMethod(request),
      nextAttempt: () => {
        this.#lastAttempt = nextAttempt()
        return this.#lastAttempt
      },
    })
    this.#client = supervision.credential.client(this.#tap.Transport)
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
    signal.removeEventListener('abort', stop)
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
      // The token's life is ours to set; the renewal that the SDK would make of it is stopped by the tap.
      const tokenRenewal = { tokenValidTimeInSeconds: sasLifetimeSeconds, tokenRenewalMarginInSeconds: 1 }
      await this.#client.setOptions({ tokenRenewal })
      await this.#client.open()
      this.#tap.enableMethods()
    } catch (error) {
      this.#sdkSaid('open', error)
      if (!this.#underWay) this.#end?.({ what: 'attemptFailed', refused: false })
    }
  }

  #onEvent(event: WireEvent): void {
    this.supervision.onEvent(event, this.incarnation)
    switch (event.type) {
      case 'connecting':
        this.#underWay = true
        return
      case 'accepted':
        this.#renewed(true)
        this.#after(this.supervision.methodsProofMs ?? methodsProofMs, () => this.#abandonDeaf())
        this.#after(Math.min(this.supervision.sasLifetimeSeconds * 750, timerMaxMs), () => void this.#renew())
        return
      case 'subscribed':
        if (event.ok) this.#subscribed = true
        return
      case 'refused':
        this.#underWay = false
        this.#renewed(false)
        this.#end?.({ what: 'attemptFailed', refused: credentialRefused.has(event.code) })
        return
      case 'closed':
        this.#underWay = false
        if (event.lastedMs === null) this.#renewed(false)
        this.#end?.(this.#endOf(event))
        return
    }
  }

  #endOf(closed: ClosedEvent): End {
    if (closed.reason === 'shutdown') return { what: 'stopped' }
    if (closed.lastedMs === null) return { what: 'attemptFailed', refused: false }
    const { lastedMs } = closed
    if (closed.reason === 'renewal' && this.renewalId !== null) {
      return { what: 'renewing', id: this.renewalId, lastedMs }
    }
    return { what: 'sessionEnded', lastedMs, likeTakeOver: this.#subscribed && likeTakeOver(closed) }
  }

  /** A subscription that was refused or never answered: the hub believes us connected, and no method gets through. */
  #abandonDeaf(): void {
    if (!this.#subscribed && !this.#leaving) this.#tap.abandon('methods')
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
    this.#tell({ type: 'renewalStarted', id: this.renewalId, why: 'sas' })
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
    const { monoMs } = this.supervision.wiring.clock.now()
    const { protocol } = this.supervision
    const { type, ...rest } = event
    const told = { type, monoMs, protocol, attempt: this.#lastAttempt, ...rest } as WireEvent
    this.supervision.onEvent(told, this.incarnation)
  }

  #after(delayMs: number, act: () => void): void {
    this.#timers.add(setTimeout(act, delayMs))
  }
}

/** The losing side of a race; it does not keep the process from ending. */
const atMost = (ms: number): Promise<void> => sleep(ms, undefined, { ref: false })

type At = Pick<WireEvent, 'monoMs' | 'protocol' | 'attempt'>
type RenewalEvent =
  | Omit<Extract<WireEvent, { type: 'renewalStarted' }>, keyof At>
  | Omit<Extract<WireEvent, { type: 'renewalDone' }>, keyof At>

/** CONNACK codes that say what was presented is not accepted, so that trying the same again soon is no use. */
const credentialRefused: ReadonlySet<number> = new Set([1, 2, 4, 5])

/** A bare FIN on a healthy session without a publish before it: what IoT Hub does to the older of two clients. */
const likeTakeOver = ({ by, how, stage, afterPublish, pingUnansweredMs }: ClosedEvent): boolean =>
  by === 'hub' && how === 'fin' && stage === 'session' && !afterPublish && pingUnansweredMs === null
