/**
 * A module of IoT Edge: who it is stands in the environment, and the security daemon signs for it on a unix socket. The
 * SDK speaks to that daemon; here it gets a limit of time, and answers that it cannot read are kept from it.
 */
import { Agent, type ClientRequestArgs } from 'node:http'
import { createConnection, type NetConnectOpts, type Socket } from 'node:net'
import device from 'azure-iot-device'
import { readAddress, readIdentifier, rememberToken } from './connection-string.js'
import { flatten } from './failure.js'
import {
  type Asking,
  type Credential,
  CredentialError,
  clientsOf,
  common,
  fingerprintOf,
  type Identity,
  IdentityError,
  type Name,
  renewing,
} from './identity.js'
import type { Secrets } from './secrets.js'

const needed = [
  'IOTEDGE_WORKLOADURI',
  'IOTEDGE_DEVICEID',
  'IOTEDGE_MODULEID',
  'IOTEDGE_IOTHUBHOSTNAME',
  'IOTEDGE_AUTHSCHEME',
  'IOTEDGE_MODULEGENERATIONID',
] as const

/** The daemon answers in milliseconds, or it hangs. */
const callLimitMsDefault = 10_000

/** Whether the environment is a module's, in whole or in part. */
export const isEdgeModule = (env: NodeJS.ProcessEnv): boolean => needed.some(name => Boolean(env[name]))

/**
 * @param callLimitMs for each call of the workload API
 * @throws CredentialError with every variable that is missing or wrong
 */
export function edgeCredential(
  env: NodeJS.ProcessEnv,
  secrets: Secrets,
  callLimitMs: number = callLimitMsDefault,
): Credential {
  const { name, workloadUri, generationId } = readEnvironment(env)
  const { hub, gateway, deviceId, moduleId } = name
  const provider = () =>
    guard(
      new device.IotEdgeAuthenticationProvider({
        workloadUri,
        deviceId,
        moduleId: moduleId ?? '',
        iothubHostName: hub.text,
        authScheme: 'sasToken',
        generationId,
        ...(gateway === null ? {} : { gatewayHostName: gateway.text }),
      }),
      secrets,
      callLimitMs,
    )
  const fingerprint = fingerprintOf(hub.text, deviceId, moduleId ?? '', generationId)
  let bundle: string | null = null

  const identityWith = (trustBundle: string, warnings: readonly string[]): Identity => ({
    ...common(name),
    ...clientsOf(name, provider),
    kind: 'edge',
    renewal: 'ours',
    fingerprint,
    trustBundle,
    warnings,
    options: renewing,
  })

  return {
    claims: { kind: 'edge', hub: hub.text, deviceId, moduleId, fingerprint },
    async identify(asking) {
      try {
        bundle = await trustBundle(provider(), asking)
        return identityWith(bundle, [])
      } catch (error) {
        const failure = flatten(error)
        const why = `the workload API at ${workloadUri} cannot be asked: ${failure.message || failure.code}`
        // The authorities of a gateway change once in years, so the old bundle serves; but a daemon that does not answer
        // will not sign either.
        const answered = failure.code === undefined && !asking.signal.aborted
        if (bundle !== null && answered) return identityWith(bundle, [why])
        throw new IdentityError(why, 0, failure, { cause: error })
      }
    },
    hasNewer: async () => false,
    met: () => undefined,
  }
}

function readEnvironment(env: NodeJS.ProcessEnv): { name: Name; workloadUri: string; generationId: string } {
  const problems: string[] = []
  const given = (variable: (typeof needed)[number]): string | undefined => env[variable] || undefined
  for (const variable of needed) {
    if (!given(variable)) problems.push(`${variable}: is missing; expected what IoT Edge gives to a module`)
  }
  const uri = given('IOTEDGE_WORKLOADURI')
  const path = uri === undefined ? null : socketPath(uri)
  if (uri !== undefined && path === null) {
    const scheme = /^[a-z+.-]{1,20}:/i.exec(uri)?.[0] ?? 'no scheme'
    problems.push(`IOTEDGE_WORKLOADURI: found ${scheme}; expected unix:///PATH, a unix socket`)
  }
  const authScheme = given('IOTEDGE_AUTHSCHEME')
  if (authScheme !== undefined && authScheme.toLowerCase() !== 'sastoken') {
    problems.push('IOTEDGE_AUTHSCHEME: found another scheme; expected sasToken')
  }
  const hub = readAddress('IOTEDGE_IOTHUBHOSTNAME', given('IOTEDGE_IOTHUBHOSTNAME'), false, problems)
  const gateway = readAddress('IOTEDGE_GATEWAYHOSTNAME', env.IOTEDGE_GATEWAYHOSTNAME || undefined, false, problems)
  const deviceId = readIdentifier('IOTEDGE_DEVICEID', given('IOTEDGE_DEVICEID'), false, problems)
  const moduleId = readIdentifier('IOTEDGE_MODULEID', given('IOTEDGE_MODULEID'), false, problems)
  const generationId = given('IOTEDGE_MODULEGENERATIONID')
  if (generationId !== undefined && !/^[\w.-]{1,128}$/.test(generationId)) {
    problems.push('IOTEDGE_MODULEGENERATIONID: found something else; expected the number that IoT Edge gives')
  }
  if (problems.length > 0 || !hub || !deviceId || !moduleId || !generationId || path === null) {
    throw new CredentialError(problems)
  }
  return { name: { hub, gateway, deviceId, moduleId }, workloadUri: `unix://${path}`, generationId }
}

function socketPath(uri: string): string | null {
  const path = /^unix:\/\/(\/[^?#]+)$/.exec(uri)?.[1] ?? null
  return path === null || /[\0\r\n]/.test(path) ? null : path
}

/** The part of the SDK's client for the workload API that stands between it and the socket. */
type Rest = {
  setOptions(options: object): void
  executeApiCall(...given: unknown[]): void
}

type EdgeProvider = InstanceType<typeof device.IotEdgeAuthenticationProvider>

/**
 * The SDK waits for ever for an answer, and throws where nobody can catch at one that it did not expect: both are
 * errors here.
 */
function guard(provider: EdgeProvider, secrets: Secrets, limitMs: number): EdgeProvider {
  const { _restApiClient: rest } = provider as unknown as { _restApiClient: Rest }
  rest.setOptions({ http: { agent: new LimitedAgent(limitMs) } })
  const execute = rest.executeApiCall.bind(rest)
  rest.executeApiCall = (...given) => {
    const done = given.pop() as (error: unknown, body?: unknown, response?: unknown) => void
    execute(...given, (error: unknown, body: unknown, response: unknown) => {
      const bad = error ?? (isAnswer(body) ? null : new Error('the answer is not what the workload API answers'))
      if (bad) done(bad)
      else done(null, body, response)
    })
  }
  const credentials = provider.getDeviceCredentials.bind(provider) as (done: Done) => void
  const watched = (done: Done): void =>
    credentials((error, found) => {
      const { sharedAccessSignature } = found ?? {}
      if (sharedAccessSignature) rememberToken(secrets, sharedAccessSignature)
      done(error, found)
    })
  return Object.assign(provider, { getDeviceCredentials: watched as EdgeProvider['getDeviceCredentials'] })
}

type Done = (error: Error | null, found?: { sharedAccessSignature?: string }) => void

/** Either of the two that are asked for. */
function isAnswer(body: unknown): boolean {
  const { certificate, digest } = (body ?? {}) as Record<string, unknown>
  return typeof certificate === 'string' || typeof digest === 'string'
}

/** Ends a call that takes too long, and with it its socket. */
class LimitedAgent extends Agent {
  constructor(private readonly limitMs: number) {
    super({ keepAlive: false })
  }

  override createConnection(options: ClientRequestArgs): Socket {
    // Node has put the socket's path where a connection looks for it.
    const socket = createConnection(options as NetConnectOpts)
    const limit = (): void =>
      void socket.destroy(Object.assign(new Error(`no answer within ${this.limitMs} ms`), { code: 'ETIMEDOUT' }))
    const timer = setTimeout(limit, this.limitMs)
    socket.once('close', () => clearTimeout(timer))
    // A shutdown does not wait for it.
    timer.unref()
    socket.unref()
    return socket
  }
}

async function trustBundle(provider: EdgeProvider, { signal }: Asking): Promise<string> {
  const asked = new Promise<string>((resolve, reject) => {
    provider.getTrustBundle((error, ca) => {
      if (error) reject(error)
      else if (ca && /-----BEGIN CERTIFICATE-----/.test(ca)) resolve(ca)
      else reject(new Error('the trust bundle holds no certificate'))
    })
  })
  const stopped = new Promise<never>((_resolve, reject) => {
    const stop = (): void => reject(new Error('stopped before the workload API had answered'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    asked.catch(() => undefined).then(() => signal.removeEventListener('abort', stop))
  })
  return Promise.race([asked, stopped])
}
