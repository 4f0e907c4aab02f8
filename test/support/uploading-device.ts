/** The real daemon of a device that uploads, asked through the stock service SDK. */
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { linkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'azure-iothub'
import type { Task } from '../../agent/upload/task.js'
import type { Hub, HubEvent } from '../hub/hub.js'
import { serviceClient } from '../hub/service-client.js'
import { Gateway } from './hubrec.js'
import { type OutboxWatch, watchOutbox } from './outbox-watch.js'
import { type Line, recordRing } from './recorded-ring.js'

/** Where others keep the machine busy. */
const servedWithinMs = 180_000

/** Records that compressing makes little smaller, so that a bundle has some blocks: nine hundred make three of 512 KiB. */
export const noisyLines = (count: number, random: () => number): Line[] =>
  Array.from({ length: count }, (_, atS) => {
    const words = Array.from({ length: 300 }, () => Math.floor(random() * 0xff_ffff_ffff).toString(36))
    return { atS, type: 'log', conn: null, data: { msg: words.join(' ') } }
  })

export const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** One device that uploads: its daemon in as many lives as it takes, its outbox as it is seen from beside. */
export class UploadingDevice implements AsyncDisposable {
  #daemon: ChildProcess | null = null
  #watch: OutboxWatch | null = null
  /** Names under which the files of the outbox stay when they are removed there, the newest last. */
  readonly #kept: string[] = []

  private constructor(
    readonly deviceId: string,
    readonly gateway: Gateway,
    private readonly hub: Hub,
    private readonly service: Pick<Client, 'invokeDeviceMethod'>,
  ) {}

  /** @param lines what is in its ring */
  static async make(hub: Hub, deviceId: string, lines: Iterable<Line>): Promise<UploadingDevice> {
    await hub.addDevice(deviceId)
    const gateway = await Gateway.make(hub, hub.connectionString(deviceId))
    await recordRing(join(gateway.stateDir, 'ring'), lines)
    const device = new UploadingDevice(deviceId, gateway, hub, serviceClient(hub))
    await device.start()
    device.#watch = await watchOutbox(device.outboxDir, task => device.#keep(task))
    return device
  }

  get outboxDir(): string {
    return join(this.gateway.stateDir, 'outbox')
  }

  get watch(): OutboxWatch {
    if (this.#watch === null) throw new Error('the daemon was never started')
    return this.#watch
  }

  /** Resolves once its methods are served. */
  async start(): Promise<void> {
    const from = (this.hub.log.at(-1)?.n ?? 0) + 1
    this.#daemon = this.gateway.start()
    await this.#served(from)
  }

  async kill(): Promise<void> {
    if (this.#daemon === null) return
    const gone = once(this.#daemon, 'exit')
    this.#daemon.kill('SIGKILL')
    await gone
  }

  /** Nothing moves in the daemon meanwhile. */
  async held(work: () => Promise<void>): Promise<void> {
    this.#daemon?.kill('SIGSTOP')
    try {
      await work()
    } finally {
      this.#daemon?.kill('SIGCONT')
    }
  }

  /** As the service SDK's user does it: what meets a device that is just coming back is asked again when it is there. */
  async call(methodName: string, payload: object): Promise<{ status: number; payload: unknown }> {
    for (;;) {
      const from = (this.hub.log.at(-1)?.n ?? 0) + 1
      try {
        const request = { methodName, payload, connectTimeoutInSeconds: 0, responseTimeoutInSeconds: 60 }
        const { result } = await this.service.invokeDeviceMethod(this.deviceId, request)
        return result
      } catch (error) {
        if (!isAway(error)) throw error
        await this.#served(from)
      }
    }
  }

  async #served(from: number): Promise<void> {
    const isServed = (event: HubEvent): boolean => event.type === 'subscribe' && event.deviceId === this.deviceId
    await this.hub.waitFor(isServed, { from, timeoutMs: servedWithinMs })
  }

  /** The hash of the file that the daemon made last. */
  async madeHash(): Promise<string> {
    return hashOf(await readFile(this.#kept.at(-1) ?? 'the daemon made nothing'))
  }

  #keep({ correlationId, phase, blocksDone }: Task): void {
    if (phase !== 'sending' || blocksDone > 0) return
    const name = join(this.gateway.dir, `kept-${this.#kept.length}.zip`)
    // At once: the daemon goes on.
    linkSync(join(this.outboxDir, `${correlationId}.zip`), name)
    this.#kept.push(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch?.close()
    await this.gateway[Symbol.asyncDispose]()
  }
}

/** The service SDK's errors hold the hub's answer: 404103 nobody has subscribed, 504101 no answer came in time. */
const isAway = (error: unknown): boolean =>
  /404103|504101/.test(String((error as Readonly<{ responseBody?: unknown }>).responseBody))
