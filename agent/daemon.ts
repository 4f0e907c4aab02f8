/** The daemon: where all parts meet, and nothing else. */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../transports/clock.js'
import type { Identity } from '../transports/credentials.js'
import { createFileUpload } from '../transports/file-upload.js'
import type { Claims } from '../transports/identity.js'
import { listenToSdk } from '../transports/sdk-debug.js'
import { createSecrets } from '../transports/secrets.js'
import { supervise } from '../transports/supervisor.js'
import { trustOf } from '../transports/trust.js'
import { assignmentStore } from './assignment-store.js'
import { makeBundle } from './bundle/make.js'
import { conditionsIn } from './condition-checks.js'
import { createConditions } from './conditions.js'
import type { Config } from './config/config.js'
import { describeConfig } from './config/describe.js'
import { type ControlSocket, claimControlSocket } from './control.js'
import { watchForCrash } from './crash-watch.js'
import { readSecrets } from './credential-at-start.js'
import { watchCredential } from './credential-watch.js'
import { causeTitles } from './diagnosis/catalogue.js'
import { createDoctorInside } from './doctor/inside.js'
import { AgentError } from './errors.js'
import { type Memory, noMemory, readMemory } from './evidence/read.js'
import { levels, recordClasses } from './evidence/record.js'
import { remember } from './evidence/remember.js'
import { readClock } from './evidence/samples/clock.js'
import { isMissing } from './exists.js'
import { createIntake, type Intake } from './ingest/intake.js'
import { openIngest } from './ingest/server.js'
import { openLastGood } from './last-good.js'
import { lockState } from './lock.js'
import { makeDirectory } from './make-directory.js'
import { writeMark } from './mark.js'
import { createMessages, type Messages } from './messages/messages.js'
import { openMessageStore } from './messages/store.js'
import { acceptUpload } from './methods/accept-upload.js'
import { makeLogFile } from './methods/log-file.js'
import { contextOf, createMethods } from './methods/methods.js'
import { createPatterns } from './methods/pattern.js'
import { createOperatorLog, type Log } from './operator-log.js'
import { createPipeline, type Pipeline } from './pipeline.js'
import { createSystemLookup } from './probes/names.js'
import { runProbes } from './probes/run.js'
import { createProbing, probedBefore } from './probing.js'
import { chooseAutomatically, firstChoice, loadTap, openProtocolMemory } from './protocols.js'
import { findPlace } from './recall/place.js'
import { createRecall } from './recall/recall.js'
import { createRedactor } from './redact.js'
import { reloadOnHangup } from './reload.js'
import { realDisk } from './ring/disk.js'
import { openRing } from './ring/open.js'
import { type Part, runTogether } from './run-together.js'
import { counter, samplerPart, secondsPart } from './sampling.js'
import { type Device, deviceName, liveStatus, type StartData } from './status.js'
import { type Notify, openNotify } from './systemd/notify.js'
import { countCalls, patienceMs as ringPatienceMs, watchRing } from './systemd/ring-progress.js'
import { servicePart } from './systemd/service.js'
import { serviceStatus } from './systemd/status-line.js'
import { watchSupervision } from './systemd/supervision.js'
import { timer } from './timer.js'
import { createChangeable } from './twin/changeable.js'
import { createCollect } from './twin/collect.js'
import type { TwinOrder } from './twin/order.js'
import { twinProperties } from './twin/properties.js'
import { createTwinSettings } from './twin/settings.js'
import { reportedState } from './twin/state.js'
import { accepted, counted, emptyTally } from './twin/tally.js'
import { createTwin, type Twin } from './twin/twin.js'
import { openOutbox } from './upload/outbox.js'
import { viewOf } from './upload/task.js'
import { createUploader } from './upload/uploader.js'
import { type AfterOutage, createAfterOutage } from './upload-after-outage.js'
import { openVerbosity } from './verbosity.js'
import { describeVersions, versions } from './versions.js'
import { createWatch } from './watch/watch.js'
import { detectionLimitMs, isOverWebSocket, limitsOf, targetOf, timeoutsOf, wiringOf } from './wiring.js'

export type DaemonOptions = Readonly<{
  config: Config
  env: NodeJS.ProcessEnv
  /** Aborts to stop it, with what was asked (`SIGTERM`) as its reason. */
  signal: AbortSignal
  /** Reads the configuration again, at SIGHUP. Left out: SIGHUP ends the process, as ever. */
  reread?: () => Promise<Config>
}>

/** The name of the daemon's own connection in records. */
const conn = 'hubrec'

/** What was asked for while another upload was under way. */
const collectRetryMs = 30_000

/** How long the parts may take to finish, and then each of the two last writes, so that a stop ends within 5 s. */
const graceMs = 3_500
const farewellMs = 600

/**
 * Runs until the signal aborts; then everything is written and said goodbye to.
 *
 * @throws AgentError `CONFIG_INVALID`, `CREDENTIAL_INVALID` or `ALREADY_RUNNING` before it has begun
 */
export async function runDaemon({ config, env, signal, reread }: DaemonOptions): Promise<void> {
  const { connection, stateDir } = config
  const secrets = createSecrets()
  const clock = systemClock()
  /** What is logged before there is a log. */
  const unsaid: string[] = []
  let warn = (message: string): void => void unsaid.push(message)
  const store = assignmentStore(join(stateDir, 'assignment.json'), message => warn(message))
  const { credential, trust, findProxy, renew } = await readSecrets(config, env, { secrets, clock, store })
  const { wallMs: startedAtMs, bootMs: startedBootMs } = clock.now()
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
  warn = message => log.warn(message)
  for (const message of unsaid) warn(message)
  const notify = openServiceNotify(env, log)

  let refusal: string | null = null
  const lock = await lockState(stateDir, () => ({ path: config.controlSocket, refusal }))
  const control = await claim(config.controlSocket, log, code => {
    refusal = code
  })
  const ringDir = join(stateDir, 'ring')
  const stamp = () => {
    const { wallMs, monoMs } = clock.now()
    return { at: isoTime(wallMs), bootId: clock.bootId, monoMs }
  }
  /** Who we are by now: a provisioning service may assign another hub, and files may be renewed. */
  let identity: Identity | null = null
  /** One object for all who tell of it, so that none of them tells of the hub before. */
  const device = deviceOf(credential.claims)
  const fingerprint = () => (identity ?? credential.claims).fingerprint
  const { hash } = describeConfig(config)
  const changeable = createChangeable(config)
  const orders: TwinOrder[] = []
  const twinSettings = config.twin.desired
    ? createTwinSettings({
        path: join(stateDir, 'twin.json'),
        config,
        properties: twinProperties,
        orders: () => orders,
        parts: changeable.parts,
        nowMs: () => clock.now().wallMs,
        said: (message, fields) => log.info(message, fields),
        warn: warnOf(log),
      })
    : null
  // Before the ring is opened: by the budget of the configuration it might lose what it was told to keep.
  await twinSettings?.begin()
  const clockAtStart = await readClock(clock)
  const host = { synchronised: clockAtStart.synchronised }
  const start: StartData = {
    pid: process.pid,
    device,
    protocol: connection.protocol,
    credential: fingerprint(),
    configHash: hash,
    ringBudgetBytes: changeable.ringBudgetBytes,
    versions: versions(),
    clock: clockAtStart,
  }
  const context = () => {
    const { bootId } = clock
    const now = clock.now()
    const said = pipeline?.context(conn) ?? noContext
    const known = { ...start, credential: fingerprint(), ringBudgetBytes: changeable.ringBudgetBytes }
    return { ...known, clock: { ...now, bootId }, startedAt: isoTime(startedAtMs), ...said }
  }
  // Before the ring is opened: what it writes then is of this run.
  const memory = await recall(ringDir, log)
  const { disk, calls } = countCalls(realDisk)
  const { ring, recovery } = await openRing({
    dir: ringDir,
    disk,
    budgetBytes: changeable.ringBudgetBytes,
    stamp,
    classes: recordClasses,
    context: () => JSON.parse(redactor.json(context())),
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
    versions: describeVersions(start.versions),
    onEpisode: episode => {
      const { state, planned, verdict } = episode
      const { cause, confidence, title } = verdict
      const isOurs = episode.conn === conn
      if (isOurs) {
        verbose.episode(episode)
        tally = counted(tally, episode)
        afterOutage?.told(episode)
        messages?.told(episode)
        twin?.look()
      }
      const away = planned ? 'away as planned' : 'outage'
      const message = `${isOurs ? '' : `${episode.conn}: `}${state === 'open' ? away : 'back'}: ${title}`
      log[planned ? 'info' : 'warn'](message, { cause, confidence })
    },
  })
  const verbosity = openVerbosity({
    path: join(stateDir, 'verbosity.json'),
    clock,
    say: data => {
      log.info(String(data.note))
      void records.record('mark', data)
    },
    warn: (message, err) => log.warn(message, { err }),
  })
  const place = await findPlace(config)
  const verbose = createRecall({
    place,
    clock,
    redactor,
    log,
    env,
    detectionLimitMs: detectionLimitMs(config),
    ringBudgetBytes: config.ring.budgetBytes,
    isRaised: () => verbosity.raised() !== null,
    write: drafts => records.recall(drafts),
    say: data => records.record('log', data),
  })
  pipeline = records
  for (const [level, data] of early) void records.record('log', data, level)
  for (const { path, action, reason, lost } of recovery) {
    if (action !== 'kept') log.warn('the ring was put right', { path, action, reason, lost })
  }

  /** What is spoken by now. */
  let spoken = firstChoice(connection.protocol)
  let tally = emptyTally(isoTime(startedAtMs))
  let twin: Twin | null = null
  let afterOutage: AfterOutage | null = null
  let messages: Messages | null = null
  const present = { conn, protocol: spoken, credential: fingerprint(), bootId: clock.bootId }
  const remembered = remember(memory, { ...present, now: clock.now() })
  await records.record('start', start)
  records.follow(remembered)
  log.info('hubrec has started', { device: device.deviceId, hub: device.hub, ring: ringDir })

  const { ending } = remembered.before
  if (ending.kind === 'crash') log.warn('the run before ended without a goodbye', { rebooted: ending.rebooted })
  const { pid } = memory.lastFacts?.data ?? {}
  void verbose.begin({ crashed: ending.kind === 'crash', pid: typeof pid === 'number' ? pid : null })
  const stopListening = listenToSdk(verbose.sdk)

  const logSource = { ringDir, redactor, device, patterns: createPatterns() }
  const outbox = await openOutbox({
    dir: join(stateDir, 'outbox'),
    secrets,
    quotaBytes: changeable.outboxQuotaBytes,
    warn: message => log.warn(message),
  })
  /** What a reload has left of it; see `changesOf`. */
  let live = config
  const allowed = {
    get containers() {
      return live.upload.allowedContainers
    },
    get privateHosts() {
      return live.upload.privateHosts
    },
  }
  const uploader = createUploader({
    outbox,
    link:
      credential.claims.moduleId === null
        ? createFileUpload({ identity: () => identity, trust, httpsPort: connection.ports.https, secrets, findProxy })
        : null,
    allowed,
    storage: { trust, findProxy },
    secrets,
    make: async ({ request }, file, signal) => {
      // Where it goes to is a connection too, and the session may be an old one.
      await renew()
      const nowMs = clock.now().wallMs
      if (request.logs) return makeLogFile(request.logs, logSource, { file, nowMs, signal })
      return makeBundle({
        file,
        ...request,
        bytesMax: Math.min(request.bytesMax ?? config.bundle.bytesMax, config.bundle.bytesMax),
        ringDir,
        device: deviceName(device),
        config: describeConfig(live).settings,
        collect: config.collectors,
        state: status,
        doctor,
        versions: start.versions,
        causes: causeTitles,
        redactor: createRedactor(secrets),
        secrets,
        signal,
        nowMs,
      })
    },
    onStep: (task, step) => {
      log.info(`upload ${task.correlationId}: ${step}`)
      void records.record('task', { ...viewOf(task), step })
      twin?.look()
    },
  })

  const conditions = createConditions(clock, (condition, state) => {
    const { code, text } = condition
    log[state === 'begun' ? 'warn' : 'info'](`${state === 'begun' ? '' : 'over: '}${text}`, { code })
    void records.record('condition', { ...condition, state }, state === 'begun' ? levels.warn : levels.info)
    twin?.look()
  })
  const lookForConditions = (): void => {
    const { wallMs: nowMs, bootMs } = clock.now()
    const software = { sdk: start.versions.sdk, applications: intake.connections() }
    const facts = { ...software, nowMs, upMs: bootMs - startedBootMs, synchronised: host.synchronised }
    const lasting = { ring: ring.state, credential: credentialWatch.state(), verbosity: verbosity.raised() }
    conditions.look(conditionsIn({ ...facts, ...lasting }))
  }
  const credentialWatch = watchCredential(clock, () => lookForConditions())
  twin =
    config.twin.report || config.twin.desired
      ? createTwin({
          settings: twinSettings,
          state: config.twin.report
            ? async () => {
                lookForConditions()
                const tasks = outbox.tasks()
                const task = tasks.findLast(({ phase }) => phase !== 'done') ?? tasks.at(-1)
                const state = reportedState({
                  versions: start.versions,
                  protocol: spoken,
                  tally,
                  conditions: conditions.shown(),
                  ring: ring.state,
                  outbox: await outbox.state(),
                  task: task ? viewOf(task) : null,
                })
                // Texts may repeat what a credential was refused with.
                return JSON.parse(redactor.json(state))
              }
            : null,
          nowMs: () => clock.now().bootMs,
          warn: warnOf(log),
        })
      : null
  messages = createMessages({
    store: openMessageStore({
      path: join(stateDir, 'messages.json'),
      dailyMax: config.messages.dailyMax,
      nowMs: () => clock.now().wallMs,
      warn: warnOf(log),
    }),
    incidents: config.messages.incidents,
    heartbeatMs: () => changeable.heartbeatMs,
    heartbeat: () =>
      JSON.stringify({
        kind: 'heartbeat',
        at: isoTime(clock.now().wallMs),
        everyMinutes: changeable.heartbeatMs / 60_000,
        protocol: spoken,
        since: tally.since,
        outages: tally.outages,
        hubrec: start.versions.hubrec,
      }),
    nowMs: () => clock.now().bootMs,
    newId: randomUUID,
    note: (message, fields) => log.info(message, fields),
    warn: warnOf(log),
  })
  changeable.attach({
    clock,
    ring,
    outbox,
    verbosity,
    onPace: () => void moments.emit('wanted'),
    onHeartbeat: () => messages?.look(),
  })

  const intake = createIntake({ records, clock, memory, note: (message, fields) => log.info(message, fields) })
  const ingest = await listenTo(config.ingestSocket, intake, log)

  const watch =
    config.watch.length === 0
      ? null
      : createWatch({
          hosts: config.watch,
          nowMs: () => clock.now().bootMs,
          record: (change, level) => void records.record('condition', change, level),
          note: (message, fields) => log.warn(message, fields),
        })

  const status = async () => {
    lookForConditions()
    return liveStatus({
      startedAtMs,
      nowMs: clock.now().wallMs,
      device,
      conditions: conditions.shown(),
      protocol: spoken,
      state: records.state(conn),
      applications: intake.connections().map(each => ({ ...each, state: records.state(each.conn) })),
      watched: watch?.sockets() ?? [],
      ring: ring.state,
      ringDir,
      outbox: await outbox.state(),
      versions: start.versions,
    })
  }
  const answerTime = async () => {
    const beganMs = clock.now().monoMs
    await methods({ name: 'ping', requestId: 'doctor', payload: Buffer.from('null') })
    return { answerMs: Math.round((clock.now().monoMs - beganMs) * 1e3) / 1e3, roundTripMs }
  }
  const doctor = createDoctorInside({
    config: () => live,
    env,
    secrets,
    signal,
    status,
    ask: async question => (question === 'method' ? answerTime() : null),
  })
  const methodContext = contextOf({
    doctor,
    device,
    ringDir,
    redactor,
    uploader,
    outbox,
    allowed,
    status,
    onFailure: (name, error) => log.error('a direct method failed', { method: name, err: error }),
  })
  const methods = createMethods(methodContext)
  orders.push(
    createCollect({
      path: join(stateDir, 'collect.json'),
      context: methodContext,
      outbox,
      later: () => void timer(collectRetryMs, () => twin?.again()),
      text: text => redactor.text(text),
      warn: warnOf(log),
    }),
  )
  const { afterOutageMinutes } = config.upload
  if (afterOutageMinutes !== null && credential.claims.moduleId !== null)
    log.warn('upload.afterOutageMinutes: a module has no file upload, so no bundle is uploaded after an outage')
  else if (afterOutageMinutes !== null) {
    afterOutage = createAfterOutage({
      path: join(stateDir, 'after-outage.json'),
      leastMs: afterOutageMinutes * 60_000,
      accept: request => acceptUpload(request, null, methodContext),
      isAsked: trigger => outbox.tasks().some(({ request }) => request.trigger === trigger),
      nowMs: () => clock.now().wallMs,
      note: (message, fields) => log.info(message, fields),
      warn: warnOf(log),
    })
  }

  const protocolMemory = openProtocolMemory(join(stateDir, 'protocol.json'), (message, err) =>
    log.warn(message, { err }),
  )
  const isProxied = (): boolean => identity !== null && findProxy(identity.host, connection.ports.https) !== null

  /** A sample is wanted as soon as a session is lost: what the host was like ten seconds later explains less. */
  const moments = new EventEmitter()
  let hubAddress: string | null = null
  /** Of the newest keepalive ping of this session. */
  let roundTripMs: number | null = null

  const lastGood = await openLastGood(join(stateDir, 'addresses.json'), (message, err) => log.warn(message, { err }))
  const lookup = createSystemLookup()
  const probing = createProbing({
    clock,
    lastGood,
    isProxied: protocol => isOverWebSocket(protocol) && isProxied(),
    run: (heard, signal) => {
      if (identity === null) return null
      const target = targetOf(config, identity, spoken, {
        trust,
        proxy: findProxy(identity.host, connection.ports.https),
      })
      const known = { heard, lastGood: lastGood.of(target.host), lookup, clock }
      const onMistake = (probe: string, err: unknown): void => log.error('a probe has failed', { probe, err })
      return runProbes({ target, settings: live.probes, signal, onMistake, ...known })
    },
    told: answers => records.probed(conn, answers),
  })
  const asked = await probedBefore(ringDir, memory, conn)
  if (
    asked.length > 0 &&
    records.state(conn)?.episode?.id === memory.openEpisodes.find(open => open.conn === conn)?.id
  ) {
    records.probed(conn, asked, true)
    probing.askedBefore()
  }

  const timeouts = Object.values(timeoutsOf(connection))
  const monoMs = (): number => clock.now().monoMs
  const supervision = watchSupervision(
    timeouts.reduce((sum, each) => sum + each, 0),
    monoMs,
  )
  const ringProgress = watchRing(ring, calls, monoMs)

  const parts: Part[] = [
    ...(notify === null
      ? []
      : [
          servicePart({
            notify,
            watched: [
              { name: 'connection', stuckMs: supervision.overdueMs, patienceMs: 0 },
              { name: 'ring', stuckMs: ringProgress.stuckMs, patienceMs: ringPatienceMs },
            ],
            status: () => serviceStatus(records.state(conn)),
            onStuck: names =>
              log.fatal('something is stuck, so systemd is left to start this process anew', { stuck: names }),
          }),
        ]),
    uploader.part,
    ...(config.probes.enabled ? [probing.part] : []),
    samplerPart(
      config,
      records,
      clock,
      snapshot => {
        host.synchronised = snapshot.synchronised
      },
      inTurn(counter(records, clock), verbosity.look, lookForConditions),
      {
        intervalMs: () => changeable.sampleIntervalMs,
        wanted: signal => once(moments, 'wanted', { signal }),
        hubAddress: () => hubAddress,
      },
    ),
    { name: 'recall', run: signal => verbose.run(signal) },
    ...(twin === null ? [] : [twin.part]),
    messages.part,
    ...(ingest === null ? [] : [ingest]),
    ...(watch === null ? [] : [watch.part]),
    // Unless the samples for the ring are as dense.
    ...(place !== null && config.samples.intervalSeconds > 1 ? [secondsPart(config, verbose, clock)] : []),
    {
      name: 'connection',
      run: async signal =>
        supervise(
          {
            credential,
            protocol: spoken,
            tap: await loadTap[spoken](),
            clock,
            wiring: (identity, protocol) =>
              wiringOf(config, identity, protocol, { trust: trustOf(trust, identity), clock, secrets, findProxy }),
            ...(connection.protocol === 'auto' ? { chooser: chooseAutomatically(protocolMemory, isProxied) } : {}),
            limits: limitsOf(config),
            sasLifetimeSeconds: connection.sasLifetimeSeconds,
            lastIncarnation: memory.nextInc - 1,
            onEvent: (event, incarnation) => {
              spoken = event.protocol
              supervision.heard(event)
              credentialWatch.heard(event)
              records.wire(conn, event, incarnation)
              probing.heard(event)
              if (event.type === 'tcpConnected') hubAddress = event.address
              if (event.type === 'accepted') tally = accepted(tally, isoTime(clock.now().wallMs))
              if (event.type === 'pongReceived') roundTripMs = event.rttMs
              if (event.type === 'closed') {
                hubAddress = null
                roundTripMs = null
                if (event.lastedMs !== null) moments.emit('wanted')
              }
            },
            onIdentity: found => {
              const before = fingerprint()
              identity = found
              Object.assign(device, deviceOf(found))
              credentialWatch.found(found)
              records.identity(conn, found.fingerprint)
              // So that it is known after a crash too, before the next segment says it.
              if (found.fingerprint !== before) void records.record('context', { why: 'identity', ...context() })
            },
            onPacket: (header, incarnation) => verbose.note('wire', header, conn, incarnation),
            onMethod: methods,
            onServed: session => {
              twin?.served(session)
              messages?.served(session)
            },
          },
          signal,
        ),
    },
  ]
  control?.answer({
    status,
    mark: said => writeMark({ records, clock, verbosity }, said),
    method: answerTime,
    doctor,
    lower: async said => {
      await verbosity.lower(said.get('by') ?? '')
      return { raised: verbosity.raised() }
    },
  })

  const crash = watchForCrash()
  const take = (taken: Config): void => {
    live = taken
    operator.show(taken.logLevel)
  }
  const stopReloading = reread ? reloadOnHangup({ reread, current: () => live, take, log, notify }) : () => undefined
  try {
    await Promise.race([runTogether(parts, signal, graceMs), crash.happened])
    const counted = Promise.all(records.connections().map(each => records.writeCounts(each, true)))
    const said = counted.then(() => records.record('stop', { why: String(signal.reason) }))
    await atMost(said)
    await atMost(verbose.forget())
    log.info('hubrec has stopped', { why: String(signal.reason) })
  } catch (error) {
    // No stop record: the next start must know that this run did not end as it should.
    log.fatal('hubrec has failed', { err: error })
    throw error
  } finally {
    crash.forget()
    stopReloading()
    stopListening()
    verbosity.close()
    await atMost(Promise.all([verbose.close(), ring.close(), afterOutage?.close()]))
    await control?.close()
    await operator.close()
    lock.release()
  }
}

function openServiceNotify(env: NodeJS.ProcessEnv, log: Log): Notify | null {
  const notify = openNotify(env)
  if (notify !== 'unreachable') return notify
  log.warn(
    'systemd waits for word of this service, and nobody has handed on its socket: start it by the command `hubrec`',
  )
  return null
}

const warnOf =
  (log: Log) =>
  (message: string, err?: unknown): void =>
    log.warn(message, err === undefined ? {} : { err })

/** A disk that hangs must not hold the gateway's shutdown. */
const atMost = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work, sleep(farewellMs, undefined, { ref: false })])

const deviceOf = ({ hub, deviceId, moduleId }: Claims): Device => ({ hub, deviceId, moduleId })

/** Without the socket the daemon still records; only `hubrec status` will not find it, and is told why by the lock. */
async function claim(path: string, log: Log, refused: (code: string) => void): Promise<ControlSocket | null> {
  try {
    await makeDirectory(dirname(path), 0o750)
    return await claimControlSocket(path)
  } catch (error) {
    if (error instanceof AgentError) throw error
    refused((error as NodeJS.ErrnoException).code ?? String(error))
    log.error('no control socket: hubrec status will not find this daemon', { path, err: error })
    return null
  }
}

/** Without the socket the daemon still records its own connection; only applications do not reach it. */
async function listenTo(path: string, intake: Intake, log: Log): Promise<Part | null> {
  try {
    return await openIngest({ path, intake, note: (message, fields) => log.warn(message, fields) })
  } catch (error) {
    log.error('no ingest socket: what applications record does not reach this daemon', { path, err: error })
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

const inTurn =
  (...acts: readonly (() => void)[]) =>
  (): void => {
    for (const act of acts) act()
  }

/** What a context says before the connection is followed. */
const noContext = { session: null, episode: null, incarnation: 0, credentialWorked: false }

const isoTime = (ms: number): string => new Date(ms).toISOString()
