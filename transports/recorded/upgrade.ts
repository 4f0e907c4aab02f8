/**
 * The request by which a WebSocket begins, seen through Node's own announcement of requests: neither `ws` nor the application's
 * agent is touched, and the socket is the one they made.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Attempt } from './attempt.js'
import type { Guard } from './recorder.js'

/** Announced once a request has its socket, which may still be connecting. */
const channel = 'http.client.request.start'
const upgradePath = '/$iothub/websocket'

/** Those of an answer that say who answered. */
const tellingHeaders = ['server', 'via', 'location', 'www-authenticate', 'proxy-authenticate', 'content-type'] as const
const headerMax = 200

type Awaited = Readonly<{ host: string; attempt: Attempt; guarded: Guard; found(socket: TLSSocket): void }>

/** In the order of their attempts: requests to one host are announced in it. */
let awaited: Awaited[] = []

/**
 * @param found told of the socket, once, if the request ever gets one
 * @returns gives up waiting
 */
export function watchUpgrade(awaiting: Awaited): () => void {
  if (awaited.length === 0) subscribe(channel, announced)
  awaited.push(awaiting)
  return () => forget(awaiting)
}

function forget(awaiting: Awaited): void {
  if (!awaited.includes(awaiting)) return
  awaited = awaited.filter(other => other !== awaiting)
  if (awaited.length === 0) unsubscribe(channel, announced)
}

function announced(message: unknown): void {
  const { request } = message as { request: ClientRequest }
  if (request.path !== upgradePath) return
  const found = awaited.find(({ host, attempt }) => !attempt.over && request.host === host)
  if (!found) return
  forget(found)
  found.guarded(watchRequest)(request, found)
}

function watchRequest(request: ClientRequest, { attempt, guarded, found }: Awaited): void {
  request.prependOnceListener(
    'upgrade',
    guarded((response: IncomingMessage) => attempt.upgraded(response.statusCode ?? 101)),
  )
  request.prependOnceListener(
    'response',
    guarded((response: IncomingMessage) => {
      const { statusCode = 0, statusMessage = '' } = response
      attempt.refused('upgrade', statusCode, statusMessage || 'no upgrade', headersOf(response))
    }),
  )
  if (request.socket) found(request.socket as TLSSocket)
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const told = tellingHeaders.flatMap(name => {
    const value = headers[name]
    return value === undefined ? [] : [[name, String(value).slice(0, headerMax)]]
  })
  return Object.fromEntries(told)
}

/** `ws` has it in its words only; `null` where the error says something else. */
export function unexpectedStatus(error: Error | undefined): number | null {
  const said = /^Unexpected server response: (\d{3})$/.exec(error?.message ?? '')
  return said ? Number(said[1]) : null
}
