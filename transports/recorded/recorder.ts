/** Where the observers of an application's own connection put what they see. */
import type { Clock } from '../clock.js'
import type { WireEvent } from '../wire-event.js'

/** Nothing here throws, waits, or keeps a process alive: the application must not notice it. */
export interface Recorder {
  readonly clock: Clock
  /** For one instance of a transport, from its making to its end. */
  incarnation(): Incarnation
  /** An observer of ours failed: what it was about is not recorded, and that is said. */
  failed(error: unknown): void
}

export interface Incarnation {
  attempt(): AttemptTeller
}

export type AttemptTeller = Readonly<{ number: number; tell(event: WireEvent): void }>

/** Wraps what is called from inside the application's libraries, where an exception of ours would be the application's. */
export const guard =
  (recorder: Pick<Recorder, 'failed'>) =>
  <Arguments extends readonly unknown[]>(act: (...given: Arguments) => void) =>
  (...given: Arguments): void => {
    try {
      act(...given)
    } catch (error) {
      recorder.failed(error)
    }
  }

export type Guard = ReturnType<typeof guard>
