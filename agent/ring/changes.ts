/** Waiting for a directory to change. */
import { watch } from 'node:fs'

const pollMs = 1_000
const pollUnwatchedMs = 150

/** Tells that something in a directory has changed, or may have: watching can fail, and some file systems never tell. */
export class Changes {
  #wake: () => void = () => {}
  #pollMs = pollMs
  readonly #close: () => void

  constructor(dir: string, signal: AbortSignal | undefined) {
    const onChange = () => this.#wake()
    signal?.addEventListener('abort', onChange)
    try {
      const watcher = watch(dir, onChange)
      watcher.on('error', () => {
        this.#pollMs = pollUnwatchedMs
      })
      this.#close = () => {
        watcher.close()
        signal?.removeEventListener('abort', onChange)
      }
    } catch {
      // No watches left on this host, or none for this file system: looking more often does the same.
      this.#pollMs = pollUnwatchedMs
      this.#close = () => signal?.removeEventListener('abort', onChange)
    }
  }

  /** Resolves at the first change after the call, or when it is time to look anyway. */
  next(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#pollMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  close(): void {
    this.#wake()
    this.#close()
  }
}
