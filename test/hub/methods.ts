/** Direct methods: a request goes out on a topic, the answer comes back on another, or time runs out. */

import type { Identity, Tell } from './events.js'
import { HubError } from './hub-error.js'

export type MethodAnswer = Readonly<{ status: number; payload: Buffer }>

/**
 * Puts a message on an identity's topics, where its broker hands it to whoever has subscribed. Resolves when that has
 * happened, or when nobody has.
 */
export type Publish = (identity: Identity, topic: string, payload: Buffer) => Promise<void>

type Pending = { delivered: boolean; answer(answer: MethodAnswer): void }

export class Methods {
  #requests = 0
  readonly #pending = new Map<string, Pending>()

  constructor(
    private readonly publish: Publish,
    private readonly tell: Tell,
  ) {}

  /**
   * @throws HubError 404103 when nobody has subscribed to methods, 504101 when the answer does not come in time
   */
  async invoke(identity: Identity, methodName: string, payload: Buffer, timeoutMs: number): Promise<MethodAnswer> {
    const { deviceId, moduleId = null } = identity
    const requestId = (++this.#requests).toString(16)
    let timer: NodeJS.Timeout | undefined
    try {
      const answer = await new Promise<MethodAnswer>((resolve, reject) => {
        timer = setTimeout(() => reject(new HubError(504101, responseTimedOut)), timeoutMs)
        const pending: Pending = { delivered: false, answer: resolve }
        this.#pending.set(requestId, pending)
        this.publish(identity, `$iothub/methods/POST/${methodName}/?$rid=${requestId}`, payload).then(() => {
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
      this.#pending.delete(requestId)
    }
  }

  /** A packet with this topic has been written to a device. */
  delivered(topic: string): void {
    const requestId = /^\$iothub\/methods\/POST\/.*\/\?\$rid=(.*)$/.exec(topic)?.[1]
    const pending = requestId === undefined ? undefined : this.#pending.get(requestId)
    if (pending) pending.delivered = true
  }

  /** An answer to an unknown or finished request is dropped, as IoT Hub does. */
  answered(requestId: string, answer: MethodAnswer): void {
    this.#pending.get(requestId)?.answer(answer)
  }
}

const notConnected = 'Timed out waiting for device to connect.'
const responseTimedOut = 'Timed out waiting for the response from device.'
