/** The hub's HTTPS side: file upload for devices; direct methods, twins and queries for the service. */

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { BlobStore } from './blob-store.js'
import type { KeyPair } from './certificates.js'
import { faultOfCertificate, shownBy } from './client-certificates.js'
import type { Identity, Tell } from './events.js'
import type { Faults, HttpOperation } from './faults.js'
import { HubError } from './hub-error.js'
import { clientIdOf, type Identities, type Registered } from './identities.js'
import type { Methods } from './methods.js'
import { faultOfSas, parseSas, sameResource } from './sas.js'
import { resourceOf } from './sign-in.js'
import { isObject } from './twin.js'
import type { Uploads } from './uploads.js'

/** Where the file uploads of devices go. */
export const uploadContainer = 'uploads'

/** IoT Hub takes larger ones nowhere on these paths. */
const bodyBytesLimit = 1024 * 1024

export type HttpsFrontOptions = Readonly<{
  hostName: string
  identities: Identities
  /** The shared access policies of the service, by name; keys in base64. */
  policies: ReadonlyMap<string, string>
  faultsOf(deviceId: string): Faults
  methods: Methods
  uploads: Uploads
  blobs: BlobStore
  patchDesired(registered: Registered, patch: object): Promise<void>
  isConnected(registered: Registered): boolean
  tell: Tell
}>

type Answer = Readonly<{ status: number; body?: unknown }>
type Body = Record<string, unknown>

export class HttpsFront {
  #server: Server | null = null

  constructor(private readonly options: HttpsFrontOptions) {}

  /** @returns the port */
  async listen({ cert, key }: KeyPair, clientCa: string): Promise<number> {
    const asking = { requestCert: true, rejectUnauthorized: false, ca: clientCa }
    const server = createServer({ cert, key, ...asking, minVersion: 'TLSv1.2' })
    server.on('request', (request, response) => void this.serve(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    return (server.address() as AddressInfo).port
  }

  close(): void {
    this.#server?.close()
    this.#server?.closeAllConnections()
  }

  /** Also of a request that came by another way than this port. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://hub')
    const { method = 'GET' } = request
    const told = { type: 'http', method, path: url.pathname } as const
    try {
      const body = await readBody(request)
      if (this.#isSilenced(url.pathname)) {
        this.options.tell({ ...told, status: null, code: null })
        return
      }
      const answer = await this.#answer(method, url, request, body)
      this.options.tell({ ...told, status: answer.status, code: null })
      send(response, answer)
    } catch (error) {
      const refusal = error instanceof HubError ? error : new HubError(500001, String(error))
      this.options.tell({ ...told, status: refusal.status, code: refusal.code })
      response.setHeader('iothub-errorcode', refusal.word)
      send(response, { status: refusal.status, body: refusal.body })
    }
  }

  async #answer(method: string, url: URL, request: IncomingMessage, body: Body): Promise<Answer> {
    if (!url.searchParams.get('api-version')) throw new HubError(400004, 'api-version is missing')
    const [root = '', ...path] = url.pathname.slice(1).split('/').map(decodeURIComponent)
    if (root === 'devices') {
      if (method === 'POST' && path.join('/') === 'query') return this.#query(request, body)
      const [deviceId = '', files, notifications, correlationId, ...rest] = path
      if (method === 'POST' && files === 'files' && rest.length === 0) {
        this.#authorizeDevice(request, { deviceId })
        if (notifications === undefined) return this.#beginUpload(deviceId, body)
        if (notifications === 'notifications') return this.#finishUpload(deviceId, correlationId, body)
      }
    }
    if (root === 'twins') {
      const { identity, rest } = readIdentity(path)
      if (method === 'POST' && rest === 'methods') return this.#invoke(request, identity, body)
      if (rest === '' && (method === 'GET' || method === 'PATCH')) {
        this.#authorizeService(request)
        const registered = this.options.identities.get(identity)
        if (method === 'PATCH') await this.options.patchDesired(registered, desiredPatch(body))
        return { status: 200, body: this.#twin(registered) }
      }
    }
    throw new HubError(404001, `nothing is served at ${method} ${url.pathname}`)
  }

  async #beginUpload(deviceId: string, { blobName }: Body): Promise<Answer> {
    if (typeof blobName !== 'string' || blobName === '') throw new HubError(400004, 'blobName is missing')
    this.#strikeFault(deviceId, 'files')
    const { blobs, uploads } = this.options
    const upload = uploads.begin(deviceId, uploadContainer, blobName, name => blobs.blobUri(uploadContainer, name))
    await blobs.container(uploadContainer)
    const { correlationId, containerName } = upload
    return {
      status: 200,
      body: {
        correlationId,
        hostName: blobs.host,
        containerName,
        blobName: upload.blobName,
        sasToken: blobs.blobSas(containerName, upload.blobName),
      },
    }
  }

  /** The correlation id stands in the path with the SDK, in the body with the documentation. */
  #finishUpload(deviceId: string, inPath: string | undefined, body: Body): Answer {
    const correlationId = inPath ?? body.correlationId
    const { isSuccess, statusCode = 0, statusDescription = '' } = body
    if (typeof correlationId !== 'string') throw new HubError(400004, 'correlationId is missing')
    if (typeof isSuccess !== 'boolean') throw new HubError(400004, 'isSuccess is missing')
    this.#strikeFault(deviceId, 'notifications')
    this.options.uploads.finish(deviceId, correlationId, {
      isSuccess,
      statusCode: Number(statusCode),
      statusDescription: String(statusDescription),
    })
    return { status: 204 }
  }

  async #invoke(request: IncomingMessage, identity: Identity, body: Body): Promise<Answer> {
    this.#authorizeService(request)
    this.options.identities.get(identity)
    const { methodName, payload = null, responseTimeoutInSeconds = 30 } = body
    if (typeof methodName !== 'string' || methodName === '') throw new HubError(400004, 'methodName is missing')
    const seconds = Number(responseTimeoutInSeconds)
    if (!(seconds >= 5 && seconds <= 300)) throw new HubError(400004, 'responseTimeoutInSeconds: expected 5 to 300')
    const bytes = Buffer.from(JSON.stringify(payload))
    const answer = await this.options.methods.invoke(identity, methodName, bytes, seconds * 1000)
    return { status: 200, body: { status: answer.status, payload: parsePayload(answer.payload) } }
  }

  /** Two queries are understood; a fleet behind a real hub knows more. */
  #query(request: IncomingMessage, { query }: Body): Answer {
    this.#authorizeService(request)
    const from = /^\s*select\s+\*\s+from\s+(devices|devices\.modules)\s*$/i.exec(String(query))?.[1]?.toLowerCase()
    if (from === undefined) throw new HubError(400004, 'expected SELECT * FROM devices, or FROM devices.modules')
    const asked = this.options.identities.list().filter(({ moduleId }) => (moduleId === null) === (from === 'devices'))
    return { status: 200, body: asked.map(registered => this.#twin(registered)) }
  }

  #twin(registered: Registered) {
    const { deviceId, moduleId, enabled, twin } = registered
    return {
      deviceId,
      ...(moduleId === null ? {} : { moduleId }),
      status: enabled ? 'enabled' : 'disabled',
      connectionState: this.options.isConnected(registered) ? 'Connected' : 'Disconnected',
      properties: { desired: twin.desired, reported: twin.reported },
    }
  }

  #authorizeDevice(request: IncomingMessage, identity: Identity): void {
    const token = parseSas(request.headers.authorization ?? '')
    const registered = this.options.identities.find(clientIdOf(identity))
    if (!registered?.enabled) throw unauthorized()
    if (registered.x509) {
      const fault = faultOfCertificate(shownBy(request.socket as TLSSocket), registered.x509, registered.deviceId)
      if (fault === null) return
      throw unauthorized()
    }
    if (!token) throw unauthorized()
    if (!sameResource(token.resource, resourceOf(this.options.hostName, registered))) throw unauthorized()
    if (faultOfSas(token, registered.key)) throw unauthorized()
  }

  #authorizeService(request: IncomingMessage): void {
    const token = parseSas(request.headers.authorization ?? '')
    const key = token?.policy ? this.options.policies.get(token.policy) : undefined
    if (!token || !key) throw unauthorized()
    if (!sameResource(token.resource, this.options.hostName) || faultOfSas(token, key)) throw unauthorized()
  }

  #isSilenced(path: string): boolean {
    const operation = operationOf(path)
    if (!operation) return false
    const faults = this.options.faultsOf(operation.deviceId)
    const { on } = faults.get('httpSilent') ?? { on: null }
    if (on === null || (on !== undefined && on !== operation.on)) return false
    faults.strike('httpSilent')
    return true
  }

  #strikeFault(deviceId: string, operation: HttpOperation): void {
    const faults = this.options.faultsOf(deviceId)
    const fault = faults.get('http')
    if (!fault || (fault.on !== undefined && fault.on !== operation)) return
    faults.strike('http')
    throw new HubError(fault.code ?? fault.status * 1000, 'a fault that was set')
  }
}

/** `device[/modules/module][/rest]` */
function readIdentity([deviceId = '', ...path]: string[]): { identity: Identity; rest: string } {
  const [modules, moduleId, ...rest] = path
  return modules === 'modules' && moduleId !== undefined
    ? { identity: { deviceId, moduleId }, rest: rest.join('/') }
    : { identity: { deviceId }, rest: path.join('/') }
}

function operationOf(path: string): { deviceId: string; on: HttpOperation } | null {
  const found = /^\/devices\/([^/]+)\/files(\/notifications)?/.exec(path)
  if (!found) return null
  return { deviceId: decodeURIComponent(found[1]!), on: found[2] ? 'notifications' : 'files' }
}

function desiredPatch(body: Body): object {
  const properties = isObject(body.properties) ? body.properties : {}
  return isObject(properties.desired) ? properties.desired : {}
}

const unauthorized = () => new HubError(401003, 'Unauthorized')

/** An answer that is no JSON is handed on as text. */
export function parsePayload(payload: Buffer): unknown {
  if (payload.length === 0) return null
  try {
    return JSON.parse(payload.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return payload.toString()
    throw error
  }
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesLimit) throw new HubError(400004, 'the body is too long')
    chunks.push(chunk)
  }
  if (bytes === 0) return {}
  const value = parsePayload(Buffer.concat(chunks))
  if (!isObject(value)) throw new HubError(400006, 'the body is not a JSON object')
  return value
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.statusCode = status
  if (body === undefined) {
    response.end()
    return
  }
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(body))
}
