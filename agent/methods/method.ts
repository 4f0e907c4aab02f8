/** What a direct method is. To add one, write a file that exports a `Method`, and name it in list.ts. */

import type { Lookup } from '../../transports/socket-tap.js'
import type { MethodAnswer } from '../../transports/transport.js'
import type { Redactor } from '../redact.js'
import type { Device } from '../status.js'
import type { Allowed } from '../upload/destination.js'
import type { Outbox } from '../upload/outbox.js'
import type { Uploader } from '../upload/uploader.js'
import type { Admission, Gate } from './admission.js'
import type { Patterns } from './pattern.js'

export type Method = Readonly<{
  /** As IoT Edge spells it; it is answered under this name with a small first letter too. */
  name: string
  /**
   * @param payload as it came, perhaps no JSON at all
   * @throws Refusal for what the caller can put right; anything else is answered with 500
   */
  answer(payload: Buffer, context: MethodContext): Promise<MethodAnswer>
}>

/** What the daemon lends the methods. */
export type MethodDeps = Readonly<{
  /** Kept up to date: another hub may be assigned. */
  device: Device
  ringDir: string
  redactor: Redactor
  uploader: Pick<Uploader, 'accept' | 'acceptDone' | 'busy' | 'cancel'>
  outbox: Pick<Outbox, 'find'>
  allowed: Allowed
  /** What GetStatus answers. */
  status(): Promise<unknown>
  /** What RunDoctor answers. */
  doctor(): Promise<unknown>
  /** Told of a method that failed for a reason of our own. */
  onFailure(method: string, error: unknown): void
  /** Wall time. Default: the system's. */
  nowMs?: () => number
  /** Default: the system's. */
  lookup?: Lookup
}>

export type MethodContext = MethodDeps &
  Readonly<{
    nowMs(): number
    patterns: Patterns
    admission: Admission
    /** For those who read the whole ring. */
    readers: Gate
  }>

/** An answer that is no success. The message is for the caller, and holds nothing of what was sent. */
export class Refusal extends Error {
  override readonly name = 'Refusal'

  constructor(
    readonly status: 400 | 429 | 500,
    message: string,
  ) {
    super(message)
  }
}
