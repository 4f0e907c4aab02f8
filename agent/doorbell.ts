/** Wakes whoever waits for work. A ring that nobody waits for is remembered. */

export interface Doorbell {
  ring(): void
  /** Waits for a ring, for `until`, or for the signal to abort. */
  rung(signal: AbortSignal, until?: (bell: AbortSignal) => Promise<void>): Promise<void>
}

export function createDoorbell(): Doorbell {
  let wake: AbortController | null = null
  let pending = false

  return {
    ring() {
      pending = true
      wake?.abort()
    },
    async rung(signal, until = aborted) {
      const controller = new AbortController()
      const stop = (): void => controller.abort()
      wake = controller
      signal.addEventListener('abort', stop, { once: true })
      if (pending || signal.aborted) controller.abort()
      try {
        await until(controller.signal)
      } catch (error) {
        if (!controller.signal.aborted) throw error
      } finally {
        pending = false
        wake = null
        signal.removeEventListener('abort', stop)
      }
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
