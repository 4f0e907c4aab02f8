/** A writer process, started quickly, of which everything it said is kept until it is dead. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Longer than any start takes, however busy the machine is. */
const startLimitMs = 60_000

export class DyingWriter {
  readonly #child: ChildProcess
  readonly #chunks: Buffer[] = []
  readonly #died: Promise<void>
  /** Resolves to whether it said anything; to `false` also when it is killed before. */
  readonly spoke: Promise<boolean>

  /** @param script in test/support */
  constructor(script: string, ...args: string[]) {
    // Without its environment: what the test runner loads into each child by it costs more than all the writing.
    const command = ['-i', process.execPath, join(process.cwd(), 'dist', 'test', 'support', script), ...args]
    const child = spawn('env', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    this.#died = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (signal === 'SIGKILL') resolve()
        else reject(new Error(`${script} ended by itself: ${code} ${signal}`))
      })
    })
    // Whoever waits for its death is told of a failure; nobody may be waiting yet.
    this.#died.catch(() => {})
    this.spoke = new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`${script} said nothing in ${startLimitMs} ms`)), startLimitMs)
      const answer = (spoke: boolean) => {
        clearTimeout(limit)
        resolve(spoke)
      }
      child.stdout.once('data', () => answer(true))
      child.once('close', () => answer(false))
    })
    this.spoke.catch(() => {})
  }

  /** Resolves when it does nothing more, though it still lives. */
  async stop(): Promise<void> {
    const { pid } = this.#child
    this.#child.kill('SIGSTOP')
    while (!/^\d+ \(.*\) [TtZ]/.test(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')))
      await new Promise(resolve => setImmediate(resolve))
  }

  /** @returns the lines it had said, as numbers; a line that it was saying is none */
  async kill(): Promise<number[][]> {
    this.#child.kill('SIGKILL')
    await this.#died
    const lines = Buffer.concat(this.#chunks).toString().split('\n').slice(0, -1)
    return lines.map(line => line.split(' ').map(Number))
  }
}
