/**
 * The hub's file upload: asks where a file may go, and tells how it went. Over the real SDK, with a client that is
 * never opened, so that it runs beside the connection without touching it.
 */
import { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent } from 'node:https'
import { isIP, type LookupFunction, Socket } from 'node:net'
import { Readable } from 'node:stream'
import tls from 'node:tls'
import common from 'azure-iot-common'
import type { Identity } from './identity.js'
import { type FindProxy, ProxyAgent } from './proxy.js'
import type { Secrets } from './secrets.js'
import type { Lookup } from './socket-tap.js'
import { type Trust, trustOf } from './trust.js'

/** Where one file may go, for about an hour. `sasToken` begins with `?` and is a secret. */
export type UploadTarget = Readonly<{
  /** The hub's name for this upload; it counts against the limit of ten until `notify` was called with it. */
  correlationId: string
  /** May have a port, and a path in front of the container's name. */
  hostName: string
  containerName: string
  /** The hub puts the device's id in front of what was asked for. */
  blobName: string
  sasToken: string
}>

export type UploadResult = Readonly<{
  ok: boolean
  /** HTTP status of the upload; 0 when there was none. */
  statusCode: number
  statusDescription: string
}>

/** The road to the hub that an upload takes besides the storage. */
export interface Link {
  /** @throws FileUploadError, also when the signal aborts */
  target(blobName: string, signal?: AbortSignal): Promise<UploadTarget>
  /** @throws FileUploadError, also when the signal aborts */
  notify(correlationId: string, result: UploadResult, signal?: AbortSignal): Promise<void>
}

/** The hub refused, or could not be asked. */
export class FileUploadError extends Error {
  override readonly name = 'FileUploadError'

  constructor(
    message: string,
    /** HTTP status; `null` when no answer came. */
    readonly status: number | null,
    /** IoT Hub's word or number for it, `null` when it gave none. */
    readonly hubCode: string | null,
    options: ErrorOptions = {},
  ) {
    super(message, options)
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return this.status === null || ![400, 404, 405, 412, 413].includes(this.status)
  }
}

export type FileUploadOptions = Readonly<{
  /** Who we are now: `null` while that is not known. */
  identity: () => Identity | null
  trust: Trust
  /** Dialled, looked up and verified in place of the hub's own name. A gateway is not asked; it does not upload. */
  host?: string
  httpsPort: number
  secrets: Secrets
  /** Default: the system's. */
  lookup?: Lookup
  /** What leads to the hub, if it cannot be reached without. Default: nothing needs to. */
  findProxy?: FindProxy
  /** Default: 30 s for each call, from looking up the name to the last byte of the answer. */
  callTimeoutMs?: number
}>

const callTimeoutMsDefault = 30_000

/** Both answers of the hub are under a kilobyte; what is longer is not the hub. */
const answerBytesMax = 64 << 10

/** @returns `null` where we are known to be a module: IoT Hub lets only devices upload */
export function createFileUpload(options: FileUploadOptions): Link | null {
  if ((options.identity()?.moduleId ?? null) !== null) return null
  return {
    async target(blobName, signal) {
      const answer = await call(options, 'json', signal, client => client.getBlobSharedAccessSignature(blobName))
      const target = checkTarget(answer)
      options.secrets.add('storage-signature', target.sasToken)
      for (const value of new URLSearchParams(target.sasToken).getAll('sig')) {
        options.secrets.add('storage-signature', value)
      }
      return target
    },
    async notify(correlationId, { ok, statusCode, statusDescription }, signal) {
      // The SDK counts characters where it should count bytes.
      const description = statusDescription.replace(/[^ -~]/g, '?').slice(0, descriptionMax)
      await call(options, 'anything', signal, client =>
        client.notifyBlobUploadStatus(correlationId, ok, statusCode, description),
      )
    },
  }
}

const descriptionMax = 500

type DeviceClient = NonNullable<ReturnType<Identity['deviceClient']>>

/** One call over a client and a connection of its own; nothing of it is left when the promise settles. */
async function call<T>(
  options: FileUploadOptions,
  expected: Expected,
  signal: AbortSignal | undefined,
  ask: (client: DeviceClient) => Promise<T>,
): Promise<T> {
  const identity = options.identity()
  if (identity === null) throw new FileUploadError('it is not known yet which hub this device belongs to', null, null)
  const { host = identity.hubHost, trust } = options
  const agent = new CallAgent({ ...options, host, trust: trustOf(trust, identity) }, expected)
  const transports: Unconnected[] = []
  class Transport extends Unconnected {
    constructor(provider: AuthenticationProvider) {
      super(provider)
      transports.push(this)
    }
  }
  const client = identity.deviceClient(Transport)
  if (client === null) throw new FileUploadError('a module cannot upload files through the hub', null, null)

  const limitMs = options.callTimeoutMs ?? callTimeoutMsDefault
  let cancel = (): void => undefined
  try {
    client.setRetryPolicy(new common.NoRetry())
    await client.setOptions({ http: { agent } })
    const overdue = new Promise<never>((_resolve, reject) => {
      const giveUp = (why: string): void => reject(new FileUploadError(why, null, null))
      const stop = (): void => giveUp('stopped before the hub had answered')
      const timer = setTimeout(giveUp, limitMs, `the hub did not answer within ${limitMs} ms`)
      signal?.addEventListener('abort', stop)
      if (signal?.aborted) stop()
      cancel = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', stop)
      }
    })
    return await Promise.race([ask(client), overdue])
  } catch (error) {
    throw explain(error)
  } finally {
    cancel()
    agent.end()
    // The provider would renew its token for ever, and keep the process alive for it.
    for (const { provider } of transports) provider.stop?.()
  }
}

/** One with a certificate has nothing to stop. */
type AuthenticationProvider = Readonly<{ stop?(): void }>

/** What the SDK's client wants of a transport that is never opened. */
class Unconnected extends EventEmitter {
  constructor(readonly provider: AuthenticationProvider) {
    super()
  }

  setOptions(_options: object, done: (error: Error | null) => void): void {
    done(null)
  }
}

/** `json`: a good answer without a JSON object in it is an error. The SDK itself would throw where nobody can catch. */
type Expected = 'json' | 'anything'

/**
 * Gives the SDK's request a verified connection, and reads the answer before the SDK does: it parses without a net, sets
 * no limit on the length, and forgets the status of a refused notification.
 */
class CallAgent extends Agent {
  readonly #open = new Set<Socket>()
  #through: ProxyAgent | null = null

  constructor(
    private readonly call: FileUploadOptions & Readonly<{ host: string }>,
    private readonly expected: Expected,
  ) {
    super()
  }

  /** What Node asks of an agent. The SDK's request writes nothing before it has its socket. */
  addRequest(request: ClientRequest): void {
    this.#rememberToken(request)
    this.#readAnswer(request)
    const { host, httpsPort, trust, lookup, findProxy } = this.call
    const proxy = findProxy?.(host, httpsPort) ?? null
    if (proxy) {
      this.#through ??= new ProxyAgent(proxy, trust)
      const options = { host, port: httpsPort, secureEndpoint: true as const }
      this.#through.connect(request, options).then(
        socket => this.#handOver(request, socket),
        (error: Error) => {
          request.destroy(error)
          // A request without a socket does not tell what became of it.
          request.onSocket(new Socket())
        },
      )
      return
    }
    const socket = tls.connect({
      host,
      port: httpsPort,
      servername: isIP(host) === 0 ? host : '',
      secureContext: trust.context,
      ...(lookup ? { lookup: asNodeLookup(lookup) } : {}),
    })
    this.#handOver(request, socket)
  }

  /** Once the server is verified, or has turned out not to be. */
  #handOver(request: ClientRequest, socket: Socket): void {
    this.#open.add(socket)
    let handedOver = false
    const handOver = (): void => {
      if (handedOver) return
      handedOver = true
      request.onSocket(socket)
    }
    socket.once('secureConnect', handOver)
    socket.once('error', error => {
      request.destroy(error)
      handOver()
    })
    socket.once('close', () => {
      this.#open.delete(socket)
      if (!handedOver) request.destroy(new Error('the connection was closed'))
      handOver()
    })
  }

  end(): void {
    for (const socket of this.#open) socket.destroy()
    this.#through?.destroy()
  }

  #rememberToken(request: ClientRequest): void {
    const token = request.getHeader('authorization')
    if (typeof token !== 'string') return
    this.call.secrets.add('shared-access-signature', token)
    const signature = new URLSearchParams(token.replace(/^SharedAccessSignature /, '')).get('sig')
    if (signature) this.call.secrets.add('signature', signature)
  }

  #readAnswer(request: ClientRequest): void {
    const listeners = request.listeners('response')
    request.removeAllListeners('response')
    request.once('response', response => {
      readBody(response).then(
        body => {
          const refusal = this.#judge(response, body)
          if (refusal) request.emit('error', refusal)
          else for (const listener of listeners) listener.call(request, replay(response, body))
        },
        (error: unknown) => request.emit('error', error),
      )
    })
  }

  #judge(response: IncomingMessage, body: string): FileUploadError | null {
    const status = response.statusCode ?? 0
    if (status >= 300) return refused(status, response.headers['iothub-errorcode'], body)
    if (this.expected === 'anything' || parseObject(body)) return null
    return new FileUploadError(`the answer (status ${status}) is not what IoT Hub answers`, null, null)
  }
}

/** The SDK's part of an IncomingMessage. */
const replay = ({ statusCode, statusMessage, headers }: IncomingMessage, body: string): Readable =>
  Object.assign(Readable.from(body === '' ? [] : [body]), { statusCode, statusMessage, headers })

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new FileUploadError('the answer is too long for IoT Hub', null, null)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A lookup of ours in the form that Node's connections take. */
export const asNodeLookup =
  (lookup: Lookup): LookupFunction =>
  (host, { all }, callback) =>
    lookup(host, (error, addresses) => {
      const first = addresses?.[0]
      // Asynchronous, because Node does not survive a lookup that answers before it returns.
      setImmediate(() => {
        if (error || !first) callback(error ?? new Error(`no address for ${host}`), '', 0)
        else if (all) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      })
    })

/** What IoT Hub's words mean here. Both are under "Azure IoT Hub error codes" in Microsoft's documentation. */
const explanations: readonly Readonly<{ word: string; code: string; means: string }>[] = [
  {
    word: 'DeviceMaximumActiveFileUploadLimitExceeded',
    code: '403006',
    means:
      'this device has ten file uploads under way, which is the limit; each counts until the hub is told its end, or its SAS expires, ' +
      'after an hour unless the hub is set to more; it is tried again',
  },
  {
    word: 'IotHubQuotaExceeded',
    code: '403002',
    means: "the hub's daily message quota is used up; it returns at midnight UTC, or with more units; ask again then",
  },
]

function refused(status: number, header: string | string[] | undefined, body: string): FileUploadError {
  const told = parseObject(body)
  const text = [told?.Message, told?.message].find(each => typeof each === 'string') as string | undefined
  const number = told?.errorCode ?? /"errorCode":\s*(\d{6})/.exec(text ?? '')?.[1]
  const word = [header].flat()[0] ?? /ErrorCode:\s*(\w+)/.exec(text ?? '')?.[1]
  const known = explanations.find(each => each.word === word || each.code === String(number))
  const code = known?.code ?? (number === undefined ? word : String(number)) ?? null
  const said = known ? `${known.word}: ${known.means}` : (word ?? '')
  const message = [`the hub refused with status ${status}`, known?.code, said].filter(Boolean).join(', ')
  return new FileUploadError(message, status, code?.slice(0, 100) ?? null)
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Everything that is no answer of the hub's is a failure of the road to it. */
function explain(error: unknown): FileUploadError {
  if (error instanceof FileUploadError) return error
  const { message, code = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) }
  // A dual-stack refusal has a code and no message.
  const text = message.includes(code) ? message : [message, code].filter(Boolean).join(', ')
  return new FileUploadError(`the hub could not be asked: ${text}`, null, null, { cause: error })
}

/** The answer becomes part of a URL, so nothing may be in it that has no business there. */
function checkTarget(answer: unknown): UploadTarget {
  const { correlationId, hostName, containerName, blobName, sasToken } = (answer ?? {}) as Record<string, unknown>
  const matches = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value)
  if (
    matches(correlationId, /^[^\0]{1,2048}$/) &&
    matches(hostName, /^[A-Za-z0-9.-]+(:\d{1,5})?(\/[a-z0-9]+)?$/) &&
    matches(containerName, /^[$a-z0-9-]{1,63}$/) &&
    matches(blobName, /^[^\0]{1,1024}$/) &&
    matches(sasToken, /^\?[!-~]{1,4096}$/) &&
    !sasToken.includes('#')
  ) {
    return { correlationId, hostName, containerName, blobName, sasToken }
  }
  throw new FileUploadError('the hub named no place that a file could go to', null, null)
}
