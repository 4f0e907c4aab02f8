/**
 * One AMQP connection: every frame of either side passes here, is written to the log, and meets the faults that are
 * set, before rhea, which speaks the protocol, or the device sees it.
 */

import { STATUS_CODES } from 'node:http'
import { Duplex } from 'node:stream'
import rhea, {
  type AmqpError,
  type Connection,
  type EventContext,
  type Receiver,
  type Sender,
  type Session,
} from 'rhea'
import { type LinkName, type LinkRole, parseAddress } from './amqp-dialect.js'
import { cutFrames, readFrame, type Said } from './amqp-frames.js'
import { AmqpLinks } from './amqp-links.js'
import type { AmqpHappening, Identity, SessionEnd, Tell } from './events.js'
import { endAtExpiry } from './expiry.js'
import type { AmqpFault, Faults } from './faults.js'
import { clientIdOf, type Registered } from './identities.js'
import type { Origin } from './listeners.js'
import { finish } from './pipe.js'
import type { MethodRequest, Occupant } from './sessions.js'

/** What the hub says it can take, like IoT Hub. */
const frameBytesMax = 64 * 1024
const channelMax = 8191

/**
 * How long after its own `close` the hub waits for the other one. After a fault longer than the stock SDK takes to
 * notice it, so that only the `close` shows.
 */
const answerLimitMs = 5_000
const answerLimitAfterFaultMs = 60_000

export type AmqpConnectionOptions = Readonly<{
  /** The client's side: TLS, or a WebSocket in TLS. */
  stream: Duplex
  origin: Origin
  idleTimeOutMs: number
  faults: Faults
  tell: Tell
  /** Whether what the client has shown in TLS makes it this identity, so that no put-token is needed. */
  certifies(identity: Identity): boolean
  registered(identity: Identity): Registered | undefined
  checkPutToken(name: string, token: string): { identity: Identity; expiresAtMs: number } | { why: string }
  /** The client has signed in, or come back to its links: whoever had the identity's session has it no more. */
  occupy(identity: Identity, connection: AmqpConnection): void
  leave(identity: Identity, connection: AmqpConnection): void
  /** A method request has been written, and an answer has come. */
  delivered(requestId: string): void
  answered(requestId: string, answer: { status: number; payload: Buffer }): void
  /** A message to the cloud was taken. */
  received(identity: Identity): void
  /** The socket is gone. */
  closed(connection: AmqpConnection): void
}>

/** A link as the wire has it. */
type WireLink = { link: LinkName | null; role: LinkRole; bytes: number }

export class AmqpConnection implements Occupant {
  #state: 'open' | 'deaf' | 'closing' | 'over' = 'open'
  /** Signed in as this one, until its token expires. */
  #identity: Identity | null = null
  #expiry: NodeJS.Timeout | undefined
  /** Whether the identity's session is this connection's. */
  #occupies = false
  readonly #rhea: Connection
  readonly #rheaSide: Duplex
  readonly #sessions = new Set<Session>()
  readonly #links: AmqpLinks
  /** By the handles of each side. */
  readonly #ofDevice = new Map<string, WireLink>()
  readonly #ofHub = new Map<string, WireLink>()
  readonly #byName = new Map<string, WireLink>()
  /** Handles of links whose attach was not answered. */
  readonly #unanswered = new Set<string>()
  #held: Buffer[] = []
  #answerTimer: NodeJS.Timeout | undefined

  constructor(private readonly options: AmqpConnectionOptions) {
    const { stream, faults } = options
    const cut = cutFrames(frame => this.#fromDevice(frame))
    this.#rheaSide = new Duplex({
      read() {},
      // Rhea writes one frame at a time.
      write: (frame: Buffer, _encoding, done) => {
        this.#toDevice(frame)
        done()
      },
      final: done => {
        this.#finish()
        done()
      },
    })
    this.#rheaSide.on('error', () => this.end('forbidden'))
    this.#links = new AmqpLinks({
      faults,
      registered: identity => options.registered(identity),
      putToken: (name, token) => this.#putToken(name, token),
      claim: identity => this.#claim(identity),
      delivered: options.delivered,
      answered: options.answered,
      received: options.received,
      tell: happening => this.#tell(happening),
    })
    this.#rhea = this.#accept()

    stream.on('data', (chunk: Buffer) => {
      try {
        cut(chunk)
      } catch {
        this.end('forbidden')
      }
    })
    stream.on('error', () => stream.destroy())
    stream.once('end', () => this.end('lost'))
    stream.once('close', () => {
      this.end('lost')
      options.closed(this)
    })
  }

  /** Says `close` where there is something to be said and somebody to hear it, and goes. */
  end(why: SessionEnd): void {
    const error = farewell(why, this.options.idleTimeOutMs)
    this.#leave(why)
    if (error && this.#state === 'open' && this.#rhea.is_open()) this.#close(error, answerLimitMs)
    else this.#finish()
  }

  destroy(): void {
    this.end('hubClosed')
    this.options.stream.destroy()
  }

  displaced(): void {
    this.#tell({ type: 'sessionEnded', why: 'takeOver' })
    this.#occupies = false
    const description = 'The link was stolen by a newer connection of the same identity.'
    this.#links.detach('all', undefined, { condition: 'amqp:link:stolen', description })
  }

  async invoke(request: MethodRequest): Promise<void> {
    this.#links.invoke(request)
  }

  async desiredChanged(patch: Readonly<Record<string, unknown>>): Promise<void> {
    this.#links.desiredChanged(patch)
  }

  /** A fault that strikes what is open has been set. */
  misbehave(fault: AmqpFault): void {
    if (this.#state !== 'open') return
    if (fault.kind === 'amqpClose') this.#closeByFault(fault)
    else if (fault.kind === 'amqpEnd') for (const session of [...this.#sessions]) this.#endByFault(session, fault)
    else if (fault.kind === 'amqpDetach') this.#links.detach(fault.link, fault.role, reasonOf(fault))
  }

  /** Whether a fault of this kind would find something to strike. */
  isStruckBy(fault: AmqpFault): boolean {
    if (this.#state !== 'open') return false
    if (fault.kind === 'amqpDetach') return this.#links.has(fault.link, fault.role)
    return fault.kind === 'amqpEnd' ? this.#sessions.size > 0 : fault.kind === 'amqpClose' && this.#rhea.is_open()
  }

  /** The faults are gone, and what one of them held back may go. */
  healed(): void {
    for (const frame of this.#held.splice(0)) this.#write(frame)
  }

  #accept(): Connection {
    const connection = rhea.create_container({ id: 'LocalIotHub' }).create_connection({
      max_frame_size: frameBytesMax,
      channel_max: channelMax,
      idle_time_out: this.options.idleTimeOutMs,
      // What a message is answered by is decided where it is read.
      receiver_options: { autoaccept: false },
      // The client's way in is TLS and a put-token.
      ...({ disable_sasl: true } as object),
    })
    // Rhea would blame a resource limit, where IoT Hub says that the connection was inactive.
    connection.idle = () => this.end('keepalive')
    connection.on('connection_open', () => this.#strike('amqpClose', fault => this.#closeByFault(fault)))
    connection.on('session_open', ({ session }: EventContext) => {
      this.#sessions.add(session!)
      answerEchoes(session!, () => this.options.faults.get('noEcho') === undefined)
      this.#strike('amqpEnd', fault => this.#endByFault(session!, fault))
    })
    connection.on('session_close', ({ session }: EventContext) => this.#sessions.delete(session!))
    connection.on('receiver_open', ({ receiver }: EventContext) => this.#attached(receiver!))
    connection.on('sender_open', ({ sender }: EventContext) => this.#attached(sender!))
    connection.on('receiver_close', ({ receiver }: EventContext) => this.#links.gone(receiver!))
    connection.on('sender_close', ({ sender }: EventContext) => this.#links.gone(sender!))
    connection.on('message', (context: EventContext) => this.#links.received(context))
    for (const known of ['session_error', 'sender_error', 'receiver_error', 'connection_error', 'connection_close']) {
      // Told with the frame that brought it; rhea throws what nobody listens to.
      connection.on(known, () => {})
    }
    connection.on('disconnected', () => {})
    for (const broken of ['error', 'protocol_error']) connection.on(broken, () => this.end('forbidden'))
    connection.container.on('error', () => this.end('forbidden'))
    connection.accept(this.#rheaSide)
    return connection
  }

  #attached(rheaLink: Sender | Receiver): void {
    if (!this.#links.attached(rheaLink)) return
    const fault = this.options.faults.get('amqpDetach')
    if (fault && this.#links.matches(rheaLink, fault.link, fault.role)) {
      this.#strike('amqpDetach', () => this.#links.detachOne(rheaLink, reasonOf(fault)))
    }
  }

  #fromDevice(bytes: Buffer): void {
    if (this.#state === 'deaf' || this.#state === 'over') return
    const said = readFrame(bytes)
    if (this.#state === 'closing') {
      if (said.name === 'close') this.#tell({ type: 'close', by: 'device', ...said.error })
      if (said.name === 'close') this.#finish()
      return
    }
    this.#note('device', said, this.#ofDevice)
    if (said.name === 'open' && this.options.faults.strike('noOpen')) this.#state = 'deaf'
    else if (!this.#isSwallowed(said)) this.#rheaSide.push(bytes)
    if (said.name === 'close') this.#leave('disconnect')
  }

  /** An attach that a fault leaves unanswered, and all that follows for its link. */
  #isSwallowed(said: Said): boolean {
    const handle = 'handle' in said ? said.handle : null
    if (handle === null) return false
    if (said.name === 'attach') {
      const fault = this.options.faults.get('noAttach')
      const link = this.#ofDevice.get(handle)?.link
      if (fault && link === (fault.link ?? 'methods')) {
        this.options.faults.strike('noAttach')
        this.#unanswered.add(handle)
      } else {
        this.#unanswered.delete(handle)
      }
    }
    return this.#unanswered.has(handle)
  }

  #toDevice(frame: Buffer): void {
    // Nothing follows a `close`.
    if (this.#state !== 'open') return
    if (this.options.faults.get('amqpSilent') || this.#held.length > 0) this.#held.push(frame)
    else this.#write(frame)
  }

  #write(frame: Buffer): void {
    const said = readFrame(frame)
    if (said.name === 'close') this.#state = 'closing'
    this.#note('hub', said, this.#ofHub)
    this.options.stream.write(frame)
  }

  #note(by: 'device' | 'hub', said: Said, handles: Map<string, WireLink>): void {
    switch (said.name) {
      case 'open':
        this.#tell({ type: 'open', by, idleTimeOutMs: said.idleTimeOutMs })
        break
      case 'attach': {
        // The hub's own attach of a link that it refuses has no address.
        const known = this.#byName.get(said.linkName)
        const role = by === 'device' ? said.role : said.role === 'sender' ? 'receiver' : 'sender'
        const link: LinkName | null =
          (by === 'hub' ? known?.link : parseAddress(said.address ?? '', role)?.link) ?? null
        const wireLink: WireLink = { link, role, bytes: 0 }
        if (by === 'device') this.#byName.set(said.linkName, wireLink)
        handles.set(said.handle, wireLink)
        this.#tell({ type: 'attach', by, link, role })
        break
      }
      case 'detach': {
        const { link = null, role = 'sender' } = handles.get(said.handle) ?? {}
        handles.delete(said.handle)
        this.#tell({ type: 'detach', by, link, role, ...said.error })
        break
      }
      case 'transfer': {
        const wireLink = handles.get(said.handle) ?? { link: null, role: 'sender', bytes: 0 }
        wireLink.bytes += said.bytes
        if (said.more) break
        this.#tell({ type: 'transfer', by, link: wireLink.link, bytes: wireLink.bytes })
        wireLink.bytes = 0
        break
      }
      case 'end':
      case 'close':
        this.#tell({ type: said.name, by, ...said.error })
        break
      case 'heartbeat':
        this.#tell({ type: 'heartbeat', by })
        break
      case 'header':
      case 'other':
        break
    }
  }

  /** @returns what the put-token is answered by; `null` for nothing */
  #putToken(name: string, token: string): { status: number; description: string } | null {
    const { faults } = this.options
    const renewal = this.#identity !== null
    const answer = (status: number, description: string, why: string | null) => {
      this.#tell({ type: 'putToken', status, description, renewal, why })
      return { status, description }
    }
    if (faults.strike('cbsSilent')) {
      this.#tell({ type: 'putToken', status: null, description: null, renewal, why: 'a fault' })
      return null
    }
    const fault = faults.strike('cbs')
    if (fault) return answer(fault.status, fault.description ?? describeStatus(fault.status), 'a fault')
    if (renewal && faults.strike('renewalRefused')) return answer(401, describeStatus(401), 'a fault: renewal refused')
    const checked = this.options.checkPutToken(name, token)
    if ('why' in checked) return answer(401, describeRefusal(checked.why), checked.why)
    if (this.#identity && clientIdOf(this.#identity) !== clientIdOf(checked.identity)) {
      return answer(400, describeStatus(400), 'one connection is for one identity here')
    }
    this.#identity = checked.identity
    clearTimeout(this.#expiry)
    this.#expiry = endAtExpiry(checked.expiresAtMs, () => this.end('tokenExpired'))
    const answered = answer(200, 'OK', null)
    this.#claim(checked.identity)
    return answered
  }

  /** @returns whether the client has signed in as this identity, whose session is then this connection's */
  #claim(identity: Identity): boolean {
    if (this.#identity === null && this.options.certifies(identity)) this.#identity = identity
    if (this.#identity === null || clientIdOf(this.#identity) !== clientIdOf(identity)) return false
    if (!this.#occupies) {
      this.#occupies = true
      this.options.occupy(identity, this)
    }
    return true
  }

  #leave(why: SessionEnd): void {
    if (!this.#occupies) return
    this.#occupies = false
    this.#tell({ type: 'sessionEnded', why })
    this.options.leave(this.#identity!, this)
  }

  #closeByFault(fault: Reason): void {
    this.#leave('fault')
    this.#close(reasonOf(fault), answerLimitAfterFaultMs)
  }

  #endByFault(session: Session, fault: Reason): void {
    const error = reasonOf(fault)
    this.#leave('fault')
    this.#links.forget(session)
    this.#sessions.delete(session)
    if (error) session.close(error)
    else session.close()
  }

  #close(error: AmqpError | undefined, limitMs: number): void {
    clearTimeout(this.#expiry)
    this.#answerTimer = setTimeout(() => this.#finish(), limitMs)
    if (error) this.#rhea.close(error)
    else this.#rhea.close()
  }

  #finish(): void {
    if (this.#state === 'over') return
    this.#leave('lost')
    this.#state = 'over'
    clearTimeout(this.#expiry)
    clearTimeout(this.#answerTimer)
    this.#held = []
    // Rhea stops its timers at the end of what it reads.
    this.#rheaSide.push(null)
    finish(this.options.stream)
  }

  #strike<K extends 'amqpClose' | 'amqpEnd' | 'amqpDetach'>(
    kind: K,
    act: (fault: Extract<AmqpFault, { kind: K }>) => void,
  ): void {
    const fault = this.options.faults.strike(kind)
    if (fault) act(fault as Extract<AmqpFault, { kind: K }>)
  }

  #tell(happening: AmqpHappening | { type: 'sessionEnded'; why: SessionEnd }): void {
    const { connection, deviceId } = this.options.origin
    const { deviceId: own = deviceId, moduleId = null } = this.#identity ?? {}
    this.options.tell({ ...happening, deviceId: own, moduleId, connection })
  }
}

/** As the stack of IoT Hub does, and rhea does not: who asks for an echo is told how the session stands. */
function answerEchoes(session: Session, isWilling: () => boolean): void {
  const inner = session as unknown as {
    on_flow(frame: Readonly<{ performative: Readonly<{ handle?: number | null; echo?: boolean }> }>): void
    _write_flow(): void
  }
  const onFlow = inner.on_flow.bind(session)
  inner.on_flow = frame => {
    onFlow(frame)
    const { handle, echo } = frame.performative
    if (echo === true && (handle === undefined || handle === null) && isWilling()) inner._write_flow()
  }
}

type Reason = Readonly<{ condition?: string; description?: string }>

/** Without a condition there is no error, as AMQP has it. */
const reasonOf = ({ condition, description }: Reason): AmqpError | undefined =>
  condition === undefined ? undefined : { condition, ...(description === undefined ? {} : { description }) }

/** What the hub says before it goes; nothing where nobody would hear it. */
function farewell(why: SessionEnd, idleTimeOutMs: number): AmqpError | null {
  switch (why) {
    case 'tokenExpired':
      return { condition: 'amqp:unauthorized-access', description: 'The token has expired.' }
    case 'identity':
      return { condition: 'amqp:unauthorized-access', description: 'The identity was disabled or deleted.' }
    case 'keepalive':
      return {
        condition: 'amqp:connection:forced',
        description: `The connection was inactive for more than the allowed ${idleTimeOutMs} milliseconds`,
      }
    case 'disconnect':
    case 'takeOver':
    case 'forbidden':
    case 'fault':
    case 'lost':
    case 'hubClosed':
      return null
  }
}

const describeStatus = (status: number): string => STATUS_CODES[status] ?? `Status ${status}`

/** IoT Hub says only of a signature what is wrong with it. */
const describeRefusal = (why: string): string =>
  why === 'the signature is wrong'
    ? 'The specified SAS token has an invalid signature. It does not match either the primary or secondary key..'
    : describeStatus(401)
