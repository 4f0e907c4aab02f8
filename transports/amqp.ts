/**
 * AMQP, tapped under the SDK's translation: rhea gets our socket, and each frame is read off it as it passes.
 *
 * The SDK tells of the hub's `close` after 45 s, of a dead methods link never, and calls every refused token unauthorized;
 * here each has its own name and its own moment.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import amqpBase from 'azure-iot-amqp-base'
import common from 'azure-iot-common'
import amqpDevice from 'azure-iot-device-amqp'
import rhea from 'rhea'
import frames from 'rhea/lib/frames.js'
import type { AmqpError, AmqpFrame } from './amqp-frames.js'
import { createAmqpWatch } from './amqp-watch.js'
import { type Attempt, type Header, round, startAttempt, type Told } from './attempt.js'
import { sdkMessage } from './cloud-message.js'
import { flatten } from './failure.js'
import { type Answered, createQuestions, type Questions } from './questions.js'
import { rememberToken } from './remember-token.js'
import type { Upgrade } from './socket-tap.js'
import type { MethodAnswer, MethodRequest, Tap, TapFactory, TapListener, Wiring } from './transport.js'
import { readTwin } from './twin-document.js'
import type { Failure, OurReason } from './wire-event.js'

/** Which protocol the frames travel in. */
export type AmqpRoad = Readonly<{ protocol: 'amqp' | 'amqp-ws'; upgrade?: Upgrade }>

export const tapAmqp: TapFactory = (wiring, listener) => tapAmqpOver({ protocol: 'amqp' }, wiring, listener)

/** A peer has to send something within the time that we announce; this much of it is taken for a dead one. */
const silenceFactor = 1.25

/** How long the hub's own close may follow the loss of a methods link, before we end what cannot be called any more. */
const methodsGraceMs = 100

/** How soon the loss of one link of the twin follows that of the other. */
const twinGraceMs = 100

/** A close this soon after the first publish may be the hub's answer to it. */
const publishEchoMs = 1_000

const cbsOk = 200
const methodsPath = '/methods/devicebound'
const twinPath = '/twin'

/** What SUBACK says for a refused subscription, so that a reader needs to know one number only. */
const notGranted = 0x80

const lost = new Error('the connection is gone')

type AuthenticationProvider = ConstructorParameters<typeof amqpDevice.Amqp>[0]

/** One with a key renews its token on a timer of its own until it is told to stop, and says so when it cannot. */
type TokenProvider = AuthenticationProvider & { stop?(): void; on?(event: 'error', listener: () => void): void }

export function tapAmqpOver(road: AmqpRoad, wiring: Wiring, listener: TapListener): Tap {
  let fused = false
  let reason: OurReason | null = null
  let current: Connection | null = null
  let instance: amqpDevice.Amqp | null = null
  let isX509 = false
  let stopTokens = (): void => undefined
  /** Where a link never comes, the SDK waits for ever. */
  const twinQuestions = createQuestions()
  const messages = createQuestions()
  const twinBodies = createCloakroom()

  const abandon = (why: OurReason): void => {
    reason = why
    fused = true
    stopTokens()
    current?.abandon()
  }

  /** Every link that it ever had: the SDK forgets them while it still waits for their end. */
  const links = new Set<Link>()
  const remember = (link: Link | undefined): void => {
    if (!link || links.has(link)) return
    links.add(link)
    makeSafe(link)
  }

  class TappedBase extends amqpBase.Amqp {
    override connect(config: amqpBase.AmqpBaseTransportConfig, done: amqpBaseCallback): void {
      if (fused) {
        // Asking for the credentials has started its timer again.
        stopTokens()
        setImmediate(() => done(new common.errors.NotConnectedError('this connection was given up')))
        return
      }
      const connection = connect(road, wiring, listener, {
        isX509,
        ourReason: () => reason,
        methodsLeaving: () => {
          reason ??= 'methods'
        },
        methodsLost: () => {
          if (reason === null || reason === 'methods') abandon('methods')
        },
        askForEcho: () => askForEcho(this),
        gone: () => {
          letGo(this, links)
          twinQuestions.giveUp(lost)
          messages.giveUp(lost)
        },
        twinDetached: () => {
          twinQuestions.giveUp(new Error('the hub has detached the links of the twin'))
          if (fused) return
          if (instance) letTwinGo(instance)
          listener.twinLost?.()
        },
      })
      current = connection
      const policyOverride = {
        connection_details: () => ({ connect: connection.dial }),
        idle_time_out: wiring.keepaliveSeconds * 1e3,
        reconnect: false,
      }
      super.connect({ ...config, policyOverride }, done)
      hush(this)
    }

    override initializeCBS(done: (error?: Error) => void): void {
      super.initializeCBS(done)
      const { _cbs: cbs } = inside(this)
      remember(cbs?._senderLink)
      remember(cbs?._receiverLink)
    }

    override putToken(audience: string, token: string, done: (error?: Error) => void): void {
      rememberToken(wiring.secrets, token)
      super.putToken(audience, token, done)
    }

    override attachSenderLink(endpoint: string, options: unknown, done: amqpBaseCallback<amqpBase.SenderLink>): void {
      super.attachSenderLink(endpoint, options, (error, link) => {
        if (link && endpoint.endsWith(methodsPath)) current?.answerOver(link)
        done(error, link)
      })
      remember(inside(this)._senders[endpoint])
    }

    override attachReceiverLink(
      endpoint: string,
      options: unknown,
      done: amqpBaseCallback<amqpBase.ReceiverLink>,
    ): void {
      super.attachReceiverLink(endpoint, options, (error, link) => {
        const connection = current
        if (link && endpoint.endsWith(twinPath)) {
          done(error, link)
          makeSafeToRead(link, twinBodies, patch => {
            if (!fused) listener.desired?.(patch)
          })
          return
        }
        if (!link || !connection || !endpoint.endsWith(methodsPath)) return done(error, link)
        const onRequest = (message: RheaMessage): void => {
          const request = connection.read(message)
          if (request && !fused) listener.method(request)
        }
        link.on('message', onRequest)
        done(error, link)
        // The SDK's own reader throws at a request without properties, where nobody can catch it, and never answers what it
        // does not know; and it must not be the last to leave, because the link would leave with it.
        for (const each of link.listeners('message')) {
          if (each !== onRequest) link.removeListener('message', each as () => void)
        }
      })
      remember(inside(this)._receivers[endpoint])
    }
  }

  const base = new TappedBase(false)
  forgive(base)
  sparesSession(base, () => current?.isTwinLost() ?? false)

  class TappedAmqp extends amqpDevice.Amqp {
    constructor(authenticationProvider: TokenProvider) {
      super(authenticationProvider, base)
      instance = this
      isX509 = authenticationProvider.type === common.AuthenticationType.X509
      stopTokens = () => authenticationProvider.stop?.()
      // It would not try to sign again: only a new client does.
      authenticationProvider.on?.('error', () => abandon('renewal'))
    }
  }

  const askOf = (
    questions: Questions,
    put: (transport: amqpDevice.Amqp, answered: Answered<unknown>) => void,
  ): Promise<unknown> =>
    fused || !instance ? Promise.reject(lost) : questions.ask(answered => put(instance!, answered))

  return {
    Transport: TappedAmqp,
    renewsItself: true,
    enableMethods: () => {
      if (!fused) instance?.enableMethods(() => undefined)
    },
    answer: (requestId, answer) => (current ? current.answer(requestId, answer) : Promise.reject(lost)),
    async report(patch) {
      await askOf(twinQuestions, (transport, answered) => transport.updateTwinReportedProperties(patch, answered))
    },
    async send(message) {
      await askOf(messages, (transport, answered) => transport.sendEvent(sdkMessage(message), answered))
    },
    async readTwin() {
      // Before the question: what changes in between is then told of, and its version says on which side of the answer it stands.
      await askOf(twinQuestions, (transport, answered) => transport.enableTwinDesiredPropertiesUpdates(answered))
      return readTwin(twinBodies.take(await askOf(twinQuestions, (transport, answered) => transport.getTwin(answered))))
    },
    leaving: why => {
      reason = why
    },
    abandon,
  }
}

type amqpBaseCallback<T = unknown> = (error: Error | null, result?: T) => void

/** As much of rhea's as a method needs. */
type RheaMessage = Readonly<{
  application_properties?: Readonly<Record<string, unknown>>
  correlation_id?: unknown
  body?: unknown
}>

type Connection = Readonly<{
  /** For rhea: what it takes for a socket. It is told when it may write. */
  dial(port: unknown, host: unknown, options: unknown, connected: () => void): EventEmitter
  answerOver(link: amqpBase.SenderLink): void
  read(message: RheaMessage): MethodRequest | null
  answer(requestId: string, answer: MethodAnswer): Promise<void>
  /** Just now: whatever the SDK makes of it is of the twin alone. */
  isTwinLost(): boolean
  abandon(): void
}>

type Surroundings = Readonly<{
  isX509: boolean
  ourReason(): OurReason | null
  /** The hub believes us connected, and no method gets through. */
  methodsLost(): void
  /** The hub has detached the twin's links, or one of them. */
  twinDetached(): void
  /** The SDK says goodbye because of it, unless we are on our way out anyway. */
  methodsLeaving(): void
  /** @returns whether there is a session to ask in */
  askForEcho(): boolean
  /** The stream is gone, and rhea knows. */
  gone(): void
}>

/** What the frames of one attempt mean, and of its session. */
function connect(
  { protocol, upgrade }: AmqpRoad,
  wiring: Wiring,
  listener: TapListener,
  surroundings: Surroundings,
): Connection {
  const { clock } = wiring
  const socket = new EventEmitter()
  let connected = (): void => undefined
  let heardMs = 0
  let firstPublishMs: number | null = null
  let tokenSentMs = 0
  /** While an echo is out. */
  let echoAskedMs: number | null = null
  /** Nothing but the question for an echo can have been what the peer has answered. */
  let isOnlyEcho = false
  let answersEchoes = false
  let renewalId: string | null = null
  let methods: { sender: boolean; receiver: boolean; told: boolean } = { sender: false, receiver: false, told: false }
  /** The hub has ended a methods link. */
  let isDeaf = false
  /** The hub has detached a link of the twin, and the other may follow. */
  let isTwinLost = false
  /** It is known why it ends. */
  let isUnderstood = false
  let answers: amqpBase.SenderLink | null = null
  /** How the hub numbers the requests that are not answered yet. */
  const correlations = new Map<string, unknown>()
  const unanswered = new Set<(error: Error) => void>()

  const attempt: Attempt = startAttempt({
    protocol,
    ...(upgrade ? { upgrade } : {}),
    wiring,
    listener,
    ourReason: surroundings.ourReason,
    account: () => ({
      // Of a peer that has never answered one, that says nothing.
      pingUnansweredMs: answersEchoes && echoAskedMs !== null ? round(clock.now().monoMs - echoAskedMs) : null,
      inFlightPublishes: watch.inFlight(),
      afterPublish: firstPublishMs !== null && clock.now().bootMs - firstPublishMs < publishEchoMs,
    }),
    ready: () => connected(),
    ending: () => renewed(false),
  })
  /** More frames may have come in one piece than the attempt has lived to see. */
  const tell = (event: Told): void => {
    if (!attempt.isOver) attempt.tell(event)
  }

  const renewed = (ok: boolean): void => {
    if (renewalId === null) return
    tell({ type: 'renewalDone', id: renewalId, ok })
    renewalId = null
  }
  const accept = (): void => {
    if (attempt.isAccepted) return
    attempt.accepted(null)
    watchForSilence()
    askForEchoes()
  }
  const watchForSilence = (): void => {
    const limitMs = wiring.keepaliveSeconds * 1e3 * silenceFactor
    const check = (): void => {
      const silentMs = clock.now().monoMs - heardMs
      if (silentMs >= limitMs) attempt.destroy('timeout')
      else attempt.after(limitMs - silentMs, check)
    }
    attempt.after(limitMs, check)
  }
  /**
   * Heartbeats of the hub say that the way from it is open, and nothing of the way to it. Its stack answers who asks for an echo, as
   * AMQP demands; one that has not done so before is not held to it.
   */
  const askForEchoes = (): void => {
    const intervalMs = wiring.keepaliveSeconds * 1e3
    const ask = (): void => {
      isOnlyEcho = true
      if (!surroundings.askForEcho()) return
      echoAskedMs = clock.now().monoMs
      if (answersEchoes) tell({ type: 'pingSent' })
      attempt.after(intervalMs / 2, () => {
        if (echoAskedMs === null) attempt.after(intervalMs / 2, ask)
        else if (answersEchoes) attempt.destroy('timeout')
        else echoAskedMs = null
      })
    }
    // The SDK hears after us that it is accepted.
    attempt.after(0, ask)
  }
  const echoed = (): void => {
    if (echoAskedMs === null) return
    if (answersEchoes) tell({ type: 'pongReceived', rttMs: round(clock.now().monoMs - echoAskedMs) })
    answersEchoes ||= isOnlyEcho
    echoAskedMs = null
  }
  const endByHub = (how: 'goodbye' | 'error', error: Failure | null): void => {
    isUnderstood = true
    attempt.know({ by: 'hub', how, error })
    // rhea gets the frame after us, and answers it as AMQP wants it.
    setImmediate(() => attempt.destroy(how))
  }
  const refuse = (status: number, description: string): void => {
    if (attempt.isAccepted) {
      renewed(false)
      endByHub('error', { name: 'CbsError', code: String(status), message: description })
    } else {
      attempt.refused('cbs', status, description)
    }
  }
  const twinLost = (): void => {
    isTwinLost = false
    surroundings.twinDetached()
  }
  const subscribed = (ok: boolean): void => {
    if (methods.told) return
    methods.told = true
    tell({ type: 'subscribed', granted: { methods: ok ? 0 : notGranted }, ok })
  }

  const watch = createAmqpWatch({
    frame: (direction, frame, link) => {
      if (direction === 'sent' && frame.name === 'transfer') {
        isOnlyEcho = false
        if (link === 'events') firstPublishMs ??= clock.now().bootMs
      }
      attempt.tellHeader(direction === 'sent' ? 'packetSent' : 'packetReceived', headerOf(frame, link))
    },
    opened: () => attempt.expectAnswer(),
    begun: () => {
      if (!attempt.isAccepted) attempt.expectAnswer()
    },
    attached: (link, role) => {
      // The hub opens the connection whatever certificate it was shown: a link is the first that it refuses.
      if (surroundings.isX509) accept()
      tell({ type: 'attached', link, role })
      if (link !== 'methods') return
      methods = { ...methods, [role]: true }
      if (methods.sender && methods.receiver) subscribed(true)
    },
    detached: (link, role, error) => {
      if (surroundings.isX509 && !attempt.isAccepted) {
        endByHub('goodbye', failureOf(error))
        return
      }
      tell({
        type: 'detached',
        link,
        role,
        condition: error?.condition ?? null,
        description: error?.description ?? null,
      })
      if (link === 'methods') {
        isDeaf = true
        subscribed(false)
        attempt.after(methodsGraceMs, surroundings.methodsLost)
      } else if (link === 'twin') {
        // Its links mostly go together, and the SDK hears of it after us.
        if (!isTwinLost) attempt.after(twinGraceMs, twinLost)
        isTwinLost = true
      } else if (link === '$cbs') {
        // Without it no token can be renewed, and the SDK leaves as soon as it hears of it.
        endByHub('goodbye', failureOf(error))
      }
    },
    tokenSent: () => {
      tokenSentMs = clock.now().monoMs
      if (attempt.isAccepted) {
        renewalId = randomUUID()
        tell({ type: 'renewalStarted', id: renewalId, why: 'sas' })
      }
      attempt.expectAnswer()
    },
    tokenAnswered: reply => {
      attempt.answered()
      const { status, description } = reply ?? { status: 0, description: 'an answer that cannot be read' }
      tell({ type: 'authorized', status, description, ms: round(clock.now().monoMs - tokenSentMs) })
      if (status !== cbsOk) refuse(status, description)
      else if (attempt.isAccepted) renewed(true)
      else accept()
    },
    rejected: (link, { condition, description }) => {
      if (link === '$cbs') {
        attempt.answered()
        refuse(0, [condition, description].filter(Boolean).join(': '))
      } else {
        tell({ type: 'rejected', link, condition, description })
      }
    },
    echoed,
    // Also the SDK's own goodbye, to which an error on a link has moved it.
    leaving: () => {
      isUnderstood = true
      if (isDeaf) surroundings.methodsLeaving()
      attempt.know({ by: 'us', how: 'goodbye', error: null })
    },
    left: () => void setImmediate(() => attempt.destroy('goodbye')),
    ended: error => endByHub('goodbye', failureOf(error)),
    malformed: error => {
      attempt.know({ by: 'hub', error: { ...flatten(error), code: 'MALFORMED_PACKET' } })
      attempt.destroy('error')
    },
  })

  const { stream } = attempt
  let isEnding = false
  /** The SDK's handlers throw at what they did not expect, and here nobody above would catch it. */
  const hand = (event: 'data' | 'end', bytes?: Buffer): void => {
    try {
      socket.emit(event, bytes)
    } catch (error) {
      if (attempt.isOver) return
      attempt.know({ by: 'us', how: 'error', error: { ...flatten(error), name: 'SdkError' } })
      attempt.destroy('error')
    }
  }
  stream.on('data', (bytes: Buffer) => {
    heardMs = clock.now().monoMs
    if (!attempt.isOver) watch.received(bytes)
    hand('data', bytes)
  })
  stream.once('close', () => {
    for (const fail of unanswered) fail(lost)
    unanswered.clear()
    correlations.clear()
    hand('end')
    surroundings.gone()
  })
  Object.assign(socket, {
    write: (bytes: Buffer) => {
      // rhea ends its socket and still has something to say.
      if (attempt.isOver || isEnding) return false
      watch.sent(bytes)
      return stream.write(bytes)
    },
    end: () => {
      isEnding = true
      // rhea ends its socket after both closes, and where something in the SDK has thrown.
      if (isUnderstood || attempt.isOver) stream.end()
      else if (!isDeaf) {
        attempt.know({ by: 'us', how: 'error', error: { name: 'SdkError', message: 'the SDK gave its connection up' } })
        attempt.destroy('error')
      }
    },
    destroy: () => attempt.destroy('error'),
    get_id_string: () => `${wiring.host}:${wiring.port}`,
  })

  return {
    dial: (_port, _host, _options, whenConnected) => {
      connected = whenConnected
      return socket
    },
    answerOver: link => {
      answers = link
    },
    read: message => {
      const { correlation_id: id } = message
      if (id === undefined || id === null) return null
      // rhea gives a uuid as its 16 bytes.
      const requestId = Buffer.isBuffer(id) && id.length === 16 ? rhea.uuid_to_string(id) : String(id)
      correlations.set(requestId, id)
      const name = String(message.application_properties?.['IoThub-methodname'] ?? '')
      return { name, requestId, payload: payloadOf(message.body) }
    },
    answer: (requestId, { status, payload }) =>
      new Promise((resolve, reject) => {
        const id = correlations.get(requestId)
        if (!answers || id === undefined || attempt.isOver) {
          reject(new Error('the connection that asked is gone'))
          return
        }
        correlations.delete(requestId)
        unanswered.add(reject)
        const text = payload === undefined ? '' : JSON.stringify(payload)
        const message = amqpBase.AmqpMessage.fromMessage(new common.Message(text))
        Object.assign(message, {
          correlation_id: id,
          application_properties: { 'IoThub-status': rhea.types.wrap_int(status) },
        })
        answers.send(message, error => {
          unanswered.delete(reject)
          if (error) reject(error)
          else resolve()
        })
      }),
    isTwinLost: () => isTwinLost,
    abandon: () => attempt.destroy('goodbye'),
  }
}

const failureOf = (error: AmqpError | null): Failure | null =>
  error && {
    name: 'AmqpError',
    message: error.description ?? '',
    ...(error.condition === null ? {} : { code: error.condition }),
  }

/** A payload need not be JSON, and not even a data section. */
function payloadOf(body: unknown): Buffer {
  const content = typeof body === 'object' && body !== null && 'content' in body ? body.content : body
  if (Buffer.isBuffer(content)) return content
  if (content === undefined || content === null) return Buffer.alloc(0)
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
}

/** Chosen field by field: what is not named here, such as the payload with a token in it, is not told. */
function headerOf(frame: AmqpFrame, link: string | null): Header {
  return {
    packet: frame.name,
    channel: frame.channel,
    ...('handle' in frame && frame.handle !== null ? { handle: frame.handle } : {}),
    ...(link === null ? {} : { link }),
    bytes: frame.bytes,
  }
}

/** What the SDK keeps to itself; the version is pinned, and tests hold it. */
type Internals = {
  _rheaContainer: EventEmitter
  _rheaConnection?: EventEmitter & { idle(): void; socket_ready: boolean }
  _rheaSession?: RheaSession
  _fsm: { state: string; handle(event: string, context?: unknown): void }
  _senders: Record<string, Link | undefined>
  _receivers: Record<string, Link | undefined>
  _cbs?: Link & { _senderLink: Link; _receiverLink: Link }
}
type Link = { forceDetach(): void; _attachingCallback?: unknown }
type RheaSession = {
  is_open(): boolean
  output(frame: object): void
  incoming: { next_transfer_id: number; window: number; max_transfer_id: number }
  outgoing: { next_transfer_id: number; window: number }
}
const inside = (base: amqpBase.Amqp): Internals => base as unknown as Internals

/**
 * The SDK parses what comes over the twin's link where nobody can catch it, also a refusal, which has no body; and it says each message
 * byte by byte to whoever debugs it, where no redactor finds a signature. So it gets a ticket in place of each body, and no changes.
 */
function makeSafeToRead(link: amqpBase.ReceiverLink, bodies: Cloakroom, changed: (patch: unknown) => void): void {
  for (const each of link.listeners('message') as ((message: RheaMessage) => void)[]) {
    link.on('message', (message: RheaMessage) => {
      const body = parsed(payloadOf(message.body))
      if (message.correlation_id === undefined || message.correlation_id === null) changed(body)
      else each({ ...message, body: { content: JSON.stringify(bodies.give(body)) } })
    })
    // Not before: with its last listener the link would leave.
    link.removeListener('message', each)
  }
}

/** `null` for what is no JSON. */
function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

interface Cloakroom {
  give(body: unknown): number
  take(ticket: unknown): unknown
}

/** Whose question was given up does not come for it. */
const bodiesMax = 8

function createCloakroom(): Cloakroom {
  const bodies = new Map<unknown, unknown>()
  let tickets = 0
  return {
    give(body) {
      tickets += 1
      bodies.set(tickets, body)
      bodies.delete(tickets - bodiesMax)
      return tickets
    },
    take(ticket) {
      const body = bodies.get(ticket)
      bodies.delete(ticket)
      return body
    },
  }
}

/** Its links are attached anew by the next question: where the hub gives no reason, it does not notice that they are gone. */
function letTwinGo(transport: amqpDevice.Amqp): void {
  const { _twinClient: twin } = transport as unknown as { _twinClient: { detach(done: () => void): void } }
  twin.detach(() => undefined)
}

/** rhea throws, or writes to the console, what nobody listens to. Whatever it is, the wire has told it. */
function forgive(base: amqpBase.Amqp): void {
  for (const event of ['error', 'protocol_error', 'disconnected'])
    inside(base)._rheaContainer.on(event, () => undefined)
}

/** The SDK ends the connection for an error of any link. What becomes of the twin's is nothing that a session has to end for. */
function sparesSession(base: amqpBase.Amqp, isTwinLost: () => boolean): void {
  const { _rheaContainer: container } = inside(base)
  for (const each of container.listeners(linkError) as ((error: unknown) => void)[]) {
    container.removeListener(linkError, each)
    container.on(linkError, (error: unknown) => {
      if (!isTwinLost()) each(error)
    })
  }
}

const linkError = 'azure-iot-amqp-base:error-indicated'

/** A link that is attached by the way, when somebody listens to it, has no callback; and the SDK calls it all the same. */
function makeSafe(link: Link): void {
  let callback = link._attachingCallback
  Object.defineProperty(link, '_attachingCallback', {
    get: () => callback ?? (() => undefined),
    set: (given: unknown) => {
      callback = given
    },
  })
}

/**
 * rhea's own limit on silence is the announced time itself, too short by what a slow link needs; ours says so when it ends.
 * And the SDK's handler of an error throws where the error is not of the kind that it knows, in a tick where nobody catches it.
 */
function hush(base: amqpBase.Amqp): void {
  const { _rheaConnection: connection } = inside(base)
  if (!connection) return
  connection.idle = () => undefined
  const handlers = connection.listeners('error')
  connection.removeAllListeners('error')
  connection.on('error', (context: { connection?: unknown } | undefined) => {
    // The end of its socket tells the SDK as well.
    if (context?.connection) for (const handler of handlers) handler.call(connection, context)
  })
}

/** What rhea says of its session when a window moves, and a question. */
function askForEcho(base: amqpBase.Amqp): boolean {
  const { _rheaSession: session } = inside(base)
  if (!session?.is_open()) return false
  const { incoming, outgoing } = session
  incoming.max_transfer_id = incoming.next_transfer_id + incoming.window
  session.output(
    frames.flow({
      next_incoming_id: incoming.next_transfer_id,
      incoming_window: incoming.window,
      next_outgoing_id: outgoing.next_transfer_id,
      outgoing_window: outgoing.window,
      echo: true,
    }),
  )
  return true
}

/**
 * Ends what the SDK still waits for: it would keep itself, its timers and the process for 45 s for answers that cannot come.
 * One step after the other, because it takes each on a later tick.
 */
function letGo(base: amqpBase.Amqp, links: Set<Link>): void {
  const { _rheaConnection: connection, _fsm: machine, _cbs: cbs } = inside(base)
  const left = [...links, ...(cbs ? [cbs] : [])]
  links.clear()
  // Or the next write of what it still has to say would start a timer.
  if (connection) connection.socket_ready = false
  const steps: (() => void)[] = [
    ...left.map(link => () => link.forceDetach()),
    () => machine.state === 'disconnecting' && machine.handle('session_close', {}),
    () => machine.state === 'disconnecting' && machine.handle('connection_close', { connection: {} }),
  ]
  const next = (): void => {
    const step = steps.shift()
    if (!step) return
    try {
      step()
    } catch (error) {
      // A link in the middle of its own end; the timer that it leaves ends it later.
      if (!(error instanceof Error)) throw error
    }
    setImmediate(next)
  }
  next()
}
