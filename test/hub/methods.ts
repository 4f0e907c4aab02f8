/** Direct methods: a request goes out to whoever is connected, the answer comes back, or time runs out. */

import type { Identity, Tell } from './events.js'
import { HubError } from './hub-error.js'
import type { Sessions } from './sessions.js'

export type MethodAnswer = Readonly<{ status: number; payload: Buffer }>

type Pending = { delivered: boolean; answer(answer: MethodAnswer): void }

export class Methods {
  #requests = 0
  readonly #pending = new Map<string, Pending>()

  constructor(
    private readonly sessions: Sessions,
    private readonly tell: Tell,
  ) {}

  /**
   * @throws HubError 404103 when nobody listens to methods, 504101 when the answer does not come in time
   */
  async invoke(identity: Identity, methodName: string, payload: Buffer, timeoutMs: number): Promise<MethodAnswer> {
    const { deviceId, moduleId = null } = identity
    const id = (++this.#requests).toString(16)
    let timer: NodeJS.Timeout | undefined
    try {
      const answer = await new Promise<MethodAnswer>((resolve, reject) => {
        timer = setTimeout(() => reject(new HubError(504101, responseTimedOut)), timeoutMs)
        const pending: Pending = { delivered: false, answer: resolve }
        this.#pending.set(id, pending)
        const occupant = this.sessions.get(identity)
        Promise.resolve(occupant?.invoke({ id, methodName, payload })).then(() => {
          if (!pending.delivered) reject(new HubError(404103, notConnected, { timeout: '00:00:00' }))
        }, reject)
      })
      this.tell({ type: 'method', deviceId, moduleId, methodName, status: answer.status, code: null })
      return answer
    } catch (error) {
      const code = error instanceof HubError ? error.code : null
      this.tell({ type: 'method', deviceId, moduleId, methodName, status: null, code })
      throw error
    } finally {
      clearTimeout(timer)
      this.#pending.delete(id)
    }
  }

  /** The request has been written to a device. */
  delivered(id: string): void {
    const pending = this.#pending.get(id)
    if (pending) pending.delivered = true
  }

  /** An answer to an unknown or finished request is dropped, as IoT Hub does. */
  answered(id: string, answer: MethodAnswer): void {
    this.#pending.get(id)?.answer(answer)
  }
}

const notConnected = 'Timed out waiting for device to connect.'
const responseTimedOut = 'Timed out waiting for the response from device.'
