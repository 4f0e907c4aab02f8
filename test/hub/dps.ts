/** A Device Provisioning Service over MQTT and MQTT over WebSocket, which assigns registrations to hubs: the dialect, the checks, and the faults. */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { Aedes, type AuthenticateError } from 'aedes'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { KeyPair } from './certificates.js'
import { type CertificateRule, faultOfCertificate, shownBy } from './client-certificates.js'
import type { Tell } from './events.js'
import { makeKey } from './identities.js'
import { faultOfSas, parseSas } from './sas.js'
import { websocketPath } from './websocket-front.js'

/** `hub` as a device dials it, with a port. */
export type DpsAssignment = Readonly<{ hub: string; deviceId: string }>

export type DpsEnrolment = Readonly<{
  assign: DpsAssignment
  /** base64; one is made by default. */
  key?: string
  /** By certificate in place of a key. */
  x509?: CertificateRule
}>

/** In force until `heal()` or until it has struck `times` times; one at a time. */
export type DpsFault = Readonly<
  /** Requests are answered with this status. */
  | { kind: 'status'; status: number; retryAfterSeconds?: number; on?: DpsOperation; times?: number }
  /** CONNACK with this code. */
  | { kind: 'connack'; code: 1 | 2 | 3 | 4 | 5; times?: number }
  /** Requests are read and never answered. */
  | { kind: 'silent'; on?: DpsOperation; times?: number }
  /** The answer is no JSON. */
  | { kind: 'malformed'; times?: number }
  /** Instead of an answer the connection is closed. */
  | { kind: 'close'; times?: number }
>

export type DpsOperation = 'connect' | 'register' | 'query'

export interface Dps {
  /** `localhost:PORT`: the global endpoint, for MQTT as well as for WebSocket. */
  readonly endpoint: string
  readonly idScope: string
  /** @returns the enrolment's key */
  enrol(registrationId: string, enrolment: DpsEnrolment): string
  /** What the next registration is assigned to. */
  assign(registrationId: string, assignment: DpsAssignment): void
  /** A registration that is disabled, or whose assignment failed, is told so. */
  setState(registrationId: string, state: 'enabled' | 'disabled' | 'failed'): void
  set(fault: DpsFault): void
  heal(): void
  close(): Promise<void>
}

export type DpsOptions = Readonly<{ certificate: KeyPair; clientCa: string; tell: Tell }>

type Enrolled = {
  assign: DpsAssignment
  readonly key: string
  x509: CertificateRule | null
  state: 'enabled' | 'disabled' | 'failed'
}

/** How soon a device is to ask again whether it was assigned. */
const pollSeconds = 1

export async function startDps({ certificate, clientCa, tell }: DpsOptions): Promise<Dps> {
  const idScope = '0ne000A1B2C'
  const enrolments = new Map<string, Enrolled>()
  const brokers = new Set<Aedes>()
  let fault: { fault: DpsFault; left: number } | null = null

  const strike = <K extends DpsFault['kind']>(kind: K, on: DpsOperation): Extract<DpsFault, { kind: K }> | null => {
    if (fault?.fault.kind !== kind) return null
    const struck = fault.fault as Extract<DpsFault, { kind: K }>
    if ('on' in struck && struck.on !== undefined && struck.on !== on) return null
    fault.left -= 1
    if (fault.left <= 0) fault = null
    return struck
  }

  const server: Server = createServer(
    {
      ...certificate,
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      noDelay: true,
    },
    tls => {
      tls.on('error', () => tls.destroy())
      tls.once('data', first => {
        tls.pause()
        tls.unshift(first)
        // The letter that a request of HTTP begins with; a CONNECT of MQTT begins with none.
        if (first[0] === 'G'.charCodeAt(0)) {
          http.emit('connection', tls)
          tls.resume()
        } else void serve(tls, tls)
      })
    },
  )
  /** It listens nowhere: connections are handed to it. */
  const http = createHttpServer()
  const upgrades = new WebSocketServer({ noServer: true, handleProtocols: asked => asked.has('mqtt') && 'mqtt' })
  http.on('upgrade', (request, socket, head) => {
    if (request.url?.replace(/\?.*$/, '') !== websocketPath) {
      socket.destroy()
      return
    }
    upgrades.handleUpgrade(request, socket, head, websocket => {
      const stream = createWebSocketStream(websocket)
      stream.on('error', () => stream.destroy())
      void serve(stream, socket as TLSSocket)
    })
  })

  /** @param stream carries MQTT, in TLS or in a WebSocket in it */
  const serve = async (stream: Duplex, tls: TLSSocket): Promise<void> => {
    const client: Client = { registrationId: '', why: null }
    const broker = await Aedes.createBroker({
      authenticate: (aedesClient, username, password, done) => {
        const code = connect(client, aedesClient.id, username ?? '', password?.toString() ?? '', tls)
        if (code === null) return
        if (code === 0) done(null, true)
        else done(Object.assign(new Error('refused'), { returnCode: code }) as AuthenticateError, false)
      },
    })
    brokers.add(broker)
    broker.on('publish', (packet, from) => {
      if (!from) return
      const answer = answerTo(client, packet.topic)
      if (answer === 'close') tls.destroy()
      else if (answer !== null) {
        broker.publish(
          { cmd: 'publish', qos: 0, retain: false, dup: false, topic: answer.topic, payload: answer.payload },
          () => undefined,
        )
      }
    })
    tls.once('close', () => {
      brokers.delete(broker)
      broker.close()
    })
    broker.handle(stream)
  }

  /** @returns a CONNACK's code; `null` to leave it unanswered */
  const connect = (
    client: Client,
    clientId: string,
    username: string,
    password: string,
    tls: TLSSocket,
  ): number | null => {
    const [, scope = '', registrationId = '', query = ''] =
      /^([^/]+)\/registrations\/([^/]+)\/(api-version=.*)$/.exec(username) ?? []
    client.registrationId = registrationId
    const decide = (): number | null => {
      if (strike('silent', 'connect')) return null
      const refused = strike('connack', 'connect')
      if (refused) return refused.code
      if (registrationId === '' || registrationId !== clientId || !query) return 5
      const enrolled = enrolments.get(registrationId)
      if (enrolled?.x509) {
        return faultOfCertificate(shownBy(tls), enrolled.x509, registrationId) === null ? 0 : 5
      }
      client.why = scope === idScope ? faultOfToken(enrolled, registrationId, password) : 'the ID scope is unknown'
      return 0
    }
    const code = decide()
    tell({ type: 'dps', registrationId, operation: 'connect', status: code })
    return code
  }

  /** Who signed in with a wrong token is told so only when it asks for something, as by the real service. */
  const faultOfToken = (enrolled: Enrolled | undefined, registrationId: string, password: string): string | null => {
    const token = parseSas(password)
    if (!enrolled || !token) return 'Unauthorized'
    if (token.resource !== `${idScope}/registrations/${registrationId}`) return 'Unauthorized'
    return faultOfSas(token, enrolled.key) === null ? null : 'Unauthorized'
  }

  const answerTo = (
    { registrationId, why }: Client,
    topic: string,
  ): { topic: string; payload: string } | 'close' | null => {
    const [, verb, query = ''] =
      /^\$dps\/registrations\/(PUT\/iotdps-register|GET\/iotdps-get-operationstatus)\/\?(.*)$/.exec(topic) ?? []
    if (verb === undefined) return 'close'
    const operation: DpsOperation = verb.startsWith('PUT') ? 'register' : 'query'
    const rid = new URLSearchParams(query).get('$rid') ?? ''
    const told = { type: 'dps', registrationId, operation } as const
    const reply = (status: number, body: object, retryAfterSeconds?: number) => {
      tell({ ...told, status })
      const wait = retryAfterSeconds === undefined ? '' : `&retry-after=${retryAfterSeconds}`
      return { topic: `$dps/registrations/res/${status}/?$rid=${rid}${wait}`, payload: JSON.stringify(body) }
    }
    if (strike('close', operation)) return 'close'
    if (strike('silent', operation)) {
      tell({ ...told, status: null })
      return null
    }
    const set = strike('status', operation)
    if (set) return reply(set.status, errorOf(set.status, 'a fault that was set'), set.retryAfterSeconds)
    if (strike('malformed', operation)) return { ...reply(200, {}), payload: '<html>' }
    if (why !== null) return reply(401, errorOf(401, why))
    const operationId = new URLSearchParams(query).get('operationId') ?? `5.${randomUUID()}`
    if (operation === 'register') return reply(202, { operationId, status: 'assigning' }, pollSeconds)
    return reply(200, { operationId, ...outcomeOf(get(registrationId), registrationId) })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const get = (registrationId: string): Enrolled => {
    const found = enrolments.get(registrationId)
    if (!found) throw new Error(`${registrationId} is not enrolled`)
    return found
  }
  return {
    endpoint: `localhost:${(server.address() as AddressInfo).port}`,
    idScope,
    enrol(registrationId, { assign, key = makeKey(), x509 = undefined }) {
      enrolments.set(registrationId, { assign, key, x509: x509 ?? null, state: 'enabled' })
      return key
    },
    assign(registrationId, assignment) {
      get(registrationId).assign = assignment
    },
    setState(registrationId, state) {
      get(registrationId).state = state
    },
    set(given) {
      fault = { fault: given, left: given.times ?? Number.POSITIVE_INFINITY }
    },
    heal() {
      fault = null
    },
    async close() {
      server.close()
      await Promise.all([...brokers].map(broker => new Promise<void>(resolve => broker.close(resolve))))
    },
  }
}

/** Who is at the other end, and why it will be refused. */
type Client = { registrationId: string; why: string | null }

const errorOf = (status: number, message: string) => ({
  errorCode: status * 1000 + 2,
  trackingId: randomUUID(),
  message,
  timestampUtc: new Date().toISOString(),
})

function outcomeOf({ state, assign }: Enrolled, registrationId: string): object {
  const common = { registrationId, createdDateTimeUtc: new Date().toISOString(), etag: randomUUID() }
  switch (state) {
    case 'enabled': {
      const { hub, deviceId } = assign
      const registrationState = {
        ...common,
        assignedHub: hub,
        deviceId,
        status: 'assigned',
        substatus: 'initialAssignment',
      }
      return { status: 'assigned', registrationState }
    }
    case 'disabled':
      return { status: 'disabled', registrationState: { ...common, status: 'disabled' } }
    case 'failed': {
      const error = { errorCode: 400209, errorMessage: 'the hub is not linked' }
      return { status: 'failed', registrationState: { ...common, status: 'failed', ...error } }
    }
  }
}
