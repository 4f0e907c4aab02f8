/**
 * Lines for a reader who may be slow, stuck, full or gone. Nothing here waits for the reader: what does not fit is
 * counted, and said when lines come out again.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'

export interface LineOutput {
  /** A line with its newline. It is lost when too much waits already, or when nobody reads any more. */
  write(line: string): void
  /** Counts a line as lost that could not even be written here. */
  lose(): void
  /** Lines that will never come out. Those that wait are not counted, nor those that `close` gave up. */
  readonly lost: number
  /**
   * Waits at most a second for what has not come out yet, then gives it up. Where the reader of a pipe is stuck, only
   * `process.exit` ends the process after that.
   */
  close(): Promise<void>
}

/** One way of writing; it never throws and never waits. */
export type Sink = Readonly<{
  /** @returns false where the line had no room and was dropped */
  write(line: string): boolean
  /** Writes what waits, then tells `ended`. */
  end(): void
  /** Gives up what still waits. */
  destroy(): void
}>

export type SinkListener = Readonly<{ drained(): void; failed(error: NodeJS.ErrnoException): void; ended(): void }>

export type OpenSink = (fd: number, listener: SinkListener) => Sink

/** How much may wait for the reader, with either way of writing. */
export const waitingBytesMax = 1 << 18

const closeLimitMs = 1_000

/** The other end is gone and does not come back; any other failure may heal, a full disk above all. */
const finalCodes: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'EBADF'])

/**
 * @param openFile for files, terminals and devices; pipes and sockets are written by the event loop, because a file
 *   thread that writes to a stuck pipe cannot be called back, and holds the process even at its exit
 * @param onHealed how many lines were lost since the last time, and why
 */
export function openLineOutput(
  fd: number,
  openFile: OpenSink,
  onHealed: (lost: number, why: string) => void,
): LineOutput {
  let lost = 0
  let unsaid = 0
  let why = 'too slow'
  let state: 'open' | 'closing' | 'ended' = 'open'
  let ended = () => {}
  const closed = new Promise<void>(resolve => {
    ended = resolve
  })
  const lose = () => {
    lost += 1
    unsaid += 1
  }

  const kind = fstatSync(fd)
  const open = kind.isFIFO() || kind.isSocket() ? openPipe : openFile
  const sink = open(fd, {
    drained() {
      if (unsaid === 0 || state !== 'open') return
      const said = unsaid
      unsaid = 0
      onHealed(said, why)
    },
    failed({ code, name }) {
      why = code ?? name
      if (finalCodes.has(why)) state = 'ended'
      if (state !== 'open') ended()
    },
    ended,
  })

  return {
    write(line) {
      if (state !== 'open' || !sink.write(line)) lose()
    },
    lose,
    get lost() {
      return lost
    },
    async close() {
      if (state === 'open') {
        state = 'closing'
        const timer = setTimeout(ended, closeLimitMs)
        sink.end()
        await closed
        clearTimeout(timer)
      }
      state = 'ended'
      sink.destroy()
    },
  }
}

const openPipe: OpenSink = (fd, listener) => {
  // The process has one stream for each of its own; a second one for the same descriptor aborts Node.
  const own = fd === 1 ? process.stdout : fd === 2 ? process.stderr : null
  const stream = own ?? new Socket({ fd, readable: false, writable: true })
  stream.on('error', listener.failed)
  stream.on('drain', listener.drained)
  return {
    write(line) {
      if (stream.writableLength + Buffer.byteLength(line) > waitingBytesMax) return false
      stream.write(line)
      return true
    },
    end: () => void stream.write('', () => listener.ended()),
    destroy() {
      if (own === null) stream.destroy()
    },
  }
}
