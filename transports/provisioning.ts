/**
 * One question to the Device Provisioning Service: which hub, and as which device. The SDK asks it over our socket.
 *
 * The SDK's own transport repeats what was throttled every two seconds without saying so, parses answers where nobody can
 * catch, and knows no end; so answers pass here first, and what is wrong ends the question. Its packages are optional
 * and are loaded here only.
 */
import type { Buffer } from 'node:buffer'
import mqttBase from 'azure-iot-mqtt-base'
import mqtt from 'mqtt'
import type { Clock } from './clock.js'
import { readAddress, readIdentifier, rememberToken } from './connection-string.js'
import { flatten } from './failure.js'
import { type ClientCertificate, IdentityError } from './identity.js'
import type { Secrets } from './secrets.js'
import { type Dial, type Refusal, type SocketEnd, type SocketTap, tapSocket } from './socket-tap.js'
import { type Trust, trustOf } from './trust.js'
import type { Failure } from './wire-event.js'

/** How the network is reached; `dial` may hold whatever else a socket's dial takes, such as a proxy. */
export type ProvisioningRoad = Readonly<{
  port: number
  trust: Trust
  clock: Clock
  secrets: Secrets
  timeoutsMs: Readonly<{ dns: number; tcp: number; tls: number; accept: number }>
  dial?: Partial<Dial>
  /** For the whole question, waits included. Default: 120 s. */
  limitMs?: number
}>

export type Enrolment = Readonly<{
  endpoint: string
  idScope: string
  registrationId: string
  /** base64, or what TLS shows. */
  proof: Readonly<{ key: string }> | Readonly<{ certificate: ClientCertificate }>
}>

/** `hub` may have a port. */
export type Assigned = Readonly<{ hub: string; deviceId: string }>

/** The service said no, or could not be asked. `failure.code` is its status, or the network's code. */
export class ProvisioningError extends IdentityError {
  override readonly name = 'ProvisioningError'

  constructor(
    message: string,
    retryAfterMs: number,
    override readonly failure: Failure,
    /** The service itself has answered; otherwise another road may lead to it. */
    readonly wasReached: boolean,
  ) {
    super(message, retryAfterMs, failure)
  }
}

const limitMsDefault = 120_000

/** A result is known before the SDK has said goodbye, which may take for ever. */
const goodbyeMs = 2_000

/** A service that wants to be asked again much later is asked by a question of its own. */
const pollSecondsMax = 20

/** mqtt.js's own limit must not be faster than ours, which say which step was slow. */
const sdkLimitMarginMs = 5_000

const keepaliveSeconds = 30

const packages = [
  'azure-iot-provisioning-device',
  'azure-iot-provisioning-device-mqtt',
  'azure-iot-security-symmetric-key',
  'azure-iot-security-x509',
] as const

/** @returns a problem when they are not installed: they are optional */
export async function problemOfPackages(load: () => Promise<unknown> = loadSdk): Promise<string | null> {
  try {
    await load()
    return null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return `connection.dps: found no provisioning packages; expected npm install ${packages.join(' ')}`
  }
}

async function loadSdk() {
  const [client, transport, keys, certificates] = await Promise.all([
    import('azure-iot-provisioning-device'),
    import('azure-iot-provisioning-device-mqtt'),
    import('azure-iot-security-symmetric-key'),
    import('azure-iot-security-x509'),
  ])
  // Named imports of these packages throw at run time.
  return { ...client.default, ...transport.default, ...keys.default, ...certificates.default }
}

/**
 * Nothing of it is left when the promise settles.
 *
 * @throws ProvisioningError, also when the signal aborts
 */
export async function register(enrolment: Enrolment, road: ProvisioningRoad, signal: AbortSignal): Promise<Assigned> {
  const sdk = await loadSdk()
  const { registrationId, idScope, endpoint, proof } = enrolment
  const question = new Question(enrolment, road)
  const transport = new sdk.Mqtt(question.base as unknown as ConstructorParameters<typeof sdk.Mqtt>[0])
  question.standBetween()
  const security =
    'key' in proof
      ? new sdk.SymmetricKeySecurityClient(registrationId, proof.key)
      : new sdk.X509Security(registrationId, { ...proof.certificate })
  // Each package has its own copy of the types.
  const registration = sdk.ProvisioningDeviceClient.create(endpoint, idScope, transport, security as SecurityClient)

  const stop = (): void => question.fail(failure('ABORT_ERR', 'stopped before the provisioning service had answered'))
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const limitMs = road.limitMs ?? limitMsDefault
  const timer = setTimeout(() => question.fail(failure('ETIMEDOUT', `no assignment within ${limitMs} ms`)), limitMs)
  try {
    const asked = Promise.resolve(registration.register()).then(
      state => question.assigned(state),
      (error: unknown) => question.sdkFailed(error),
    )
    return await Promise.race([question.answer, asked.then(() => question.answer)])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    question.end()
    // Its timers would go on; that they are ended is not told to anybody.
    const { _pollingStateMachine: polling } = registration as { _pollingStateMachine?: Cancellable }
    polling?.cancel(() => undefined)
  }
}

type SecurityClient = Parameters<typeof import('azure-iot-provisioning-device').ProvisioningDeviceClient.create>[3]
type Cancellable = Readonly<{ cancel(done: () => void): void }>

/** The connection for one question, and everything that is heard on it. */
class Question {
  readonly base: mqttBase.MqttBase
  readonly answer: Promise<Assigned>
  #settle: { resolve(assigned: Assigned): void; reject(error: ProvisioningError): void } | null = null
  #socket: SocketTap | null = null
  #wasReached = false
  /** What was assigned, once that is known. */
  #state: unknown = null
  #goodbye: NodeJS.Timeout | undefined
  #accept: NodeJS.Timeout | undefined

  constructor(
    private readonly enrolment: Enrolment,
    private readonly road: ProvisioningRoad,
  ) {
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever asks awaits it a tick later.
    this.answer.catch(() => undefined)
    // Must never throw, as in the tap of MQTT.
    this.base = new mqttBase.MqttBase({
      connect: (_uri: string, options: mqtt.IClientOptions) => this.#connect(options),
    })
  }

  /** Between the SDK's transport and its connection: it throws at answers that it cannot read, and at a loss in between. */
  standBetween(): void {
    const { base } = this
    const listeners = base.listeners('message')
    base.removeAllListeners('message')
    base.on('message', (topic: string, payload: Buffer) => {
      const checked = this.#check(topic, payload)
      if (checked === null) return
      try {
        for (const listener of listeners) listener.call(base, checked, payload)
      } catch (error) {
        this.fail(flatten(error))
      }
    })
    base.removeAllListeners('error')
    base.on('error', (error: unknown) => this.fail(flatten(error)))
  }

  assigned(state: unknown): void {
    const { assignedHub, deviceId } = (state ?? {}) as Record<string, unknown>
    const problems: string[] = []
    const hub = readAddress('assignedHub', textOf(assignedHub), true, problems)
    const device = readIdentifier('deviceId', textOf(deviceId), true, problems)
    if (hub === null || device === null)
      this.fail(failure('BAD_ANSWER', `the assignment is unusable: ${problems.join('; ')}`))
    else this.#settle?.resolve({ hub: hub.text, deviceId: device })
  }

  fail(failure: Failure, retryAfterMs = 0): void {
    const { endpoint } = this.enrolment
    this.#settle?.reject(
      new ProvisioningError(`${endpoint}: ${failure.message}`, retryAfterMs, failure, this.#wasReached),
    )
  }

  /** By the time that the SDK has a word for it, what was heard has been told; this is for the rest. */
  sdkFailed(error: unknown): void {
    const refused = flatten(error)
    const code = connackCodes.get(refused.code ?? '')
    if (code === undefined) this.fail(refused)
    else this.fail({ ...failure(code, `refused the sign-in (CONNACK ${refused.code})`), from: refused })
  }

  end(): void {
    clearTimeout(this.#goodbye)
    clearTimeout(this.#accept)
    this.#socket?.destroy('goodbye')
  }

  #connect(options: mqtt.IClientOptions): mqtt.MqttClient {
    const { endpoint, proof } = this.enrolment
    const { trust, clock, timeoutsMs, secrets, dial, port } = this.road
    if (options.password !== undefined) rememberToken(secrets, String(options.password))
    const certificate = 'certificate' in proof ? proof.certificate : null
    const { host, port: ownPort } = readAddress('endpoint', endpoint, true, []) ?? { host: endpoint, port: null }
    const socket = tapSocket(
      {
        host,
        port: ownPort ?? port,
        trust: trustOf(trust, { clientCertificate: certificate, trustBundle: null }),
        clock,
        timeoutsMs,
        proxy: null,
        upgrade: null,
        ...dial,
      },
      {
        resolved: () => undefined,
        tcpConnected: () => undefined,
        proxyConnected: () => undefined,
        tlsSecured: () => undefined,
        upgraded: () => undefined,
        ready: () => {
          const { accept } = timeoutsMs
          this.#accept = setTimeout(
            () => this.fail(failure('ETIMEDOUT', `no answer to the sign-in within ${accept} ms`)),
            accept,
          )
        },
        heard: () => clearTimeout(this.#accept),
        refused: refusal => this.fail(refusedOnTheWay(refusal)),
        ended: end => this.#lost(end),
      },
    )
    this.#socket = socket
    const client = new mqtt.MqttClient(() => socket.stream, {
      ...options,
      keepalive: keepaliveSeconds,
      connectTimeout: 2 * (timeoutsMs.dns + timeoutsMs.tcp + timeoutsMs.tls + timeoutsMs.accept) + sdkLimitMarginMs,
    })
    // The SDK takes its listeners away when it ends, and an error after that would have nobody.
    client.on('error', () => undefined)
    client.on('packetreceive', packet => {
      this.#wasReached = true
      if (packet.cmd !== 'connack' || !packet.returnCode) return
      this.sdkFailed(Object.assign(new Error('not accepted'), { code: packet.returnCode }))
    })
    return client
  }

  #lost({ by, how, stage, error }: SocketEnd): void {
    if (by === 'us' && how === 'goodbye') return
    // The service hangs up after the SDK's goodbye, which the SDK may not have told yet.
    if (this.#state !== null) {
      this.assigned(this.#state)
      return
    }
    const why = error?.code ?? (how === 'timeout' ? 'ETIMEDOUT' : 'ECONNRESET')
    const said = error
      ? `${error.message || why}`
      : how === 'timeout'
        ? 'nobody answered in time'
        : 'the connection was closed'
    this.fail({ ...failure(why, `${said} (at ${stage})`), ...(error ? { from: error } : {}) })
  }

  /** @returns the topic for the SDK, or `null` where it must not see it */
  #check(topic: string, payload: Buffer): string | null {
    const found = /^\$dps\/registrations\/res\/(\d+)\/\?(.*)$/.exec(topic)
    if (!found) return null
    const status = Number(found[1])
    const query = new URLSearchParams(found[2])
    const retryAfter = Number(query.get('retry-after'))
    const retryAfterMs = Number.isFinite(retryAfter) && retryAfter > 0 ? Math.min(retryAfter, 86_400) * 1e3 : 0
    const body = parseObject(payload)
    if (status >= 300) {
      this.fail(refusal(status, body), retryAfterMs)
      return null
    }
    const state = textOf(body?.status)
    if (body === null || state === undefined) {
      this.fail(failure('BAD_ANSWER', `the answer (status ${status}) is not what the provisioning service answers`))
      return null
    }
    const { registrationState } = body
    if (state === 'assigned') {
      this.#state = registrationState ?? {}
      this.#goodbye = setTimeout(() => this.assigned(registrationState), goodbyeMs)
      return topic
    }
    if (state !== 'assigning' && state !== 'registering' && state !== 'unassigned') {
      this.fail(notAssigned(state, registrationState))
      return null
    }
    if (state === 'unassigned') {
      this.fail(failure(state, 'the service has no assignment for this registration'))
      return null
    }
    query.set('retry-after', String(Math.min(Math.max(retryAfterMs / 1e3, 1), pollSecondsMax)))
    return `$dps/registrations/res/${status}/?${query}`
  }
}

/** MQTT 3.1.1's codes for who is not let in; the service's own status for the same is 401. */
const connackCodes: ReadonlyMap<string, string> = new Map([
  ['4', '401'],
  ['5', '401'],
  ['2', '401'],
  ['3', '503'],
])

/** The service itself has not heard the question. */
const refusedOnTheWay = ({ step, code, reason }: Refusal): Failure => {
  const who = step === 'proxy' ? 'the proxy' : 'whoever answered the upgrade to WebSocket'
  const said = `${who} refused with status ${code}${reason ? `: ${reason}` : ''}`
  return {
    name: step === 'proxy' ? 'ProxyError' : 'UpgradeError',
    code: `${step.toUpperCase()}_${code}`,
    message: said,
  }
}

const failure = (code: string, message: string): Failure => ({ name: 'ProvisioningError', code, message })

/** With the service's own number beside the status. */
function refusal(status: number, body: Record<string, unknown> | null): Failure {
  const { errorCode, message } = body ?? {}
  const said = textOf(message) ?? ''
  const told = failure(String(status), `refused with status ${status}${said ? `: ${said}` : ''}`)
  return errorCode === undefined
    ? told
    : { ...told, from: { name: 'ProvisioningService', code: String(errorCode).slice(0, 20), message: said } }
}

function notAssigned(state: string, registrationState: unknown): Failure {
  const { errorCode, errorMessage } = (registrationState ?? {}) as Record<string, unknown>
  const said = textOf(errorMessage)
  return failure(
    state === 'failed' && errorCode !== undefined ? String(errorCode).slice(0, 20) : state,
    `the registration is ${state}${said ? `: ${said}` : ''}`,
  )
}

/** Long texts of others are cut. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 500) : undefined)

function parseObject(payload: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
