/** One TCP connection through a proxy: bytes, FIN and RST pass both ways, as fast as the link's state lets them. */

import { EventEmitter, once } from 'node:events'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** What a link does to the bytes on it. Shared by all pipes of a proxy; `changed` is emitted after each change. */
export class Link extends EventEmitter<{ changed: [] }> {
  holdTowardHub = false
  holdTowardDevice = false
  latencyMs = 0
  msPerByte = 0
}

export type PipeEnd = Readonly<{ first: 'device' | 'hub' | 'door'; how: 'fin' | 'rst' }>

/** A device that never answers our FIN with its own is cut off after this. */
const lingerMs = 5_000

/**
 * Half-open connections stay half-open: each side's FIN travels alone. Both sockets must have been made with
 * `allowHalfOpen`.
 */
export class Pipe {
  #first: PipeEnd | null = null
  readonly #over = new AbortController()
  readonly #flows: readonly Flow[]

  /** @param ended called once, when both sockets are closed */
  constructor(
    private readonly device: Socket,
    private readonly hub: Socket,
    private readonly link: Link,
    ended: (end: PipeEnd) => void,
  ) {
    this.#flows = [new Flow(device, hub, link, 'holdTowardHub'), new Flow(hub, device, link, 'holdTowardDevice')]
    let open = 2
    const sides = [
      { name: 'device', socket: device, other: hub, hold: 'holdTowardHub' },
      { name: 'hub', socket: hub, other: device, hold: 'holdTowardDevice' },
    ] as const
    for (const { name, socket, other, hold } of sides) {
      whenEnded(socket, () => this.#note({ first: name, how: 'fin' }))
      socket.on('error', () => this.#note({ first: name, how: 'rst' }))
      socket.once('close', failed => {
        this.#note({ first: name, how: 'fin' })
        open -= 1
        if (open > 0) {
          void this.#passOn(failed ? 'rst' : 'fin', other, hold)
        } else {
          this.#over.abort()
          ended(this.#first!)
        }
      })
    }
  }

  /** FIN or RST to both sides, without regard to bytes on their way. */
  cut(how: 'fin' | 'rst'): void {
    this.#note({ first: 'door', how })
    for (const flow of this.#flows) flow.stop()
    if (how === 'rst') {
      reset(this.device)
      reset(this.hub)
    } else {
      finish(this.device)
      this.hub.destroy()
    }
  }

  destroy(): void {
    this.#note({ first: 'door', how: 'fin' })
    for (const flow of this.#flows) flow.stop()
    this.device.destroy()
    this.hub.destroy()
  }

  /** One side is gone altogether. The other hears of it unless the link holds everything back. */
  async #passOn(how: 'fin' | 'rst', other: Socket, hold: 'holdTowardHub' | 'holdTowardDevice'): Promise<void> {
    while (this.link[hold] && !other.destroyed) {
      await once(this.link, 'changed', { signal: this.#over.signal }).catch(ignoreAbort)
    }
    if (other.destroyed) return
    if (how === 'rst') reset(other)
    else finish(other)
  }

  #note(end: PipeEnd): void {
    this.#first ??= end
  }
}

/**
 * Sends FIN and reads on to the other side's, so that no unread byte turns the FIN into an RST. A WebSocket's stream,
 * which is no socket, says goodbye in its own way.
 */
export function finish(socket: Duplex): void {
  socket.removeAllListeners('data')
  socket.resume()
  socket.end()
  const linger = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('end', () => {
    if (socket instanceof Socket) socket.destroySoon()
  })
  socket.once('close', () => clearTimeout(linger))
}

/** Of a socket that was left waiting the FIN may have come already, and is not told again. */
function whenEnded(socket: Socket, act: () => void): void {
  if (socket.readableEnded) act()
  else socket.once('end', act)
}

/** Sends RST, or closes where a FIN has been sent: Node would fail at resetting that one, and never close it. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** One direction. The source is paused while a chunk of it is on its way, so at most one chunk is held here. */
class Flow {
  #carrying = false
  #stopped = false
  readonly #stop = new AbortController()

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly link: Link,
    private readonly hold: 'holdTowardHub' | 'holdTowardDevice',
  ) {
    source.on('data', chunk => void this.#carry(chunk))
    whenEnded(source, () => {
      if (!this.#stopped) sink.end()
    })
    source.once('close', () => this.stop())
    link.on('changed', this.#adjust)
    this.#adjust()
  }

  stop(): void {
    this.#stopped = true
    this.#stop.abort()
    this.link.off('changed', this.#adjust)
  }

  /** A paused source reports neither bytes nor FIN, which is what a black hole is. */
  readonly #adjust = (): void => {
    if (this.#stopped || this.#carrying) return
    if (this.link[this.hold]) this.source.pause()
    else this.source.resume()
  }

  async #carry(chunk: Buffer): Promise<void> {
    this.#carrying = true
    this.source.pause()
    for (const piece of this.#pieces(chunk)) {
      await this.#wait(piece.delayMs)
      while (this.link[this.hold] && !this.#stopped) await this.#changed()
      if (this.#stopped || this.sink.destroyed) return
      if (!this.sink.write(piece.bytes)) await this.#drained()
    }
    this.#carrying = false
    this.#adjust()
  }

  /** On a slow link a chunk arrives in pieces of about 50 ms each. */
  *#pieces(chunk: Buffer): Generator<{ bytes: Buffer; delayMs: number }> {
    let latencyMs = this.link.latencyMs
    for (let at = 0; at < chunk.length; ) {
      const { msPerByte } = this.link
      const length = msPerByte > 0 ? Math.max(1, Math.floor(50 / msPerByte)) : chunk.length
      const bytes = chunk.subarray(at, at + length)
      yield { bytes, delayMs: latencyMs + bytes.length * msPerByte }
      latencyMs = 0
      at += length
    }
  }

  /** Ends early when the link changes, so that healing a slow link does not leave a long wait behind. */
  async #wait(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#stopped) return
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), delayMs)
    await this.#changed(over.signal)
    clearTimeout(timer)
  }

  async #changed(over?: AbortSignal): Promise<void> {
    const signal = over ? AbortSignal.any([over, this.#stop.signal]) : this.#stop.signal
    await once(this.link, 'changed', { signal }).catch(ignoreAbort)
  }

  /** Or closed, which is told elsewhere. */
  #drained(): Promise<void> {
    const { sink } = this
    if (this.#stopped || sink.destroyed) return Promise.resolve()
    return new Promise(resolve => {
      const done = () => {
        sink.off('drain', done)
        sink.off('close', done)
        resolve()
      }
      sink.once('drain', done)
      sink.once('close', done)
    })
  }
}

const ignoreAbort = (error: unknown): void => {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error
}
