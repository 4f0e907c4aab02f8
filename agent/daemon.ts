/** The daemon: where all parts meet, and nothing else. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackoffLimits } from '../transports/backoff.js'
import { type Clock, systemClock } from '../transports/clock.js'
import { type Credential, CredentialError, loadCredential } from '../transports/credentials.js'
import { createFileUpload } from '../transports/file-upload.js'
import { tapMqtt } from '../transports/mqtt.js'
import { createSecrets, type Secrets } from '../transports/secrets.js'
import { supervise } from '../transports/supervisor.js'
import type { Wiring } from '../transports/transport.js'
import { createTrust, type Trust } from '../transports/trust.js'
import { makeBundle } from './bundle/make.js'
import type { Config } from './config/config.js'
import { describeConfig } from './config/describe.js'
import { type ControlSocket, claimControlSocket, lockState } from './control.js'
import { causeTitles } from './diagnosis/catalogue.js'
import { AgentError } from './errors.js'
import { clockChanges } from './evidence/clock-watch.js'
import { type Memory, noMemory, readMemory } from './evidence/read.js'
import { levels, recordClasses } from './evidence/record.js'
import { remember } from './evidence/remember.js'
import { runSampler, type Sample } from './evidence/sampler.js'
import { type ClockSnapshot, readClock } from './evidence/samples/clock.js'
import { createMethods } from './methods/methods.js'
import { createOperatorLog, type Log } from './operator-log.js'
import { createPipeline, type Pipeline } from './pipeline.js'
import { createRedactor } from './redact.js'
import { openRing } from './ring/open.js'
import { type Part, runTogether } from './run-together.js'
import { deviceName, liveStatus, type StartData } from './status.js'
import { openOutbox } from './upload/outbox.js'
import { viewOf } from './upload/task.js'
import { createUploader } from './upload/uploader.js'
import { versions } from './versions.js'

export type DaemonOptions = Readonly<{
  config: Config
  env: NodeJS.ProcessEnv
  /** Aborts to stop it, with what was asked (`SIGTERM`) as its reason. */
  signal: AbortSignal
}>

/** The name of the daemon's own connection in records. */
const conn = 'hubrec'

/** How long the parts may take to finish, and then each of the two last writes, so that a stop ends within 5 s. */
const graceMs = 3_500
const farewellMs = 600

/**
 * Runs until the signal aborts; then everything is written and said goodbye to.
 *
 * @throws AgentError `CONFIG_INVALID`, `CREDENTIAL_INVALID` or `ALREADY_RUNNING` before it has begun
 */
export async function runDaemon({ config, env, signal }: DaemonOptions): Promise<void> {
  const { connection, stateDir } = config
  const secrets = createSecrets()
  const { credential, trust } = await readSecrets(config, env, secrets)
  const clock = systemClock()
  const startedAtMs = clock.now().wallMs
  const redactor = createRedactor(secrets)
  let pipeline: Pipeline | null = null
  /** What is logged before the ring is open goes into it as soon as it is. */
  const early: [level: number, data: Record<string, unknown>][] = []
  const operator = createOperatorLog({
    level: config.logLevel,
    redactor,
    env,
    onRecord: (level, msg, fields) => {
      if (pipeline) void pipeline.record('log', { msg, ...fields }, level)
      else early.push([level, { msg, ...fields }])
    },
  })
  const { log } = operator

  const lock = await lockState(stateDir)
  const control = await claim(config.controlSocket, log)
  const ringDir = join(stateDir, 'ring')
  const stamp = () => {
    const { wallMs, monoMs } = clock.now()
    return { at: isoTime(wallMs), bootId: clock.bootId, monoMs }
  }
  const device = { hub: credential.hub, deviceId: credential.deviceId, moduleId: credential.moduleId }
  const { settings, hash } = describeConfig(config)
  const clockAtStart = await readClock(clock)
  const host = { synchronised: clockAtStart.synchronised }
  const start: StartData = {
    pid: process.pid,
    device,
    protocol: connection.protocol,
    credential: credential.fingerprint,
    configHash: hash,
    ringBudgetBytes: config.ring.budgetBytes,
    versions: versions(),
    clock: clockAtStart,
  }
  // Before the ring is opened: what it writes then is of this run.
  const memory = await recall(ringDir, log)
  const { ring, recovery } = await openRing({
    dir: ringDir,
    budgetBytes: config.ring.budgetBytes,
    stamp,
    classes: recordClasses,
    context: () => {
      const { bootId } = clock
      const now = clock.now()
      const said = pipeline?.context(conn) ?? noContext
      return JSON.parse(
        redactor.json({ ...start, clock: { ...now, bootId }, startedAt: isoTime(startedAtMs), ...said }),
      )
    },
    onNotice: ({ exceeded, ...fields }) => {
      if (exceeded) log.warn('more was written in a day than flash should bear: syncs are put together', fields)
      else log.info('less was written in a day again: syncs are as frequent as before', fields)
    },
  })

  const records = createPipeline({
    ring,
    redactor,
    clock,
    synchronised: () => host.synchronised,
    onEpisode: ({ state, planned, verdict: { cause, confidence, title } }) => {
      const away = planned ? 'away as planned' : 'outage'
      const message = `${state === 'open' ? away : 'back'}: ${title}`
      log[planned ? 'info' : 'warn'](message, { cause, confidence })
    },
  })
  pipeline = records
  for (const [level, data] of early) void records.record('log', data, level)
  for (const { path, action, reason, lost } of recovery) {
    if (action !== 'kept') log.warn('the ring was put right', { path, action, reason, lost })
  }

  const present = { conn, protocol: connection.protocol, credential: credential.fingerprint, bootId: clock.bootId }
  const remembered = remember(memory, { ...present, now: clock.now() })
  await records.record('start', start)
  records.follow(remembered)
  log.info('hubrec has started', { device: device.deviceId, hub: device.hub, ring: ringDir })

  const { ending } = remembered.before
  if (ending.kind === 'crash') log.warn('the run before ended without a goodbye', { rebooted: ending.rebooted })

  const outbox = await openOutbox({ dir: join(stateDir, 'outbox'), secrets, warn: message => log.warn(message) })
  const { allowedContainers, privateHosts } = config.upload
  const uploader = createUploader({
    outbox,
    link: createFileUpload({ credential, trust, host: credential.hubHost, httpsPort: connection.ports.https, secrets }),
    allowed: { containers: allowedContainers, privateHosts },
    storage: { trust },
    secrets,
    makeBundle: ({ request }, file, signal) =>
      makeBundle({
        file,
        ...request,
        ringDir,
        device: deviceName(device),
        config: settings,
        versions: start.versions,
        causes: causeTitles,
        redactor: createRedactor(secrets),
        secrets,
        signal,
        nowMs: clock.now().wallMs,
      }),
    onStep: (task, step) => {
      log.info(`upload ${task.correlationId}: ${step}`)
      void records.record('task', { ...viewOf(task), step })
    },
  })

  const status = async () =>
    liveStatus({
      startedAtMs,
      nowMs: clock.now().wallMs,
      device,
      protocol: connection.protocol,
      state: records.state(conn),
      ring: ring.state,
      ringDir,
      outbox: await outbox.state(),
      versions: start.versions,
    })
  const methods = createMethods({
    device,
    ringDir,
    redactor,
    uploader,
    outbox,
    allowed: { containers: allowedContainers, privateHosts },
    status,
    onFailure: (name, error) => log.error('a direct method failed', { method: name, err: error }),
  })

  const parts: Part[] = [
    uploader.part,
    samplerPart(
      config,
      records,
      clock,
      snapshot => {
        host.synchronised = snapshot.synchronised
      },
      counter(records, clock),
    ),
    {
      name: 'connection',
      run: signal =>
        supervise(
          {
            credential,
            protocol: connection.protocol,
            tap: tapMqtt,
            wiring: wiringOf(config, { credential, trust, clock, secrets }),
            limits: limitsOf(config),
            sasLifetimeSeconds: connection.sasLifetimeSeconds,
            lastIncarnation: memory.nextInc - 1,
            onEvent: (event, incarnation) => records.wire(conn, event, incarnation),
            onMethod: methods,
          },
          signal,
        ),
    },
  ]
  control?.answer({ status })

  const crash = watchForCrash()
  try {
    await Promise.race([runTogether(parts, signal, graceMs), crash.happened])
    const said = records.writeCounts(conn).then(() => records.record('stop', { why: String(signal.reason) }))
    await atMost(said)
    log.info('hubrec has stopped', { why: String(signal.reason) })
  } catch (error) {
    // No stop record: the next start must know that this run did not end as it should.
    log.fatal('hubrec has failed', { err: error })
    throw error
  } finally {
    crash.forget()
    await atMost(ring.close())
    await control?.close()
    await operator.close()
    lock.release()
  }
}

/** A disk that hangs must not hold the gateway's shutdown. */
const atMost = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work, sleep(farewellMs, undefined, { ref: false })])

/** All that is wrong with what the configuration points to, at once. */
async function readSecrets(
  { connection }: Config,
  env: NodeJS.ProcessEnv,
  secrets: Secrets,
): Promise<{ credential: Credential; trust: Trust }> {
  const problems: string[] = []
  const read = async (place: string, file: string | null): Promise<string | null> => {
    if (file === null) return null
    return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      problems.push(`${place}: ${file} cannot be read: ${error.code}`)
      return null
    })
  }
  const [ca, knownRoots, credential] = await Promise.all([
    read('connection.caFile', connection.caFile),
    read('connection.knownRootsFile', connection.knownRootsFile),
    loadCredential({ file: connection.connectionStringFile, env }, secrets).catch((error: unknown) => {
      if (!(error instanceof CredentialError)) throw error
      problems.push(...error.problems.map(problem => `${error.place}: ${problem}`))
      return null
    }),
  ])
  try {
    const trust = createTrust(ca, knownRoots)
    if (credential !== null && problems.length === 0) return { credential, trust }
  } catch (error) {
    problems.push(`connection.caFile or connection.knownRootsFile: ${(error as Error).message}`)
  }
  throw new AgentError('CREDENTIAL_INVALID', 'the credential or what it needs cannot be used', problems)
}

/** Without the socket the daemon still records; only `hubrec status` will not find it. */
async function claim(path: string, log: Log): Promise<ControlSocket | null> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 })
    return await claimControlSocket(path)
  } catch (error) {
    if (error instanceof AgentError) throw error
    log.error('no control socket: hubrec status will not find this daemon', { path, err: error })
    return null
  }
}

/** A ring that cannot be read is no reason not to record. */
async function recall(ringDir: string, log: Log): Promise<Memory> {
  try {
    return await readMemory(ringDir)
  } catch (error) {
    // Before the first start there is nothing to remember.
    if (error instanceof AgentError && isMissing(error.cause)) return noMemory
    log.error('the ring cannot be read, so nothing is known of earlier runs', { err: error })
    return noMemory
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

function samplerPart(
  config: Config,
  records: Pipeline,
  clock: Clock,
  onClock: (snapshot: ClockSnapshot) => void,
  onTick: () => void,
): Part {
  let before = clock.now()
  const record = (sample: Sample): void => {
    const now = clock.now()
    for (const change of clockChanges(before, now)) void records.record('clock', change, levels.warn)
    before = now
    if (sample.clock) onClock(sample.clock as ClockSnapshot)
    void records.record('sample', sample, levels.debug)
    onTick()
  }
  const { samples, stateDir } = config
  const intervalMs = samples.intervalSeconds * 1e3
  return { name: 'sampler', run: signal => runSampler({ intervalMs, stateDir, clock, record, signal }) }
}

function wiringOf(
  { connection }: Config,
  { credential, ...given }: Pick<Wiring, 'trust' | 'clock' | 'secrets'> & { credential: Credential },
): Wiring {
  const { dns, tcp, tls, accept } = connection.timeoutSeconds
  return {
    ...given,
    host: credential.host,
    port: credential.port ?? connection.ports.mqtt,
    gateway: credential.gateway,
    timeoutsMs: { dns: dns * 1e3, tcp: tcp * 1e3, tls: tls * 1e3, accept: accept * 1e3 },
    keepaliveSeconds: connection.keepaliveSeconds,
  }
}

function limitsOf({ connection }: Config): BackoffLimits {
  const { capSeconds, refusedCapSeconds, takeOverFloorSeconds, takeOverCapSeconds } = connection.retry
  return {
    capMs: capSeconds * 1e3,
    refusedCapMs: refusedCapSeconds * 1e3,
    takeOverFloorMs: takeOverFloorSeconds * 1e3,
    takeOverCapMs: takeOverCapSeconds * 1e3,
  }
}

/** Writes the counts of an open outage once a minute. */
function counter(records: Pipeline, clock: Clock): () => void {
  let countedMs = clock.now().bootMs
  return () => {
    const nowMs = clock.now().bootMs
    if (nowMs - countedMs < countsEveryMs) return
    countedMs = nowMs
    void records.writeCounts(conn)
  }
}

const countsEveryMs = 60_000

/** What a context says before the connection is followed. */
const noContext = { session: null, episode: null, incarnation: 0, credentialWorked: false }

const isoTime = (ms: number): string => new Date(ms).toISOString()

/** What nobody caught ends the run, but not before it is in the ring. */
function watchForCrash(): { happened: Promise<never>; forget(): void } {
  let reject: (error: unknown) => void = () => undefined
  const happened = new Promise<never>((_resolve, fail) => {
    reject = fail
  })
  const events = ['uncaughtException', 'unhandledRejection'] as const
  for (const event of events) process.on(event, reject)
  return {
    happened,
    forget: () => {
      for (const event of events) process.off(event, reject)
    },
  }
}
