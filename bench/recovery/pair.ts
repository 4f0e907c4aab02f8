/** hubrec and a stock application beside each other, each with its own device and door, from their start to what they recorded. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRecords } from '../../agent/evidence/read.js'
import { sharedMemoryDir } from '../../agent/recall/place.js'
import { type Child, startChild } from '../../test/demo/child.js'
import type { Hub } from '../../test/hub/hub.js'
import { type NameServer, startNameServer } from '../../test/hub/name-server.js'
import type { Order } from '../../test/support/stock-app.js'
import type { Protocol } from '../../transports/wire-event.js'
import type { Wire } from './jitter.js'

export type PairOptions = Readonly<{
  hub: Hub
  protocol: Protocol
  /** Names the devices and the directory; each pair needs its own. */
  name: string
  /** For hubrec's state. Short, because sockets lie in it. */
  dir: string
  keepaliveSeconds: Readonly<{ hubrec: number; sdk: number }>
  /** In place of hubrec's own limits after take-overs. */
  takeOverSeconds: Readonly<{ floor: number; cap: number }>
  signal: AbortSignal
}>

/** What the stock application printed. */
export type Said = Readonly<{ event: string; said: string | null; monoMs: number }>

/** A start is slow where many start at once. */
const startLimitMs = 90_000

/** A call that was made while the device was away ends by its time-out only, so a new one is made this often. */
const askEveryMs = 100
const answerWithinSeconds = 5

export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

export class Pair implements AsyncDisposable {
  readonly #stateDir: string
  readonly ids: Readonly<{ hubrec: string; sdk: string }>
  #children: Readonly<{ hubrec: Child; sdk: Child }> | null = null

  private constructor(
    private readonly options: PairOptions,
    readonly names: NameServer,
  ) {
    const { name, dir } = options
    this.#stateDir = join(dir, name)
    this.ids = { hubrec: `${name}-hubrec`, sdk: `${name}-sdk` }
  }

  /** Both are connected, and a method of each has been answered. */
  static async start(options: PairOptions): Promise<Pair> {
    const pair = new Pair(options, await startNameServer())
    try {
      await pair.#start()
      return pair
    } catch (error) {
      await pair[Symbol.asyncDispose]()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { hub, protocol, keepaliveSeconds, takeOverSeconds } = this.options
    const env = { HUBREC_TEST_NAME_SERVER: this.names.address, NODE_OPTIONS: '' }
    await mkdir(this.#stateDir)

    const { port } = await hub.addDevice(this.ids.hubrec)
    const config = {
      connection: {
        protocol,
        caFile: hub.caFile,
        keepaliveSeconds: keepaliveSeconds.hubrec,
        ports: { mqtt: port, amqp: port, https: port },
        retry: { takeOverFloorSeconds: takeOverSeconds.floor, takeOverCapSeconds: takeOverSeconds.cap },
      },
      stateDir: this.#stateDir,
      // The other side asks nothing beside its attempts either.
      probes: { enabled: false },
    }
    const configFile = join(this.#stateDir, 'config.json')
    await writeFile(configFile, JSON.stringify(config))
    const hubrec = startChild('../../agent/cli/main.js', ['run', '--config', configFile], {
      ...env,
      HUBREC_CONNECTION_STRING: hub.connectionString(this.ids.hubrec),
    })

    const door = await hub.addDevice(this.ids.sdk)
    const order: Order = {
      protocol,
      connectionString: hub.connectionString(this.ids.sdk, undefined, { port: !protocol.endsWith('-ws') }),
      caFile: hub.caFile,
      keepaliveSeconds: keepaliveSeconds.sdk,
      webSocketAt: { host: hub.hostName, port: door.port },
    }
    const sdk = startChild('../support/stock-app.js', [JSON.stringify(order)], env)
    this.#children = { hubrec, sdk }
    for (const side of ['hubrec', 'sdk'] as const) {
      if ((await this.answersAfter(side, startLimitMs)) !== null) continue
      throw new Error(`${protocol}: ${side} did not connect:\n${this.#children[side].errors()}`)
    }
  }

  /** How long from now until a direct method is answered; `null` when it is not within the patience. */
  async answersAfter(side: 'hubrec' | 'sdk', patienceMs: number): Promise<number | null> {
    const { hub, signal } = this.options
    const startedMs = nowMs()
    const called: { answeredMs: number | null } = { answeredMs: null }
    const identity = { deviceId: this.ids[side] }
    const call = async (): Promise<void> => {
      const asked = { methodName: 'ping', responseTimeoutInSeconds: answerWithinSeconds }
      const { status } = await hub.invokeMethod(identity, asked)
      if (status === 200) called.answeredMs ??= nowMs() - startedMs
    }
    while (called.answeredMs === null && nowMs() - startedMs < patienceMs) {
      // Not being answered is what the next call is for.
      call().catch(() => undefined)
      await sleep(askEveryMs, undefined, { signal })
    }
    return called.answeredMs
  }

  /** What the SDK has told its application since then. */
  said(sinceMs: number): Said[] {
    return (this.#children?.sdk.lines() ?? [])
      .map(line => line as Said)
      .filter(({ event, monoMs }) => event !== 'ready' && monoMs >= sinceMs)
  }

  /** Stops the daemon and reads what it has recorded of its wire. */
  async wires(): Promise<Wire[]> {
    await this.#children?.hubrec.stop()
    const wires: Wire[] = []
    for await (const record of readRecords(join(this.#stateDir, 'ring'), { types: ['wire'] })) {
      if ('monoMs' in record) wires.push({ monoMs: record.monoMs, data: record.data as Wire['data'] })
    }
    return wires
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#children ?? {}).map(child => child.stop()))
    await this.names.close()
    await rm(await sharedMemoryDir(this.#stateDir), { recursive: true, force: true })
    await rm(this.#stateDir, { recursive: true, force: true })
  }
}
