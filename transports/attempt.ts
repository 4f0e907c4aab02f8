/**
 * One attempt and, if it is accepted, its session: whatever a protocol says on the way, exactly one end is told.
 *
 * It knows nothing of any protocol. A protocol says when it was accepted or refused, and what it knows of an end that the
 * socket is about to tell; the rest, of which `closed` consists, is kept here.
 */
import { type SocketEnd, type SocketTap, tapSocket, type Upgrade } from './socket-tap.js'
import type { TapListener, Wiring } from './transport.js'
import type {
  Closed,
  ClosedHow,
  OurReason,
  PacketHeader,
  Protocol,
  RefusingStep,
  ServerCertificate,
  WireEvent,
} from './wire-event.js'

type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never

/** An event before it is said whose it is. */
export type Told = DistributiveOmit<WireEvent, 'monoMs' | 'protocol' | 'attempt'>

export type Header = Omit<PacketHeader, 'type' | 'monoMs' | 'protocol' | 'attempt'>

/** What only the protocol can count. */
export type Account = Pick<Closed, 'pingUnansweredMs' | 'inFlightPublishes' | 'afterPublish'>

export type AttemptOptions = Readonly<{
  protocol: Protocol
  /** For a protocol that speaks over WebSocket. */
  upgrade?: Upgrade
  wiring: Wiring
  listener: TapListener
  /** Why we are leaving, if we are. */
  ourReason(): OurReason | null
  /** Asked once, when it ends. */
  account(): Account
  /** The road is open as far as the protocol's own first word; its limit for an answer begins here. */
  ready?(): void
  /** The last moment at which something of it can be told. */
  ending?(): void
}>

export interface Attempt {
  /** For the SDK: open from the first moment, connected once the server is verified. */
  readonly stream: SocketTap['stream']
  readonly isOver: boolean
  readonly isAccepted: boolean
  tell(event: Told): void
  tellHeader(type: PacketHeader['type'], header: Header): void
  /** Ends the limit for an answer and begins the session. */
  accepted(sessionPresent: boolean | null): void
  /** Ends the attempt. The SDK gets the packet that says so before its stream is gone. */
  refused(step: RefusingStep, code: number, reason: string): void
  /** What the protocol says of an end that the socket is about to tell. */
  know(end: Known): void
  /** Ends it now, as `us` unless something else is known. */
  destroy(how: ClosedHow): void
  /** (Re)starts the limit for an answer of the other side: without one the attempt ends as too slow. */
  expectAnswer(): void
  answered(): void
  /** A timer that ends with the attempt. @returns what cancels it */
  after(delayMs: number, act: () => void): () => void
}

export type Known = Partial<Pick<SocketEnd, 'by' | 'how' | 'error'>> & Readonly<{ reason?: OurReason }>

export function startAttempt(options: AttemptOptions): Attempt {
  const { protocol, wiring, listener, upgrade } = options
  const { clock } = wiring
  const number = listener.nextAttempt()
  const startedMs = clock.now().bootMs
  let readyMs = startedMs
  let acceptedMs: number | null = null
  let heardMs = startedMs
  let isOver = false
  let known: Known = {}
  let answerTimer: NodeJS.Timeout | undefined
  const timers = new Set<NodeJS.Timeout>()

  const tell = ({ type, ...rest }: Told): void =>
    // Who and when first, because people read these lines with grep.
    listener.event({ type, monoMs: clock.now().monoMs, protocol, attempt: number, ...rest } as WireEvent)

  const finish = (): boolean => {
    if (isOver) return false
    options.ending?.()
    isOver = true
    clearTimeout(answerTimer)
    for (const timer of timers) clearTimeout(timer)
    timers.clear()
    return true
  }

  const close = (told: SocketEnd): void => {
    if (!finish()) return
    const end = { ...told, ...known }
    const nowMs = clock.now().bootMs
    const { read, written } = socket.bytes()
    const { pingUnansweredMs, inFlightPublishes, afterPublish } = options.account()
    tell({
      type: 'closed',
      by: end.by,
      how: end.how,
      stage: acceptedMs === null ? end.stage : 'session',
      reason: end.by === 'us' ? whyWe(end) : null,
      error: end.error,
      certificate: end.certificate,
      silentMs: round(nowMs - heardMs),
      lastedMs: acceptedMs === null ? null : round(nowMs - acceptedMs),
      pingUnansweredMs,
      inFlightPublishes,
      afterPublish,
      bytesRead: read,
      bytesWritten: written,
    })
  }
  const whyWe = ({ how, error, reason }: SocketEnd & Known): OurReason | null => {
    if (how === 'timeout') return reason ?? (acceptedMs === null ? 'slow' : 'silence')
    return error === null ? (reason ?? options.ourReason() ?? 'abandoned') : null
  }
  const expectAnswer = (): void => {
    clearTimeout(answerTimer)
    answerTimer = setTimeout(() => {
      if (known.how === undefined) known = { ...known, reason: 'slow' }
      socket.destroy('timeout')
    }, wiring.timeoutsMs.accept)
  }

  const { host, port, gateway, credential } = wiring
  tell({ type: 'connecting', host, port, gateway, ...(credential ? { credential } : {}) })
  const socket: SocketTap = tapSocket(
    { ...wiring, proxy: upgrade ? (wiring.proxy ?? null) : null, upgrade: upgrade ?? null },
    {
      resolved: (addresses, ms) => tell({ type: 'resolved', addresses, ms }),
      tcpConnected: (address, localAddress, ms) => tell({ type: 'tcpConnected', address, localAddress, ms }),
      proxyConnected: (proxy, ms) => tell({ type: 'proxyConnected', proxy, ms }),
      tlsSecured: (version: string, cipher: string, certificate: ServerCertificate, ms: number) => {
        heardMs = clock.now().bootMs
        tell({ type: 'tlsSecured', version, cipher, certificate, ms })
      },
      upgraded: (status, ms) => tell({ type: 'upgraded', status, ms }),
      ready: () => {
        readyMs = clock.now().bootMs
        expectAnswer()
        options.ready?.()
      },
      heard: () => {
        heardMs = clock.now().bootMs
      },
      refused: ({ step, code, reason, headers }) => {
        if (!finish()) return
        tell({ type: 'refused', step, code, reason, headers })
      },
      ended: close,
    },
  )

  return {
    stream: socket.stream,
    get isOver() {
      return isOver
    },
    get isAccepted() {
      return acceptedMs !== null
    },
    tell,
    tellHeader: (type, header) =>
      listener.packet?.({ type, monoMs: clock.now().monoMs, protocol, attempt: number, ...header }),
    accepted(sessionPresent) {
      if (isOver || acceptedMs !== null) return
      clearTimeout(answerTimer)
      acceptedMs = clock.now().bootMs
      tell({ type: 'accepted', sessionPresent, ms: round(acceptedMs - readyMs) })
    },
    refused(step, code, reason) {
      if (!finish()) return
      tell({ type: 'refused', step, code, reason })
      // The SDK hears of the packet after us; its answer must not be taken for another end.
      setImmediate(() => socket.destroy('error'))
    },
    know(end) {
      known = end
    },
    destroy: how => socket.destroy(how),
    expectAnswer: () => {
      if (!isOver) expectAnswer()
    },
    answered: () => clearTimeout(answerTimer),
    after(delayMs, act) {
      if (isOver) return () => undefined
      const timer = setTimeout(() => {
        timers.delete(timer)
        act()
      }, delayMs)
      timers.add(timer)
      return () => {
        clearTimeout(timer)
        timers.delete(timer)
      }
    },
  }
}

/** Milliseconds as they are told: to the microsecond. */
export const round = (ms: number): number => Math.round(ms * 1e3) / 1e3
