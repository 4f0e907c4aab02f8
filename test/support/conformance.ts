/** One cell of the conformance table, made to happen with the real SDK against the local hub. */
import type { Episode } from '../../agent/evidence/episode.js'
import type { ClosedEvent, Protocol, WireEvent } from '../../transports/wire-event.js'
import type { Moment, Row, Way } from './conformance-row.js'
import { type FollowedConnection, type FollowOptions, followConnection } from './followed-connection.js'
import { breaches } from './pairing.js'
import type { Scene, Troubles } from './troubles.js'
import { storiesOf } from './wire-words.js'

export type When = 'start' | 'session'

type Step = NonNullable<Row['unanswered']>
type Limits = Readonly<Record<Step, number>>

export type Shown = Readonly<{
  /** What the attempts (or the session) showed that met the trouble: each story once. */
  wire: readonly string[]
  /** Cause and confidence of the episodes, in order; `; ` where they changed. */
  verdict: string
  /** A sentence for each promise of ours that did not hold. */
  broken: readonly string[]
}>

/** For the step that is never answered, while it is not; all others keep their 10 s, so that a busy machine is no fault. */
const limitsMs: Limits = { dns: 1_000, tcp: 1_000, tls: 1_000, accept: 2_000 }
const otherwiseMs: Limits = { dns: 10_000, tcp: 10_000, tls: 10_000, accept: 10_000 }

/** The loss of a methods link is seen at once; the hub gets a moment to say more. */
const deafMs = 2_000

const keepaliveSeconds = 3
/** Renewed at three quarters of it. An answer that does not come is missed before the old token ends. */
const sasLifetimeSeconds = 12
const renewalLimitMs = 1_500

export async function showCell(
  troubles: Troubles,
  row: Row,
  protocol: Protocol,
  when: When,
  { way }: Pick<Moment, 'way'>,
): Promise<Shown> {
  const scene = await troubles.scene(row.trouble, protocol)
  const connection = new Run(scene, row, way, when)
  try {
    return await connection.show()
  } finally {
    await connection.stop()
    await scene.close()
  }
}

class Run {
  readonly #broken: string[] = []
  /** The trouble is there. */
  #isOn = false
  #connection: FollowedConnection | null = null

  constructor(
    private readonly scene: Scene,
    private readonly row: Row,
    private readonly way: Way,
    private readonly when: When,
  ) {}

  async show(): Promise<Shown> {
    if (this.when === 'start') await this.#begin()
    this.#connection = followConnection(this.#options())
    const wire = this.when === 'start' ? await this.#fromTheStart() : await this.#inASession()
    // What follows is our own goodbye.
    const episodes = [...this.#follow.episodes]
    await this.stop()
    const verdicts = episodes.map(
      ({ verdict, planned }) => `${verdict.cause} ${verdict.confidence}${planned ? ' (planned)' : ''}`,
    )
    this.#expect(
      episodes.every(({ state, provisional }) => this.way === 'stays' || (state === 'closed' && !provisional)),
      'an episode is left open',
    )
    return {
      wire: [...new Set(wire)],
      verdict: verdicts.filter((verdict, index) => verdict !== verdicts[index - 1]).join('; ') || 'no episode',
      broken: [...this.#broken, ...breaches(this.#events(0))],
    }
  }

  #options(): FollowOptions {
    const { scene, row, way } = this
    const limitOf = (step: Step): number => {
      if (row.unanswered !== step) return otherwiseMs[step]
      // The limits are those of the connection that is to be renewed.
      if (way === 'renewal') return renewalLimitMs
      return this.#isOn ? limitsMs[step] : otherwiseMs[step]
    }
    return {
      ...scene.options,
      keepaliveSeconds: way === 'strikes' ? keepaliveSeconds : 60,
      ...(way === 'renewal' || way === 'renews' ? { sasLifetimeSeconds } : {}),
      timeoutsMs: {
        get dns() {
          return limitOf('dns')
        },
        get tcp() {
          return limitOf('tcp')
        },
        get tls() {
          return limitOf('tls')
        },
        get accept() {
          return limitOf('accept')
        },
      },
      ...row.options,
    }
  }

  async #begin(): Promise<void> {
    this.#isOn = true
    await this.scene.begin()
  }

  async #heal(): Promise<void> {
    this.#isOn = false
    await this.scene.heal()
  }

  async stop(): Promise<void> {
    await this.#connection?.stop()
  }

  get #follow(): FollowedConnection {
    if (!this.#connection) throw new Error('there is no connection yet')
    return this.#connection
  }

  #events(from: number): WireEvent[] {
    return this.#follow.told.slice(from).map(({ event }) => event)
  }

  #expect(holds: boolean, promise: string): void {
    if (!holds) this.#broken.push(promise)
  }

  async #fromTheStart(): Promise<string[]> {
    const connection = this.#follow
    if (this.way === 'bears') {
      await this.#answersAgain(0)
      return storiesOf(this.#events(0))
    }
    const told = await this.#failures(0)
    const [episode, ...others] = connection.episodes
    const cameIn = connection.told.some(({ event }) => event.type === 'accepted')
    if (!cameIn) {
      this.#expect(others.length === 0, `${others.length + 1} episodes of one outage`)
      this.#expect(episode?.state === 'open' && episode.provisional, 'the episode is not open while it lasts')
      this.#expect(episode?.session === null, 'a session was told that there was not')
    }
    const during = judged(episode)
    if (this.way === 'stays') {
      this.#sentNoCredential()
      return storiesOf(told)
    }
    await this.#heal()
    await this.#answersAgain(0)
    if (!cameIn) {
      this.#expect(connection.episodes.length === 1, `${connection.episodes.length} episodes of one outage`)
      const after = judged(connection.episodes[0])
      this.#expect(during === after, `the verdict was ${during} while it lasted, and is ${after} now`)
      this.#expect(
        connection.episodes[0]?.sdkSaid != null || this.row.sdkIsSilent === true,
        'what the SDK said is not kept beside it',
      )
    }
    return storiesOf(told)
  }

  async #inASession(): Promise<string[]> {
    const connection = this.#follow
    await connection.next('subscribed', { where: ({ ok }) => ok })
    // The first answer to a method is the first publish, and for a second may be what a close is about.
    if (this.way !== 'publish' && this.way !== 'fights') await this.#answersAgain(0)
    const from = connection.told.length
    switch (this.way) {
      case 'away': {
        await this.#begin()
        this.scene.door.cut('fin')
        const ended = await connection.next('closed', { from })
        const told = await this.#failures(this.#indexOf(ended) + 1)
        await this.#heal()
        await this.#answersAgain(from)
        this.#lostASession()
        return storiesOf(told)
      }
      case 'ends': {
        await this.#begin()
        const ended = await connection.next('closed', { from })
        await this.#failures(this.#indexOf(ended) + 1)
        const told = this.#events(from)
        await this.#heal()
        await this.#answersAgain(from)
        this.#lostASession()
        return storiesOf(told.slice(0, -1))
      }
      case 'strikes': {
        // Before the session ends its successor must be let in, or the fault would strike that one too.
        const ended = connection.next('closed', { from }).then(async closed => {
          await this.#heal()
          return closed
        })
        ended.catch(() => undefined)
        await this.#begin()
        const closed = await ended
        await this.#answersAgain(from)
        this.#lostASession()
        this.#wasNoticed(closed)
        return storiesOf(this.#events(from).slice(0, this.#indexOf(closed) - from + 1))
      }
      case 'bears': {
        await this.#begin()
        await this.#answers()
        this.#expect(
          this.#events(from).every(({ type }) => type !== 'connecting'),
          'it was connected anew',
        )
        return storiesOf(this.#events(from))
      }
      case 'publish':
        return this.#uponPublish()
      case 'loses': {
        await this.#begin()
        this.scene.door.cut('fin')
        const again = await connection.next('accepted', { from })
        await this.#answersAgain(from)
        this.#expect(again.sessionPresent === false, 'the session was still there')
        return storiesOf(this.#events(from))
      }
      case 'renews': {
        const done = await connection.next('renewalDone', { from })
        await connection.next('subscribed', { where: ({ ok, attempt }) => ok && attempt === done.attempt })
        await this.#answers()
        return storiesOf(this.#events(from))
      }
      case 'renewal': {
        await this.#begin()
        const done = await connection.next('renewalDone', { from })
        const retry = await connection.next('retryScheduled', { from: this.#indexOf(done) })
        const told = this.#events(from).slice(0, this.#indexOf(retry) - from)
        await this.#heal()
        await this.#answersAgain(this.#indexOf(retry))
        return storiesOf(told)
      }
      case 'fights': {
        for (let round = 0; round < 3; round++) {
          const before = connection.told.length
          await this.#begin()
          await connection.next('closed', { from: before })
          await connection.next('subscribed', { from: before, where: ({ ok }) => ok })
          await this.#heal()
        }
        await this.#answers()
        return storiesOf(this.#events(from))
          .map(story => story.replace(/^accepted; /, ''))
          .filter(story => story !== 'accepted')
      }
      case 'stays':
        throw new Error('it has been there from the start')
    }
  }

  #sentNoCredential(): void {
    const { hub, deviceId } = this.scene
    const sent = new Set<string>(['connect', 'putToken', 'upgrade'])
    this.#expect(
      !hub.log.some(event => sent.has(event.type) && 'deviceId' in event && event.deviceId === deviceId),
      'a server that was not verified was spoken to',
    )
  }

  async #uponPublish(): Promise<string[]> {
    const { hub, deviceId } = this.scene
    const connection = this.#follow
    await this.#begin()
    const stories: string[] = []
    let from = connection.told.length
    for (let round = 0; round < 2; round++) {
      // The answer to a method is a publish; the hub closes instead of taking it.
      const call = hub.invokeMethod({ deviceId }, { methodName: 'ping', responseTimeoutInSeconds: 1 })
      const refused = await call.then(
        () => false,
        () => true,
      )
      this.#expect(refused, 'the call was answered')
      const closed = await connection.next('closed', { from })
      stories.push(...storiesOf(this.#events(from).slice(0, this.#indexOf(closed) - from + 1)))
      await connection.next('subscribed', { from })
      from = connection.told.length
    }
    await this.#heal()
    await this.#answers()
    return stories
  }

  /** Back, proven by a 200 to a call that the hub makes. */
  async #answersAgain(from: number): Promise<void> {
    for (let next = from; ; ) {
      const subscribed = await this.#follow.next('subscribed', { from: next, where: ({ ok }) => ok })
      next = this.#indexOf(subscribed) + 1
      // While it was healed, another attempt may still have met it.
      const hasEnded = this.#events(next).some(
        ({ attempt, type }) => attempt === subscribed.attempt && (type === 'closed' || type === 'detached'),
      )
      if (!hasEnded) break
    }
    await this.#answers()
  }

  async #answers(): Promise<void> {
    const { hub, deviceId } = this.scene
    const answer = await hub.invokeMethod({ deviceId }, { methodName: 'ping' })
    const text = JSON.stringify(answer)
    this.#expect(text === '{"status":200,"payload":{"name":"ping"}}', `a method was answered by ${text}`)
  }

  /** Ended attempts: an outage and not a hiccup. @returns what was told until then, but for the attempt that follows */
  async #failures(from: number): Promise<WireEvent[]> {
    const connection = this.#follow
    let next = from
    for (let left = this.row.rounds ?? 2; left > 0; left--) {
      next = this.#indexOf(await connection.next('retryScheduled', { from: next })) + 1
    }
    await connection.next('connecting', { from: next })
    return this.#events(from).slice(0, next - from)
  }

  #indexOf(event: WireEvent): number {
    return this.#follow.told.findIndex(told => told.event === event)
  }

  #lostASession(): void {
    const [episode] = this.#follow.episodes
    this.#expect(episode?.session != null, 'the session that was lost is not told')
  }

  #wasNoticed({ silentMs, how, reason, pingUnansweredMs }: ClosedEvent): void {
    const [episode, ...others] = this.#follow.episodes
    this.#expect(others.length === 0, `${others.length + 1} episodes of one end`)
    const detectedAfterMs = episode?.detectedAfterMs ?? Number.NaN
    if (reason === 'methods') {
      this.#expect(detectedAfterMs < deafMs, `noticed after ${detectedAfterMs} ms`)
      return
    }
    // A ping that was out for a moment only, when the hub said goodbye, says nothing.
    const isFresh =
      pingUnansweredMs === null || (how === 'goodbye' && detectedAfterMs === 0 && pingUnansweredMs < deafMs)
    if (how !== 'timeout' && isFresh) {
      this.#expect(detectedAfterMs === 0, `noticed after ${detectedAfterMs} ms`)
      return
    }
    // A goodbye is the last that was heard, and the ping before it was out for as long; so are frames while the way to the hub is dead.
    const unheardMs = Math.max(silentMs, pingUnansweredMs ?? 0)
    this.#expect(
      detectedAfterMs === Math.round(unheardMs),
      `noticed after ${detectedAfterMs} ms, unheard for ${unheardMs} ms`,
    )
    this.#expect(unheardMs > 990 && unheardMs < 20_000, `unheard for ${unheardMs} ms`)
    this.#expect(
      (episode?.durationMs ?? 0) >= unheardMs - 1,
      'the outage did not begin when nothing was answered any more',
    )
  }
}

const judged = (episode: Episode | undefined): string | undefined =>
  episode && `${episode.verdict.cause} ${episode.verdict.confidence}`
