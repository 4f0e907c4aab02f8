/** The other end of `ring-child.ts`: a ring in a process of its own. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Durability, RingState } from '../../agent/ring/ring.js'

/** Records with these ids, both included. */
export type Order = Readonly<{ fromId: number; toId: number; paddingBytes?: number; durability?: Durability }>

/** In the order of the ids; 0 where it is not as safe as was asked. */
export type Answer = Readonly<{ seqs: readonly number[]; state: RingState }>

export type RemoteOptions = Readonly<{
  dir: string
  budgetBytes: number
  /** A command that executes the rest of its arguments, as `strace` and `prlimit` do. */
  under?: readonly string[]
  env?: Readonly<Record<string, string>>
}>

export class RingRemote {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  /** Number and id of all that it was promised. */
  readonly promised = new Map<number, number>()
  /** How many records were handed to it. */
  appended = 0

  private constructor({ dir, budgetBytes, under = [], env = {} }: RemoteOptions) {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const script = join(process.cwd(), 'dist', 'test', 'support', 'ring-child.js')
    // Without the environment of the test runner, which loads much into each child.
    const command = ['-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...under, 'env', ...settings, process.execPath, script]
    this.#child = spawn('env', [...command, dir, `${budgetBytes}`], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** It is killed at the end of the test, whatever became of it. */
  static async start(t: { teardown(act: () => unknown): unknown }, options: RemoteOptions): Promise<RingRemote> {
    const remote = new RingRemote(options)
    t.teardown(() => remote.#child.kill('SIGKILL'))
    await remote.#answer()
    return remote
  }

  /** Of the process itself where it was started without another command. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  async append(order: Order): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`)
    const answer = await this.#answer()
    answer.seqs.forEach((seq, index) => {
      if (seq > 0) this.promised.set(seq, order.fromId + index)
    })
    this.appended += answer.seqs.length
    return answer
  }

  /**
   * One record more, on the device. What a ring wrote from its memory can be read a moment before it knows that it was written,
   * so it is asked again until it does.
   */
  async appendWell(): Promise<Answer> {
    for (;;) {
      const id = this.appended + 1
      const answer = await this.append({ fromId: id, toId: id, durability: 'disk' })
      if (answer.state.mode === 'disk') return answer
    }
  }

  /** @returns code and signal of its end */
  async close(): Promise<unknown[]> {
    const ended = once(this.#child, 'close')
    this.#child.stdin.end()
    return ended
  }

  async #answer(): Promise<Answer> {
    const { done, value } = await this.#lines.next()
    if (done) throw new Error(`the ring's process ended: ${this.#child.exitCode} ${this.#child.signalCode}`)
    return JSON.parse(value)
  }
}
