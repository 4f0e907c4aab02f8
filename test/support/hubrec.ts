/** The real command, compiled, in a process of its own: the daemon and the commands beside it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { sharedMemoryDir } from '../../agent/recall/place.js'
import type { Hub } from '../hub/hub.js'

const main = resolve('dist/agent/cli/main.js')

export type Ran = Readonly<{ code: number | null; out: string; err: string }>

/** A state directory and a configuration; the path is short because sockets lie in it. */
export class Gateway implements AsyncDisposable {
  readonly configFile: string
  readonly #children = new Set<ChildProcess>()
  /** All that any process of this gateway has printed. */
  output = ''

  private constructor(
    readonly dir: string,
    readonly stateDir: string,
    readonly env: Readonly<Record<string, string>>,
  ) {
    this.configFile = join(dir, 'config.json')
  }

  static async make(
    hub: Hub,
    connectionString: string,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<Gateway> {
    const dir = await mkdtemp(join(tmpdir(), 'hubrec-'))
    const gateway = new Gateway(dir, join(dir, 'state'), { HUBREC_CONNECTION_STRING: connectionString })
    const { connection, ...rest } = config as { connection?: object }
    const written = {
      connection: { caFile: hub.caFile, keepaliveSeconds: 3, ports: { https: hub.ports.https }, ...connection },
      stateDir: 'state',
      samples: { intervalSeconds: 1 },
      // They would ask hosts of the world outside.
      probes: { enabled: false },
      ...rest,
    }
    await writeFile(gateway.configFile, JSON.stringify(written))
    return gateway
  }

  /**
   * Starts `hubrec run`; the caller ends it, or `Symbol.asyncDispose` does.
   *
   * @param stderr a file descriptor, in place of a pipe to this process
   */
  start(env: Readonly<Record<string, string>> = {}, stderr: number | 'pipe' = 'pipe'): ChildProcess {
    const child = this.#spawn(['run', '--config', this.configFile], env, stderr)
    child.stdout?.on('data', this.#keep)
    child.stderr?.on('data', this.#keep)
    return child
  }

  /** Runs a command that ends by itself. Its environment has no connection string. */
  async run(...args: string[]): Promise<Ran> {
    const child = this.#spawn(args, { HUBREC_CONNECTION_STRING: '' })
    let [out, err] = ['', '']
    child.stdout?.on('data', text => {
      out += text
      this.#keep(text)
    })
    child.stderr?.on('data', text => {
      err += text
      this.#keep(text)
    })
    const [code] = await once(child, 'close')
    return { code, out, err }
  }

  /** Starts a command; the caller reads what it prints. */
  command(...args: string[]): { child: ChildProcess } {
    return { child: this.#spawn(args, { HUBREC_CONNECTION_STRING: '' }) }
  }

  /** Starts a command that goes on, and hands out its lines. */
  follow(...args: string[]): { child: ChildProcess; line(): Promise<string> } {
    const { child } = this.command(...args)
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    return { child, line: async () => String((await lines.next()).value) }
  }

  /** The JSON lines that a command prints. */
  async json<T>(...args: string[]): Promise<T[]> {
    const { out } = await this.run(...args, '--json')
    return out
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as T)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#children].map(async child => {
        child.kill('SIGKILL')
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      }),
    )
    await rm(await sharedMemoryDir(this.stateDir), { recursive: true, force: true })
    await rm(this.dir, { recursive: true, force: true })
  }

  readonly #keep = (text: unknown): void => {
    this.output += String(text)
  }

  #spawn(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stderr: number | 'pipe' = 'pipe',
  ): ChildProcess {
    const child = spawn(process.execPath, [main, ...args], {
      // The test runner's own options would cost each start six times its time.
      env: { ...process.env, NODE_OPTIONS: undefined, ...this.env, ...env },
      stdio: ['ignore', 'pipe', stderr],
    })
    child.stdout?.setEncoding('utf8')
    child.stderr?.setEncoding('utf8')
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }
}
