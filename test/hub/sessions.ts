/** Who is connected: one session for each identity, whatever the protocol it came by. */

import type { Identity, SessionEnd } from './events.js'
import { clientIdOf } from './identities.js'

export type MethodRequest = Readonly<{ id: string; methodName: string; payload: Buffer }>

/** A client that has signed in, as the rest of the hub knows it. */
export interface Occupant {
  /** Resolves when the request has been written to the client, or when it does not listen to methods. */
  invoke(request: MethodRequest): Promise<void>
  /** Its desired properties have changed. A client that has not asked for them is not told. */
  desiredChanged(patch: Readonly<Record<string, unknown>>): Promise<void>
  /** A newer client has taken its place. */
  displaced(by: Occupant): void
  end(why: SessionEnd): void
}

export class Sessions {
  readonly #occupants = new Map<string, Occupant>()

  get(identity: Identity): Occupant | undefined {
    return this.#occupants.get(clientIdOf(identity))
  }

  occupy(identity: Identity, occupant: Occupant): void {
    const id = clientIdOf(identity)
    const before = this.#occupants.get(id)
    this.#occupants.set(id, occupant)
    if (before && before !== occupant) before.displaced(occupant)
  }

  /** @returns whether it was still in its place, and no newer client */
  leave(identity: Identity, occupant: Occupant): boolean {
    const id = clientIdOf(identity)
    return this.#occupants.get(id) === occupant && this.#occupants.delete(id)
  }
}
