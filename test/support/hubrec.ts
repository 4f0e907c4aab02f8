/** The real command, compiled, in a process of its own: the daemon and the commands beside it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { sharedMemoryDir } from '../../agent/recall/place.js'
import type { Hub } from '../hub/hub.js'

const compiled = resolve('dist/agent/cli/main.js')

const askedEveryMs = 400

export type Ran = Readonly<{ code: number | null; out: string; err: string }>

/** A state directory and a configuration; the path is short because sockets lie in it. */
export class Gateway implements AsyncDisposable {
  readonly configFile: string
  readonly #children = new Set<ChildProcess>()
  /** When each command was asked last. */
  readonly #askedMs = new Map<string, number>()
  /** All that any process of this gateway has printed. */
  output = ''

  private constructor(
    readonly dir: string,
    readonly stateDir: string,
    readonly env: Readonly<Record<string, string>>,
    private readonly within: readonly string[],
    private readonly main: string,
  ) {
    this.configFile = join(dir, 'config.json')
  }

  /**
   * @param within what every process is started by: a command that ends with the name of the program
   * @param main the program; what has been compiled here, unless given
   */
  static async make(
    hub: Hub,
    connectionString: string,
    config: Readonly<Record<string, unknown>> = {},
    within: readonly string[] = [],
    main = compiled,
  ): Promise<Gateway> {
    const dir = await mkdtemp(join(tmpdir(), 'hubrec-'))
    const gateway = new Gateway(dir, join(dir, 'state'), { HUBREC_CONNECTION_STRING: connectionString }, within, main)
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

  /**
   * Runs a command that ends by itself. Its environment has no connection string. Asked again and again until something has
   * come, it leaves the machine to what is waited for.
   */
  async run(...args: string[]): Promise<Ran> {
    const asked = args.join(' ')
    const soonestMs = (this.#askedMs.get(asked) ?? Number.NEGATIVE_INFINITY) + askedEveryMs
    await sleep(Math.max(0, soonestMs - performance.now()))
    this.#askedMs.set(asked, performance.now())
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
    const [program = '', ...rest] = [...this.within, process.execPath, this.main, ...args]
    const child = spawn(program, rest, {
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
