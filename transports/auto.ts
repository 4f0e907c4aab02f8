/**
 * `protocol: "auto"`: when the network refuses one protocol, the next is tried; what worked is remembered; and when the
 * first choice is open again, the session moves back to it.
 *
 * A credential that was refused changes nothing, because the hub was reached; nor does a device without any network, where
 * no protocol would get further.
 */
import { type SocketTap, tapSocket } from './socket-tap.js'
import type { Chooser, TapFactory, Wiring } from './transport.js'
import type { Protocol, WireEvent } from './wire-event.js'

/** A protocol whose code is loaded when it is needed: a device on MQTT has no AMQP in its memory. */
export type LazyWay = Readonly<{ protocol: Protocol; load(): Promise<TapFactory> }>

/** Where it is remembered what worked. Neither may throw. */
export type ProtocolMemory = Readonly<{ read(): Promise<Protocol | null>; write(protocol: Protocol): Promise<void> }>

export type AutoOptions = Readonly<{
  /** The first is the first choice, the others follow in this order. */
  ways: readonly LazyWay[]
  /** Whether there is a proxy for those that can use one; asked at each refusal, because the hub may be another one by then. */
  isProxied(): boolean
  memory: ProtocolMemory
  /** Until the first choice is looked for; doubled each time that it is not there, up to a day. Default: 10 min. */
  probeAfterMs?: number
}>

/** A protocol that has worked here is given up only after so many refusals in a row: the hub may be away for a moment. */
const refusalsOfTheProven = 3

const probeAfterMsDefault = 600_000
const probeAfterMsMax = 86_400_000

export function createAuto({ ways, isProxied, memory, probeAfterMs = probeAfterMsDefault }: AutoOptions): Chooser {
  const first = ways[0]
  if (!first) throw new Error('auto needs at least one protocol')
  let current: LazyWay = first
  let told: Protocol = first.protocol
  let why = ''
  /** Where the last session was. */
  let proven: Protocol | null = null
  let remembered: Protocol | null = null
  let isRead = false
  const refusals = new Map<Protocol, number>()
  let port = 0
  let wiringOf: ((protocol: Protocol) => Wiring) | null = null
  let leave: (() => void) | null = null
  let pauseMs = probeAfterMs
  let timer: NodeJS.Timeout | undefined
  let probe: SocketTap | null = null

  const wayOf = (protocol: Protocol | null): LazyWay | undefined => ways.find(way => way.protocol === protocol)
  const change = (to: LazyWay, reason: string): void => {
    current = to
    why = reason
  }

  const refusedByNetwork = (said: string): void => {
    const { protocol } = current
    const count = (refusals.get(protocol) ?? 0) + 1
    refusals.set(protocol, count)
    if (count < (proven === protocol ? refusalsOfTheProven : 1)) return
    const goBack = protocol === first.protocol && proven !== protocol ? wayOf(proven) : undefined
    const next = ways[(ways.indexOf(current) + 1) % ways.length] ?? first
    change(goBack ?? next, `${protocol}: ${said}`)
  }

  const accepted = (): void => {
    const { protocol } = current
    proven = protocol
    refusals.delete(protocol)
    if (protocol !== remembered) {
      remembered = protocol
      void memory.write(protocol)
    }
    if (current === first) pauseMs = probeAfterMs
    else lookAfterPause()
  }

  const lookAfterPause = (): void => {
    clearTimeout(timer)
    timer = setTimeout(look, pauseMs)
    timer.unref()
  }

  /** As far as TLS and no further: not a word of the protocol is said, so that the session is left in peace. */
  const look = (): void => {
    const { protocol } = first
    const wiring = wiringOf?.(protocol)
    if (!wiring) return
    pauseMs = Math.min(pauseMs * 2, probeAfterMsMax)
    let isOpen = false
    probe = tapSocket(
      { ...wiring, proxy: protocol.endsWith('-ws') ? (wiring.proxy ?? null) : null, upgrade: null },
      {
        ...nobodyListens,
        ready: () => {
          isOpen = true
          probe?.destroy('goodbye')
        },
        refused: () => lookAgain(),
        ended: () => {
          if (isOpen && leave) {
            change(first, `${protocol}: port ${wiring.port} is open again`)
            leave()
          } else {
            lookAgain()
          }
        },
      },
    )
  }
  const lookAgain = (): void => {
    if (leave) lookAfterPause()
  }

  const sessionOver = (): void => {
    leave = null
    clearTimeout(timer)
    probe?.destroy('goodbye')
    probe = null
  }

  return {
    async next() {
      if (!isRead) {
        isRead = true
        remembered = await memory.read()
        const way = wayOf(remembered)
        if (way && way !== first) {
          proven = way.protocol
          change(way, `${way.protocol}: it is what worked before`)
        }
      }
      const { protocol } = current
      const changed = protocol === told ? null : { from: told, why }
      told = protocol
      return { protocol, tap: await current.load(), changed }
    },
    saw(event) {
      if (event.type === 'connecting') port = event.port
      if (event.type === 'accepted') accepted()
      if (event.type === 'closed' || event.type === 'refused') {
        sessionOver()
        const said = refusalOfNetwork(event, port, isProxied())
        if (said) refusedByNetwork(said)
      }
    },
    whenBetter(wiring, given) {
      wiringOf = wiring
      leave = () => {
        leave = null
        given()
      }
      return sessionOver
    },
  }
}

const nothing = (): void => undefined
const nobodyListens = {
  resolved: nothing,
  tcpConnected: nothing,
  proxyConnected: nothing,
  tlsSecured: nothing,
  upgraded: nothing,
  heard: nothing,
}

type End = Extract<WireEvent, { type: 'closed' | 'refused' }>

/** Codes of a device that has no network: every protocol would meet them. */
const withoutNetwork: ReadonlySet<string> = new Set(['ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH', 'EADDRNOTAVAIL'])

/** A certificate that is out of date, or of another name, is so on every port of the hub, or our clock is wrong. */
const aboutTheHub: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** @returns what the network has refused, in words; `null` where another protocol would fare no better */
export function refusalOfNetwork(event: End, port: number, isProxied: boolean): string | null {
  if (event.type === 'refused') {
    if (event.step === 'connack' || event.step === 'cbs') return null
    const who = event.step === 'proxy' ? 'the proxy' : 'whoever answered the upgrade'
    return `${who} refused with status ${event.code}`
  }
  const { stage, by, how, error, lastedMs, protocol } = event
  if (lastedMs !== null || (by === 'us' && how === 'goodbye')) return null
  const codes = [error?.code, ...(error?.errors ?? []).map(({ code }) => code)].filter(code => code !== undefined)
  switch (stage) {
    case 'dns':
      // Behind a proxy a device often cannot resolve the hub's name, and need not.
      return isProxied && !protocol.endsWith('-ws') ? "the hub's name is not known here" : null
    case 'tcp':
      if (codes.length > 0 && codes.every(code => withoutNetwork.has(code))) return null
      if (error?.name === 'ProxyError') return error.message
      return how === 'timeout' ? `port ${port} does not answer` : `port ${port} is refused (${codes[0] ?? how})`
    case 'tls':
      if (codes.some(code => aboutTheHub.has(code))) return null
      return how === 'timeout' ? `no TLS on port ${port}` : `TLS on port ${port} fails (${codes[0] ?? how})`
    case 'upgrade':
      return `the upgrade on port ${port} ${how === 'timeout' ? 'is not answered' : `fails (${codes[0] ?? how})`}`
    case 'auth':
      return how === 'timeout' ? `nothing comes through port ${port} after TLS` : null
    case 'session':
      return null
  }
}
