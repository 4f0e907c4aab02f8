/** One door for all protocols: the first byte that a client sends after TLS says which one it speaks. */

import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { SessionEnd } from './events.js'
import type { Origin } from './listeners.js'
import { finish } from './pipe.js'

/** A connection as far as whoever carries it has to know it. */
export type Carried = Readonly<{
  end(why: SessionEnd): void
}>

/** A connection that says nothing for so long is closed. */
const firstByteLimitMs = 30_000

export type ProtocolsOptions = Readonly<{
  mqtt(stream: Duplex, origin: Origin): Carried
  amqp(stream: Duplex, origin: Origin): Carried
  http(tls: TLSSocket, origin: Origin): void
}>

export class Protocols {
  /** Those that have said nothing yet. */
  readonly #undecided = new Set<TLSSocket>()

  constructor(private readonly options: ProtocolsOptions) {}

  take(tls: TLSSocket, origin: Origin): void {
    const { mqtt, amqp, http } = this.options
    const limit = setTimeout(() => finish(tls), firstByteLimitMs)
    const failed = () => tls.destroy()
    const ended = () => finish(tls)
    const forget = () => {
      clearTimeout(limit)
      this.#undecided.delete(tls)
    }
    this.#undecided.add(tls)
    tls.on('error', failed)
    tls.once('end', ended)
    tls.once('close', forget)
    tls.once('data', first => {
      forget()
      tls.off('error', failed)
      tls.off('end', ended)
      tls.off('close', forget)
      tls.pause()
      tls.unshift(first)
      if (first[0] === amqpHeader) amqp(tls, origin)
      else if (isUpperCase(first[0])) http(tls, origin)
      // Also whatever is none of them: it is refused there.
      else mqtt(tls, origin)
      tls.resume()
    })
  }

  close(): void {
    for (const tls of this.#undecided) tls.destroy()
  }
}

/** `AMQP`. No method of HTTP that anybody uses begins with it. */
const amqpHeader = 0x41

/** The packet type of a CONNECT is 0x10, which is none. */
const isUpperCase = (byte = 0): boolean => byte >= 0x41 && byte <= 0x5a
