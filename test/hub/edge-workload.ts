/** IoT Edge's workload API on a unix socket: hands out the trust bundle, and signs with a module's key that it never shows. */

import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isObject } from './twin.js'

/** In force until `heal()`. */
export type WorkloadFault = 'error' | 'silent' | 'garbage'

export interface Workload {
  readonly uri: string
  /** What IoT Edge gives a module. */
  readonly env: Readonly<Record<string, string>>
  /** `METHOD path status` of each request; status 0 where none was given. */
  readonly requests: readonly string[]
  set(fault: WorkloadFault): void
  heal(): void
  /** The socket is there, or gone as while the security daemon restarts. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type WorkloadOptions = Readonly<{
  socketPath: string
  /** With the module's key, and the gateway if there is one: `hub.connectionString(device, module, { gateway: true })`. */
  connectionString: string
  /** PEM of what modules are to trust. */
  ca: string
  generationId?: string
}>

const apiVersion = '2018-06-28'

export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const { socketPath, connectionString, ca, generationId = '637000000000000000' } = options
  const fields = new Map(connectionString.split(';').map(part => [part.split('=', 1)[0]!, part.replace(/^[^=]*=/, '')]))
  const field = (name: string): string => fields.get(name) ?? ''
  const moduleId = field('ModuleId')
  const requests: string[] = []
  let fault: WorkloadFault | null = null
  let server: Server | null = null

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/' } = request
    const { pathname, searchParams } = new URL(url, 'http://workload')
    const answer = (status: number, body: unknown): void => {
      requests.push(`${method} ${pathname} ${status}`)
      response.statusCode = status
      response.setHeader('content-type', 'application/json')
      response.setHeader('connection', 'close')
      response.end(JSON.stringify(body))
    }
    const text = await textOf(request)
    if (fault === 'silent') {
      requests.push(`${method} ${pathname} 0`)
      return
    }
    if (fault === 'error') return answer(500, { message: 'a fault that was set' })
    if (fault === 'garbage') return answer(200, null)
    if (searchParams.get('api-version') !== apiVersion) return answer(400, { message: 'unsupported api-version' })
    if (method === 'GET' && pathname === '/trust-bundle') return answer(200, { certificate: ca })
    if (method === 'POST' && pathname === `/modules/${encodeURIComponent(moduleId)}/genid/${generationId}/sign`) {
      const asked: unknown = JSON.parse(text)
      if (!isObject(asked)) return answer(400, { message: 'expected an object' })
      const { keyId, algo, data } = asked as Record<string, unknown>
      if (keyId !== 'primary' || algo !== 'HMACSHA256' || typeof data !== 'string') {
        return answer(400, { message: 'expected keyId primary, algo HMACSHA256 and data' })
      }
      const key = Buffer.from(field('SharedAccessKey'), 'base64')
      return answer(200, { digest: createHmac('sha256', key).update(Buffer.from(data, 'base64')).digest('base64') })
    }
    answer(404, { message: 'no such module, or of another generation' })
  }

  const workload: Workload = {
    uri: `unix://${socketPath}`,
    env: {
      IOTEDGE_WORKLOADURI: `unix://${socketPath}`,
      IOTEDGE_DEVICEID: field('DeviceId'),
      IOTEDGE_MODULEID: moduleId,
      IOTEDGE_IOTHUBHOSTNAME: field('HostName'),
      IOTEDGE_AUTHSCHEME: 'sasToken',
      IOTEDGE_MODULEGENERATIONID: generationId,
      ...(fields.has('GatewayHostName') ? { IOTEDGE_GATEWAYHOSTNAME: field('GatewayHostName') } : {}),
    },
    requests,
    set(given) {
      fault = given
    },
    heal() {
      fault = null
    },
    async start() {
      server = createServer((request, response) => void serve(request, response))
      await rm(socketPath, { force: true })
      server.listen(socketPath)
      await once(server, 'listening')
    },
    async stop() {
      const stopped = server
      server = null
      if (!stopped) return
      stopped.close()
      stopped.closeAllConnections()
      await once(stopped, 'close')
    },
  }
  await workload.start()
  return workload
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
