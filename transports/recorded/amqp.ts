/**
 * An application's AMQP, plain or over WebSocket: its SDK's own rhea makes the connection and the socket, and the frames are read
 * off the bytes that pass.
 */
import type { TLSSocket } from 'node:tls'
import type { AmqpError } from '../amqp-frames.js'
import type { AmqpWatch, AmqpWatchEvents } from '../amqp-watch.js'
import { flatten } from '../failure.js'
import type { Failure, ServerCertificate } from '../wire-event.js'
import { createSieve } from './amqp-sieve.js'
import { type Attempt, type Destination, startAttempt } from './attempt.js'
import { credentialOf, hasGateway } from './credential.js'
import { type Guard, guard, type Recorder } from './recorder.js'
import { type SdkTransport, watchSdk, wrapCallback } from './sdk.js'
import { watchSocket } from './socket.js'
import { unexpectedStatus, watchUpgrade } from './upgrade.js'

/** What of rhea is relied on: a TLS socket, or its own small wrapper of a WebSocket. */
type RheaSocket = {
  write(bytes: Buffer, ...rest: unknown[]): unknown
  end(...given: unknown[]): unknown
  on(event: string, handler: (...given: never[]) => void): unknown
}
type Dial = (...given: unknown[]) => RheaSocket
type Details = Readonly<{ connect?: Dial }>
type Parameters = Readonly<{
  host?: unknown
  port?: unknown
  connection_details?: (attempt: unknown) => Details
}>
type RheaConnection = Readonly<{ socket?: RheaSocket }>
type RheaContainer = { connect(parameters: Parameters): RheaConnection }

/** What of azure-iot-amqp-base is relied on. */
type AmqpBase = { _rheaContainer: RheaContainer; disconnect?: unknown }

export type AmqpTransport = SdkTransport & { _amqp: AmqpBase }

export const isAmqp = (transport: object): transport is AmqpTransport => {
  const base = (transport as Partial<AmqpTransport>)._amqp
  return typeof base?._rheaContainer?.connect === 'function'
}

export function watchAmqp(transport: AmqpTransport, authentication: unknown, recorder: Recorder): void {
  const guarded = guard(recorder)
  const { clock } = recorder
  const incarnation = recorder.incarnation()
  const base = transport._amqp
  const container = base._rheaContainer
  const { connect } = container
  let current: Attempt | null = null
  let isLeaving = false
  const sdk = watchSdk(
    transport,
    () => current,
    guarded,
    () => clock.now().bootMs,
  )
  const watching = loadWatch(recorder)

  const begin = (parameters: Parameters): Attempt => {
    current?.closed({ by: 'us', how: 'error', reason: 'abandoned' })
    sdk.trying()
    isLeaving = false
    const to = destinationOf(parameters, authentication)
    const attempt = startAttempt(to, incarnation.attempt(), clock, sdk.ended)
    current = attempt
    return attempt
  }

  container.connect = parameters => {
    let connection: RheaConnection | null = null
    let eyes: Eyes | null = null
    guarded(() => {
      eyes = openEyes(begin(parameters), watching, guarded, () => isLeaving)
    })()
    // What the application has to see from here on is made by its own SDK, whether we look on or not.
    const seen = eyes as Eyes | null
    connection = connect.call(container, seen ? lookedOnAt(parameters, seen) : parameters)
    if (seen) {
      guarded(() => {
        const { socket } = connection ?? {}
        if (socket && isSocket(socket)) seen.socket(socket)
      })()
    }
    return connection
  }
  wrapCallback(base, 'disconnect', guarded, {
    called: () => {
      isLeaving = true
    },
  })
}

/** Where bytes and the socket are shown. */
type Eyes = Readonly<{
  sent(bytes: Buffer): void
  received(bytes: Buffer): void
  socket(socket: TLSSocket & RheaSocket): void
  /** Of a WebSocket, whose socket is not shown. */
  over(error: Error | undefined): void
}>

type MakeWatch = (events: AmqpWatchEvents) => AmqpWatch
type Watching = Readonly<{ make: MakeWatch | null; ready: Promise<void> }>

/** The reader of frames brings rhea along, which an application that speaks MQTT need not load. */
function loadWatch(recorder: Recorder): Watching {
  const watching: { make: MakeWatch | null; ready: Promise<void> } = { make: null, ready: Promise.resolve() }
  watching.ready = import('../amqp-watch.js').then(
    ({ createAmqpWatch }) => {
      watching.make = createAmqpWatch
    },
    (error: unknown) => recorder.failed(error),
  )
  return watching
}

/** What comes before the reader is there is a greeting of some bytes. */
const earlyMax = 64

function openEyes(attempt: Attempt, watching: Watching, guarded: Guard, isLeaving: () => boolean): Eyes {
  const early: ((watch: AmqpWatch) => void)[] = []
  let watch: AmqpWatch | null = null
  let saidGoodbye = false
  let tokenId: string | null = null
  let renewals = 0
  let isX509 = attempt.destination.credential.kind === 'x509'
  const methods = new Set<string>()
  let methodsTold = false
  const tokenHandles = { sent: new Set<number>(), received: new Set<number>() }
  let eventsHandle: number | null = null
  /** Of a message that was not read, and so one of the application's. */
  let refusal: AmqpError | null = null

  const refuse = (status: number, description: string): void => {
    if (attempt.isSession) renewed(false)
    else attempt.refused('cbs', status, description)
  }
  const renewed = (ok: boolean): void => {
    if (tokenId !== null) attempt.renewalDone(tokenId, ok)
    tokenId = null
  }
  const events: AmqpWatchEvents = {
    frame: (direction, frame, link) => {
      if (frame.name === 'attach' && link === '$cbs') tokenHandles[direction].add(frame.handle)
      if (frame.name === 'attach' && link === 'events' && direction === 'sent') eventsHandle = frame.handle
      if (frame.name === 'disposition' && frame.outcome !== null && frame.outcome !== 'accepted') {
        refusal = frame.error ?? { condition: null, description: frame.outcome }
      }
    },
    opened: () => undefined,
    begun: () => {
      if (isX509) attempt.accepted(null)
      isX509 = false
    },
    attached: (link, role) => {
      attempt.attached(link, role)
      if (link !== 'methods' || methodsTold) return
      methods.add(role)
      if (methods.size < 2) return
      methodsTold = true
      attempt.subscribed({ methods: 0 })
    },
    detached: (link, role, error) => {
      attempt.detached(link, role, error?.condition ?? null, error?.description ?? null)
    },
    tokenSent: () => {
      attempt.tokenSent()
      if (!attempt.isSession) return
      renewals += 1
      tokenId = `${attempt.number}.${renewals}`
      attempt.renewalStarted(tokenId)
    },
    tokenAnswered: reply => {
      const { status, description } = reply ?? { status: 0, description: 'an answer that cannot be read' }
      attempt.authorized(status, description)
      if (status !== 200) refuse(status, description)
      else if (attempt.isSession) renewed(true)
      else attempt.accepted(null)
    },
    rejected: (link, { condition, description }) => {
      refusal = null
      if (link === '$cbs') refuse(0, [condition, description].filter(Boolean).join(': '))
      else attempt.rejected(link, condition, description)
    },
    echoed: () => undefined,
    leaving: () => {
      saidGoodbye = true
    },
    left: () => undefined,
    ended: error => attempt.closed({ by: 'hub', how: 'goodbye', error: failureOf(error) }),
    malformed: error => {
      attempt.closed({ by: 'hub', how: 'error', error: { ...flatten(error), code: 'MALFORMED_PACKET' } })
    },
  }

  const look = guarded((act: (watch: AmqpWatch) => void) => {
    if (attempt.over) return
    if (watch === null && watching.make !== null) watch = watching.make(events)
    if (watch !== null) act(watch)
    else if (early.push(act) > earlyMax) early.length = 0
  })
  void watching.ready.then(() => {
    for (const act of early.splice(0)) look(act)
  })

  // Tokens are sent before there is a session, and now and then in it.
  const isRead = (direction: 'sent' | 'received', handle: number): boolean =>
    !attempt.isSession || tokenHandles[direction].has(handle)
  const sent = createSieve({
    read: bytes => look(watch => watch.sent(bytes)),
    transfer(handle) {
      const isEvent = handle === eventsHandle
      if (isEvent) attempt.publishing(true)
      return !isEvent && isRead('sent', handle)
    },
    accepted: () => undefined,
  })
  const received = createSieve({
    read: bytes =>
      look(watch => {
        watch.received(bytes)
        if (refusal !== null) attempt.rejected('events', refusal.condition, refusal.description)
        refusal = null
      }),
    transfer: handle => isRead('received', handle),
    accepted: count => attempt.published(count),
  })
  const eyesOn = (see: (bytes: Buffer) => void) =>
    guarded((bytes: Buffer) => {
      if (!attempt.over) see(bytes)
    })
  const seeSent = eyesOn(sent)
  const seeReceived = eyesOn(bytes => {
    attempt.heard()
    received(bytes)
  })

  const ended = (error: Error | null | undefined, certificate: ServerCertificate | null): void => {
    if (attempt.over) return
    if (isLeaving() || (saidGoodbye && !error)) {
      // A goodbye that the application did not ask for is the SDK's own: an error on a link has moved it.
      const by = isLeaving() ? 'application' : 'us'
      attempt.closed({ by, how: saidGoodbye ? 'goodbye' : 'error', reason: by === 'us' ? 'abandoned' : null })
    } else if (error) attempt.lost(error, certificate)
    else if (error === null) attempt.closed({ by: 'hub', how: 'fin' })
    else attempt.lost(null, certificate)
  }

  const upgrade =
    attempt.destination.protocol === 'amqp-ws'
      ? watchUpgrade({
          host: attempt.destination.host,
          attempt,
          guarded,
          found: socket => watchSocket(socket, attempt, guarded, ended),
        })
      : () => undefined

  return {
    sent: seeSent,
    received: seeReceived,
    socket(socket) {
      watchSocket(socket, attempt, guarded, ended)
      // rhea has its own listener there already, so that this one starts no flow.
      socket.prependListener('data', seeReceived)
      const asRhea: RheaSocket = socket
      const { write } = asRhea
      asRhea.write = (...given) => {
        seeSent(given[0])
        return write.apply(socket, given)
      }
    },
    over: guarded((error: Error | undefined) => {
      upgrade()
      const status = unexpectedStatus(error)
      if (status !== null) attempt.refused('upgrade', status, 'no upgrade')
      else ended(error, null)
    }),
  }
}

const isSocket = (socket: RheaSocket): socket is TLSSocket & RheaSocket => 'getPeerCertificate' in socket

/** Of a WebSocket rhea has a small wrapper, which knows one handler of each kind: it is looked on at from outside. */
function lookedOnAt(parameters: Parameters, eyes: Eyes): Parameters {
  const { connection_details: details } = parameters
  if (typeof details !== 'function') return parameters
  return {
    ...parameters,
    connection_details: attempt => {
      const given = details(attempt)
      const { connect } = given
      if (typeof connect !== 'function') return given
      return {
        ...given,
        connect: (...args) => {
          const socket = connect.apply(given, args)
          return isSocket(socket) ? socket : wrapped(socket, eyes)
        },
      }
    },
  }
}

type Handler = (...given: unknown[]) => void

function wrapped(socket: RheaSocket, eyes: Eyes): RheaSocket {
  const seen: Readonly<Record<string, (given: unknown) => void>> = {
    data: bytes => eyes.received(bytes as Buffer),
    error: event => eyes.over(errorOf(event)),
    end: () => eyes.over(undefined),
  }
  return Object.create(socket, {
    write: {
      value: (bytes: Buffer, ...rest: unknown[]) => {
        eyes.sent(bytes)
        return socket.write(bytes, ...rest)
      },
    },
    on: {
      value: (event: string, handler: Handler) =>
        socket.on(event, (...given: unknown[]) => {
          seen[event]?.(given[0])
          handler(...given)
        }),
    },
  })
}

/** `ws` hands its handlers an event that holds the error. */
const errorOf = (event: unknown): Error | undefined => {
  if (event instanceof Error) return event
  const { error } = (event ?? {}) as { error?: unknown }
  return error instanceof Error ? error : undefined
}

const failureOf = (error: AmqpError | null): Failure | null =>
  error && {
    name: 'AmqpError',
    message: error.description ?? '',
    ...(error.condition === null ? {} : { code: error.condition }),
  }

function destinationOf({ host, port, connection_details: details }: Parameters, authentication: unknown): Destination {
  const isWebSocket = typeof details === 'function'
  return {
    protocol: isWebSocket ? 'amqp-ws' : 'amqp',
    host: String(host),
    // The SDK's own port for it is fixed, and not what it tells rhea.
    port: isWebSocket ? 443 : Number(port ?? 5671),
    gateway: hasGateway(authentication),
    credential: credentialOf(authentication),
  }
}
