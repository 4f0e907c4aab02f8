/**
 * The way through an HTTP proxy: which one, with which credentials, and the CONNECT.
 *
 * There are two ways through it. HTTPS requests (file upload, DPS) get an agent of a library. The socket of the connection
 * gets Node's own CONNECT over a socket that we have dialled, because there each step has its own time and its own end.
 */
import { type RequestOptions, request } from 'node:http'
import { isIP, isIPv6, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'
import { type HttpRefusal, refusalOf } from './http-answer.js'
import type { Secrets } from './secrets.js'
import type { Trust } from './trust.js'

/** A proxy as it may be told of: its credentials cannot be read out of it by accident. */
export interface HttpProxy {
  readonly host: string
  readonly port: number
  /** Whether we speak TLS to the proxy itself. */
  readonly secure: boolean
  /** `host:port`, for people. */
  readonly name: string
  /** The value of `Proxy-Authorization`; `null` for a proxy that asks for nothing. */
  authorization(): string | null
  /** With its credentials, for the agent. */
  url(): URL
}

/** What is wrong with the proxy that was configured; no line holds its credentials. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'

  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '))
  }
}

export type ProxySource = Readonly<{
  /** From the configuration; wins over the environment. */
  url: string | null
  /** `user:password`, of a file of its own; wins over what the URL holds. */
  credentials: string | null
  env: NodeJS.ProcessEnv
}>

/** Which proxy leads to a host; `null` for none. */
export type FindProxy = (host: string, port: number) => HttpProxy | null

/**
 * Looks at `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case of letters. `NO_PROXY` holds for a configured proxy too.
 *
 * @param secrets learns the password
 * @throws ProxyError with every problem
 */
export function createFindProxy({ url, credentials, env }: ProxySource, secrets: Secrets): FindProxy {
  const fromEnv = (name: string): string => env[name.toLowerCase()] || env[name.toUpperCase()] || ''
  const place = url === null ? 'HTTPS_PROXY' : 'connection.proxy'
  const given = url ?? (fromEnv('https_proxy') || fromEnv('all_proxy'))
  if (credentials !== null && given === '') {
    throw new ProxyError(['connection.proxyCredentialsFile: there is no proxy that these credentials are for'])
  }
  if (given === '') return () => null
  const proxy = parseProxy(given, place, credentials, secrets)
  const asked = { https_proxy: `http://${proxy.name}`, no_proxy: fromEnv('no_proxy') }
  return (host, port) => {
    const authority = isIPv6(host) ? `[${host}]` : host
    return withEnvironment(asked, () => getProxyForUrl(`https://${authority}:${port}`)) === '' ? null : proxy
  }
}

/** The library knows one environment, the process's; ours is given. It reads it while it is called and at no other time. */
function withEnvironment<T>(env: Record<string, string>, act: () => T): T {
  const { env: saved } = process
  process.env = env
  try {
    return act()
  } finally {
    process.env = saved
  }
}

function parseProxy(given: string, place: string, credentials: string | null, secrets: Secrets): HttpProxy {
  // As curl reads it: a name without a scheme is a plain proxy.
  const text = given.includes('://') ? given : `http://${given}`
  const expected = 'expected http://HOST:PORT or https://HOST:PORT'
  if (!URL.canParse(text)) throw new ProxyError([`${place}: found no URL; ${expected}`])
  const url = new URL(text)
  const problems: string[] = []
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    problems.push(`${place}: found ${url.protocol}//; ${expected}`)
  if (url.hostname === '') problems.push(`${place}: found no host; ${expected}`)
  if (url.search !== '' || url.hash !== '' || url.pathname.length > 1) {
    problems.push(`${place}: found a path or a query; ${expected}`)
  }
  if (credentials !== null) {
    const [user = '', ...rest] = credentials.trim().split(':')
    if (user === '' || rest.length === 0 || /[\r\n]/.test(credentials.trim())) {
      problems.push('connection.proxyCredentialsFile: expected one line, user:password')
    }
    url.username = encodeURIComponent(user)
    url.password = encodeURIComponent(rest.join(':'))
  }
  const [user, password] = [url.username, url.password].map(decoded)
  if (user === null || password === null) {
    problems.push(`${place}: found credentials with a bad escape; expected % and two hexadecimal digits`)
  }
  if (password) secrets.add('proxy-password', password)
  if (problems.length > 0) throw new ProxyError(problems)

  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const authorization = user || password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : null
  if (authorization) secrets.add('proxy-authorization', authorization.slice('Basic '.length))
  return {
    host,
    port,
    secure,
    name: `${url.hostname}:${port}`,
    authorization: () => authorization,
    url: () => new URL(url),
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

export type TunnelEvents = Readonly<{
  opened(through: Duplex): void
  refused(refusal: HttpRefusal): void
  failed(error: Error): void
}>

export type Tunnel = Readonly<{ destroy(): void }>

/** @param socket connected to the proxy */
export function openTunnel(
  socket: Socket,
  proxy: HttpProxy,
  target: Readonly<{ host: string; port: number; trust: Pick<Trust, 'proxyContext'> }>,
  events: TunnelEvents,
): Tunnel {
  const { trust } = target
  const servername = isIP(proxy.host) === 0 ? proxy.host : ''
  const road = proxy.secure
    ? tls.connect({
        socket,
        host: proxy.host,
        servername,
        secureContext: trust.proxyContext,
        ALPNProtocols: ['http/1.1'],
      })
    : socket
  const authority = `${isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`
  const authorization = proxy.authorization()
  const options: RequestOptions = {
    method: 'CONNECT',
    path: authority,
    setHost: false,
    headers: { Host: authority, ...(authorization ? { 'Proxy-Authorization': authorization } : {}) },
    createConnection: () => road,
  }
  const connect = request(options)
  connect.on('error', events.failed)
  connect.on('connect', (response, through, head) => {
    const code = response.statusCode ?? 0
    if (code < 200 || code >= 300) {
      events.refused(refusalOf(response))
      return
    }
    if (head.length > 0) through.unshift(head)
    events.opened(through)
  })
  connect.end()
  return {
    destroy: () => {
      connect.destroy()
      road.destroy()
    },
  }
}

/**
 * For HTTPS requests through a proxy. A proxy that refuses is an error of its own, because the library would pass its
 * answer on as if the server at the other end had given it.
 */
export class ProxyAgent extends HttpsProxyAgent<string> {
  readonly #proxy: HttpProxy
  readonly #secureContext: tls.SecureContext
  readonly #ending: AbortController

  constructor(
    proxy: HttpProxy,
    { context, proxyContext }: Pick<Trust, 'context' | 'proxyContext'>,
    ending = new AbortController(),
  ) {
    const options = {
      secureContext: proxyContext,
      keepAlive: true,
      maxSockets: 1,
      signal: ending.signal,
    }
    super(proxy.url(), options)
    this.#proxy = proxy
    this.#secureContext = context
    this.#ending = ending
  }

  /** Also what still waits for the proxy's answer, of which Node's agent knows nothing. */
  override destroy(): void {
    this.#ending.abort()
    super.destroy()
  }

  override async connect(
    request: Parameters<HttpsProxyAgent<string>['connect']>[0],
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): Promise<Socket> {
    let status = 0
    request.once('proxyConnect', ({ statusCode }: { statusCode: number }) => {
      status = statusCode
    })
    const socket = await super.connect(request, { ...options, secureContext: this.#secureContext } as typeof options)
    if (status === 200) return socket
    socket.destroy()
    const word = status === 407 ? ' (it wants credentials, or others)' : ''
    throw Object.assign(new Error(`the proxy ${this.#proxy.name} refused with status ${status}${word}`), {
      code: `PROXY_${status}`,
    })
  }
}
