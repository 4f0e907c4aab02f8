/** One row: hubrec and the stock application, each at its own device, meet the same fault at the same moment. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Episode } from '../../../agent/evidence/episode.js'
import { readRecords } from '../../../agent/evidence/read.js'
import type { LogRecord } from '../../../agent/evidence/record.js'
import type { Hub } from '../../hub/hub.js'
import { Gateway } from '../../support/hubrec.js'
import { SteppedClock } from '../../support/stepped-clock.js'
import type { Order } from '../../support/stock-app.js'
import { type Device, makeDevice } from './device.js'
import { controlHost, hubName, portalText, portalUrl } from './network.js'
import { emptyResult, type Result } from './result.js'
import { type Row, slugOf } from './row.js'
import { keepaliveSeconds, retry, timeoutSeconds } from './settings.js'

export type RowOptions = Readonly<{ hub: Hub; withSdk: boolean; signal: AbortSignal }>

/** What a row showed, with the records that hubrec kept of it. */
export type Shown = Readonly<{ result: Result; records: readonly LogRecord[] }>

const startLimitMs = 90_000
const judgedLimitMs = 60_000
const backLimitMs = 60_000
const lookEveryMs = 250
/** An episode is judged anew as soon as the probes have answered. */
const judgesWithinMs = 1_500
/** A first publish, and what follows a start, are over. */
const settledMs = 1_200

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

export async function runRow(row: Row, options: RowOptions): Promise<Shown> {
  const slug = slugOf(row)
  await using own = await makeDevice(options.hub, `${slug}-hubrec`)
  const isCompared = options.withSdk && !row.fault.hubrecOnly
  const other = isCompared ? await makeDevice(options.hub, `${slug}-sdk`) : null
  try {
    return await new RunningRow(row, options, own, other).show()
  } finally {
    await other?.[Symbol.asyncDispose]()
  }
}

class RunningRow {
  #gateway: Gateway | null = null
  /** When the fault began, and when nothing was done to the process any more. */
  #struckMs = 0
  #doneMs = 0
  readonly #said: { event: string; said: string | null; monoMs: number }[] = []

  constructor(
    private readonly row: Row,
    private readonly options: RowOptions,
    private readonly own: Device,
    private readonly other: Device | null,
  ) {}

  get #devices(): readonly Device[] {
    return this.other ? [this.own, this.other] : [this.own]
  }

  async show(): Promise<Shown> {
    const { fault, when } = this.row
    const clockDir = await mkdtemp(join(tmpdir(), 'matrix-'))
    try {
      for (const device of this.#devices) await fault.prepare?.(device)
      await this.#prepareGateway(clockDir)
      if (when === 'first') await this.#strike()
      await this.#start()
      if (when === 'later') {
        await Promise.all([this.#isBack(startLimitMs), this.#stockIsReady()])
        await sleep(settledMs)
        await this.#strike()
      }
      if (fault.kind !== 'passes') await this.#isJudged()
      if (fault.kind === 'lasts') await Promise.all(this.#devices.map(device => fault.heal?.(device)))
      if (fault.kind === 'passes') await this.#hasEnded()
      if (fault.kind !== 'stays') await this.#isBack(backLimitMs)
      await this.#isWritten()
      // Its goodbye would be one more episode.
      const records = await this.#records()
      return { result: this.#resultOf(records), records }
    } catch (error) {
      const output = this.#gateway?.output.slice(-2_000) ?? ''
      return { result: emptyResult(this.row, `${(error as Error).message}\n${output}`), records: await this.#records() }
    } finally {
      for (const device of this.#devices) await end(device, 'SIGKILL')
      await this.#gateway?.[Symbol.asyncDispose]()
      await rm(clockDir, { recursive: true, force: true })
    }
  }

  async #strike(): Promise<void> {
    this.#struckMs = nowMs()
    await Promise.all(this.#devices.map(device => this.row.fault.begin(device)))
    this.#doneMs = this.row.fault.kind === 'passes' ? nowMs() : this.#struckMs
  }

  async #prepareGateway(clockDir: string): Promise<void> {
    const { hub } = this.options
    const { fault, protocol } = this.row
    const { own } = this
    const config = {
      connection: {
        protocol,
        keepaliveSeconds,
        timeoutSeconds,
        retry,
        ports: {},
        knownRootsFile: hub.caFile,
        ...fault.connection,
      },
      probes: { controlHost, controlName: 'control.example', portalUrl, portalText },
    }
    const gateway = await Gateway.make(
      hub,
      own.connectionString ?? hub.connectionString(own.deviceId, undefined, { port: false }),
      config,
      own.cable.within,
    )
    this.#gateway = gateway
    const clock = new SteppedClock(clockDir)
    clock.set(own.clockOffDays)
    const env = own.clockOffDays === 0 ? {} : clock.env
    const run = () => {
      own.process = gateway.start(env)
    }
    own.restart = async signal => {
      await end(own, signal)
      run()
    }
    this.#run = run
  }

  #run = (): void => undefined

  async #start(): Promise<void> {
    this.#run()
    const { other, options, row } = this
    if (!other) return
    const plain = () => options.hub.connectionString(other.deviceId, undefined, { port: false })
    const order: Order = {
      protocol: row.protocol,
      connectionString: other.connectionString ?? plain(),
      caFile: row.fault.connection && 'caFile' in row.fault.connection ? null : options.hub.caFile,
      keepaliveSeconds,
      webSocketAt: { host: hubName, port: 443 },
    }
    const [program = '', ...args] = [
      ...other.cable.within,
      process.execPath,
      resolve('dist/test/support/stock-app.js'),
      JSON.stringify(order),
    ]
    const child = spawn(program, args, {
      env: { ...process.env, NODE_OPTIONS: undefined },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    other.process = child
    createInterface({ input: child.stdout }).on('line', line => {
      if (line.startsWith('{')) this.#said.push(JSON.parse(line))
    })
  }

  async #records(): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    if (!this.#gateway) return records
    try {
      for await (const record of readRecords(join(this.#gateway.stateDir, 'ring')))
        if ('seq' in record) records.push(record)
    } catch (error) {
      // Before its first line there is no ring.
      if ((error as NodeJS.ErrnoException).code !== 'RING_UNREADABLE') throw error
    }
    return records
  }

  /** Looks at what is written until it is so. */
  async #until(what: string, limitMs: number, isSo: (records: readonly LogRecord[]) => boolean): Promise<void> {
    for (const startedMs = nowMs(); ; ) {
      if (isSo(await this.#records())) return
      if (nowMs() - startedMs > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`)
      await sleep(lookEveryMs, undefined, { signal: this.options.signal })
    }
  }

  #isAfter = ({ monoMs }: LogRecord): boolean => monoMs >= this.#struckMs

  async #isJudged(): Promise<void> {
    const { ends } = this.row.fault
    await this.#until('it was tried twice and asked around', judgedLimitMs, records => {
      const since = records.filter(this.#isAfter)
      if (ends !== undefined) return since.filter(isEnd).length >= ends
      return since.some(isProbed)
    })
    await sleep(judgesWithinMs)
  }

  async #hasEnded(): Promise<void> {
    await this.#until('the session ended', judgedLimitMs, records =>
      records.some(record => this.#isAfter(record) && (isEnd(record) || record.type === 'start')),
    )
  }

  /** A direct method of hubrec is answered. */
  async #isBack(limitMs: number): Promise<void> {
    const { hub } = this.options
    for (const startedMs = nowMs(); nowMs() - startedMs < limitMs; ) {
      const call = { methodName: 'ping', responseTimeoutInSeconds: 2 }
      const answered = await hub.invokeMethod({ deviceId: this.own.deviceId }, call).then(
        ({ status }) => status === 200,
        () => false,
      )
      if (answered) return
      await sleep(lookEveryMs, undefined, { signal: this.options.signal })
    }
    throw new Error(`not back within ${limitMs} ms`)
  }

  async #stockIsReady(): Promise<void> {
    for (const startedMs = nowMs(); this.other && !this.#said.some(({ event }) => event === 'ready'); ) {
      if (nowMs() - startedMs > startLimitMs) throw new Error('the stock application did not connect')
      await sleep(lookEveryMs, undefined, { signal: this.options.signal })
    }
  }

  async #isWritten(): Promise<void> {
    await this.#until('the episode is written', 10_000, records => records.some(({ type }) => type === 'episode'))
    await sleep(lookEveryMs)
  }

  #resultOf(records: readonly LogRecord[]): Result {
    const { row, other } = this
    const versions = records
      .filter(({ type }) => type === 'episode')
      .map(record => ({ record, episode: record.data as unknown as Episode }))
    const newest = versions.at(-1)
    if (!newest) return emptyResult(row, 'there is no episode')
    const since = records.filter(this.#isAfter)
    const firstEnd = since.find(isEnd)
    const isSession = row.when === 'later'
    const first = versions.find(({ record }) => firstEnd && record.monoMs >= firstEnd.monoMs)
    const closed = versions.find(({ episode }) => episode.id === newest.episode.id && episode.state === 'closed')
    const accepted = closed && records.findLast(record => isAccepted(record) && record.monoMs <= closed.record.monoMs)
    const { verdict } = newest.episode
    return {
      fault: row.fault.name,
      protocol: row.protocol,
      when: row.when,
      truth: row.fault.truth,
      cause: verdict.cause,
      confidence: verdict.confidence,
      evidence: verdict.evidence[0] ?? '',
      sdkSaid: other && wordsOf(this.#said.filter(({ monoMs }) => !isSession || monoMs >= this.#struckMs)),
      noticedMs: isSession && firstEnd ? Math.max(0, Math.round(firstEnd.monoMs - this.#doneMs)) : null,
      isHidden: row.fault.waitsForPacket === true || firstEnd?.data.how === 'timeout',
      provisionalMs: firstEnd && first ? Math.round(first.record.monoMs - firstEnd.monoMs) : null,
      writtenMs: closed && accepted ? Math.round(closed.record.monoMs - accepted.monoMs) : null,
      problem: null,
    }
  }
}

async function end(device: Device, signal: NodeJS.Signals): Promise<void> {
  const { process: child } = device
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

const isEnd = ({ type, data }: LogRecord): boolean =>
  type === 'wire' && (data.type === 'closed' || data.type === 'refused' || data.type === 'detached')

const isAccepted = ({ type, data }: LogRecord): boolean => type === 'wire' && data.type === 'accepted'

const isProbed = ({ type, data }: LogRecord): boolean => type === 'sample' && Array.isArray(data.probes)

/** Each word once, in order. */
const wordsOf = (said: readonly { event: string; said: string | null }[]): string[] => [
  ...new Set(said.map(({ event, said }) => (said === null ? event : `${event}: ${said}`))),
]
