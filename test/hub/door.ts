/** A device's own way to the hub: a TCP port before the TLS listeners, and the faults that are set for the device. */

import { connect } from 'node:net'
import type { Tell } from './events.js'
import { type Fault, Faults } from './faults.js'
import type { Listeners } from './listeners.js'
import { type Listening, TcpProxy } from './proxy.js'

export interface Door {
  readonly port: number
  /** Ends what is open now, on both sides, by FIN (without close_notify) or by RST. */
  cut(how: 'fin' | 'rst'): void
  /** In force until `heal()` or until it has struck `times` times. Several may be set, one of each kind. */
  set(fault: Fault): Promise<void>
  /**
   * Removes all faults of the device; a closed port listens again at the same number.
   *
   * @throws Error `EADDRINUSE` when somebody else took the port in the meantime
   */
  heal(): Promise<void>
}

export type DoorOptions = Readonly<{
  deviceId: string
  listeners: Listeners
  tell: Tell
  /** Numbers the connections of the whole hub. */
  number(): number
  /** A fault has been set, and may strike what is open at once. */
  misbehave(fault: Fault): void
  /** The faults are gone. */
  healed(): void
}>

export class DeviceDoor implements Door {
  readonly faults = new Faults()
  readonly #proxy: TcpProxy
  #changing: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: DoorOptions) {
    const { deviceId, listeners, tell, number } = options
    const localPorts = new Map<number, number>()
    this.#proxy = new TcpProxy({
      number,
      connect: () => {
        const port = listeners.port(this.faults.get('certificate')?.certificate ?? 'good')
        return connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      },
      greeting: () => {
        if (this.faults.strike('finAtAccept')) return 'fin'
        if (this.faults.strike('rstAtAccept')) return 'rst'
        return this.faults.get('silent') ? 'silent' : 'pass'
      },
      opened: connection => tell({ type: 'tcpOpened', deviceId, connection }),
      joined: (connection, hub) => {
        hub.once('connect', () => {
          localPorts.set(connection, hub.localPort!)
          listeners.expect(hub.localPort!, { deviceId, connection })
        })
      },
      closed: (connection, end) => {
        listeners.forget(localPorts.get(connection) ?? 0)
        localPorts.delete(connection)
        tell({ type: 'tcpClosed', deviceId, connection, ...end })
      },
    })
  }

  get port(): number {
    return this.#proxy.port
  }

  open(): Promise<void> {
    return this.#proxy.listen('open')
  }

  cut(how: 'fin' | 'rst'): void {
    const connections = this.#proxy.cut(how)
    this.options.tell({ type: 'cut', deviceId: this.options.deviceId, how, connections })
  }

  set(fault: Fault): Promise<void> {
    return this.#change(async () => {
      const { deviceId, listeners, tell, misbehave } = this.options
      if (fault.kind === 'certificate') await listeners.open(fault.certificate)
      this.faults.set(fault)
      await this.#proxy.listen(this.#listening())
      this.#adjustLink()
      tell({ type: 'fault', deviceId, fault })
      misbehave(fault)
    })
  }

  heal(): Promise<void> {
    return this.#change(async () => {
      this.faults.clear()
      await this.#proxy.listen('open')
      this.#proxy.release()
      this.#adjustLink()
      this.options.healed()
      this.options.tell({ type: 'healed', deviceId: this.options.deviceId })
    })
  }

  close(): Promise<void> {
    return this.#change(() => this.#proxy.close())
  }

  #listening(): Listening {
    if (this.faults.get('refuse')) return 'refused'
    return this.faults.get('unanswered') ? 'unanswered' : 'open'
  }

  #adjustLink(): void {
    const { link } = this.#proxy
    const direction = this.faults.get('blackHole')?.direction
    const slow = this.faults.get('slow')
    const throttle = this.faults.get('throttle')
    link.holdTowardHub = direction === 'both' || direction === 'towardHub'
    link.holdTowardDevice = direction === 'both' || direction === 'towardDevice'
    link.latencyMs = slow?.latencyMs ?? 0
    link.msPerByte = Math.max(slow?.msPerByte ?? 0, throttle ? 1000 / throttle.bytesPerSecond : 0)
    link.emit('changed')
  }

  /** One change after the other, because a port takes a moment to open. */
  #change(work: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(work)
    this.#changing = Promise.allSettled([changed])
    return changed
  }
}
