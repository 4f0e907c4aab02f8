/** The hub's AMQP side: its connections, who they are let in as, and what is done to all of a device's at once. */

import type { Duplex } from 'node:stream'
import { AmqpConnection } from './amqp-connection.js'
import { faultOfCertificate } from './client-certificates.js'
import type { Tell } from './events.js'
import type { Fault, Faults } from './faults.js'
import { clientIdOf, type Identities } from './identities.js'
import type { Origin } from './listeners.js'
import type { Methods } from './methods.js'
import type { Sessions } from './sessions.js'
import { checkPutToken } from './sign-in.js'

export type AmqpFrontOptions = Readonly<{
  hostName: string
  idleTimeOutMs: number
  identities: Identities
  sessions: Sessions
  methods: Methods
  faultsOf(deviceId: string): Faults
  tell: Tell
}>

export class AmqpFront {
  /** With the device whose door each came through. */
  readonly #connections = new Map<AmqpConnection, string>()

  constructor(private readonly options: AmqpFrontOptions) {}

  /** @param stream speaks AMQP, as far as its first byte or its subprotocol shows */
  accept(stream: Duplex, origin: Origin): AmqpConnection {
    const { hostName, idleTimeOutMs, identities, sessions, methods, faultsOf, tell } = this.options
    const connection = new AmqpConnection({
      stream,
      origin,
      idleTimeOutMs,
      faults: faultsOf(origin.deviceId),
      tell,
      certifies: identity => {
        const registered = identities.find(clientIdOf(identity))
        if (!registered?.x509 || !registered.enabled) return false
        return faultOfCertificate(origin.shown, registered.x509, registered.deviceId) === null
      },
      registered: identity => identities.find(clientIdOf(identity)),
      checkPutToken: (name, token) => checkPutToken(name, token, hostName, identities),
      occupy: (identity, self) => sessions.occupy(identity, self),
      leave: (identity, self) => sessions.leave(identity, self),
      delivered: requestId => methods.delivered(requestId),
      answered: (requestId, answer) => methods.answered(requestId, answer),
      received: ({ deviceId, moduleId = null }) => tell({ type: 'message', deviceId, moduleId }),
      closed: self => this.#connections.delete(self),
    })
    this.#connections.set(connection, origin.deviceId)
    return connection
  }

  /** A fault has been set that strikes what is open, once for all of it. */
  misbehave(deviceId: string, fault: Fault): void {
    if (fault.kind !== 'amqpClose' && fault.kind !== 'amqpEnd' && fault.kind !== 'amqpDetach') return
    const struck = this.#of(deviceId).filter(connection => connection.isStruckBy(fault))
    if (struck.length === 0) return
    this.options.faultsOf(deviceId).strike(fault.kind)
    for (const connection of struck) connection.misbehave(fault)
  }

  healed(deviceId: string): void {
    for (const connection of this.#of(deviceId)) connection.healed()
  }

  close(): void {
    for (const connection of [...this.#connections.keys()]) connection.destroy()
  }

  #of(deviceId: string): AmqpConnection[] {
    return [...this.#connections].flatMap(([connection, through]) => (through === deviceId ? [connection] : []))
  }
}
