/**
 * The application's end of the ingest socket. It costs the application no wait, no exception and no process that stays alive for
 * it; a daemon that is away or begins anew is found again.
 */
import { connect, type Socket } from 'node:net'
import type { WireEvent } from '../../transports/wire-event.js'
import { Backlog, type BacklogLimits } from './backlog.js'
import { encodeFrame } from './frames.js'
import type { Bye, Hello, Resumed } from './messages.js'

export type ClientOptions = Readonly<{
  path: string
  hello: () => Hello
  /** Told once when no daemon was found for so long, and again each time that happens after one was there. */
  onAlone?: () => void
  /** Told when a daemon takes what is told. */
  onDaemon?: () => void
  /** Something of ours has thrown where only the application could catch it. */
  onFailure?: (error: unknown) => void
  limits?: BacklogLimits
  delaysMs?: Partial<ClientDelays>
}>

export type ClientDelays = Readonly<{
  /** Between two tries: doubles from the first to the last. */
  firstRetry: number
  lastRetry: number
  /** Without a daemon since the first event, and since one was lost. */
  aloneAtStart: number
  aloneLater: number
}>

const delays: ClientDelays = { firstRetry: 250, lastRetry: 15_000, aloneAtStart: 3_000, aloneLater: 60_000 }

export interface IngestClient {
  tell(lane: number, inc: number, event: WireEvent): void
  /**
   * Hands everything over at once to whoever takes it in place of a daemon, until one is there.
   *
   * @returns false where one is there already
   */
  divert(take: Take): boolean
  /** What could not be handed over so far; for who asks. */
  readonly lost: number
  /** What was told and is not acknowledged yet. */
  readonly waiting: number
  /** For the end of the process: hands the kernel what it takes at once. */
  bye(bye: Omit<Bye, 'type'>): void
}

export type Take = (message: Resumed | Readonly<{ type: 'event' | 'lost' }>) => void

const ackBytes = 4

export function createIngestClient(options: ClientOptions): IngestClient {
  const { path, hello, onAlone, onDaemon, onFailure, limits } = options
  const timing = { ...delays, ...options.delaysMs }
  const backlog = new Backlog(limits)
  let socket: Socket | null = null
  /** The daemon has said that it takes what is told. */
  let isServed = false
  let isConnected = false
  let isFull = false
  let begun = false
  let retryMs = timing.firstRetry
  let take: Take | null = null
  let aloneTimer: NodeJS.Timeout | undefined

  /** Nothing of ours may end in the application's event loop. */
  const safely =
    <Arguments extends readonly unknown[]>(act: (...given: Arguments) => void) =>
    (...given: Arguments): void => {
      try {
        act(...given)
      } catch (error) {
        onFailure?.(error)
      }
    }

  const expectDaemon = (withinMs: number): void => {
    clearTimeout(aloneTimer)
    aloneTimer = setTimeout(
      safely(() => onAlone?.()),
      withinMs,
    ).unref()
  }

  const write = (message: Hello | Resumed | Bye | string): void => {
    const frame = encodeFrame(typeof message === 'string' ? message : JSON.stringify(message))
    if (frame && socket && !socket.write(frame)) isFull = true
  }

  /** Hands on what waits, as far as somebody takes it. */
  const pump = (): void => {
    for (;;) {
      if (take === null && (!isServed || isFull)) return
      const json = backlog.next()
      if (json === null) return
      if (take === null) write(json)
      else {
        const message = JSON.parse(json)
        take(message)
        backlog.acknowledge(message.n)
      }
    }
  }

  const served = (): void => {
    isServed = true
    isFull = false
    retryMs = timing.firstRetry
    clearTimeout(aloneTimer)
    // What was taken elsewhere was acknowledged there; what goes on is told here again.
    take = null
    onDaemon?.()
    for (const open of backlog.rewind()) write(open)
  }

  const dial = safely((): void => {
    /** So much of the acknowledgements is read at once: Node's own buffer is 64 KiB, for a handful of bytes. */
    const piece = Buffer.alloc(32 * ackBytes)
    let acks: Buffer = Buffer.alloc(0)
    const acknowledged = safely((count: number): void => {
      acks = Buffer.concat([acks, piece.subarray(0, count)])
      const whole = acks.length - (acks.length % ackBytes)
      if (whole === 0) return
      backlog.acknowledge(acks.readUInt32BE(whole - ackBytes))
      acks = acks.subarray(whole)
      // The first one is a welcome.
      if (!isServed) served()
      pump()
    })
    const callback = (count: number): boolean => {
      acknowledged(count)
      return true
    }
    const next = connect({ path, onread: { buffer: piece, callback } })
    socket = next
    next.unref()
    next.on(
      'connect',
      safely(() => {
        write(hello())
        isConnected = true
      }),
    )
    next.on(
      'drain',
      safely(() => {
        isFull = false
        pump()
      }),
    )
    // A daemon that is not there is no error of the application's; the close that follows is enough.
    next.on('error', () => undefined)
    next.on('close', () => {
      if (isServed) expectDaemon(timing.aloneLater)
      isServed = false
      isConnected = false
      socket = null
      const delayMs = retryMs * (0.5 + Math.random() / 2)
      retryMs = Math.min(timing.lastRetry, retryMs * 2)
      setTimeout(dial, delayMs).unref()
    })
  })

  return {
    tell(lane, inc, event) {
      backlog.add(lane, inc, event)
      if (!begun) {
        begun = true
        expectDaemon(timing.aloneAtStart)
        dial()
      }
      pump()
    },
    divert(taking) {
      if (isServed) return false
      take = taking
      for (const open of backlog.rewind()) taking(open)
      pump()
      return true
    },
    get lost() {
      return backlog.lostUntold
    },
    get waiting() {
      return backlog.size
    },
    bye(bye) {
      if (!isConnected || take !== null) return
      // Nobody waits for a welcome any more; what is told before it is read all the same.
      if (!isServed) for (const open of backlog.rewind()) write(open)
      isServed = true
      isFull = false
      pump()
      write({ type: 'bye', ...bye })
    },
  }
}
