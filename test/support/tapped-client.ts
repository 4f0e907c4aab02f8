/** One SDK client over the tap of a protocol (MQTT unless it is said), without a supervisor: what the tap itself tells, in order. */
import { EventEmitter, once } from 'node:events'
import common from 'azure-iot-common'
import { systemClock } from '../../transports/clock.js'
import { parseConnectionString, type SdkClient } from '../../transports/credentials.js'
import type { HttpProxy } from '../../transports/proxy.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import type { MethodRequest, StepTimeoutsMs, Tap } from '../../transports/transport.js'
import { createTrust } from '../../transports/trust.js'
import type { PacketHeader, Protocol, WireEvent } from '../../transports/wire-event.js'
import { taps } from './taps.js'

export interface TappedClient {
  readonly client: SdkClient
  readonly tap: Tap
  readonly told: readonly WireEvent[]
  readonly requests: readonly MethodRequest[]
  readonly packets: readonly PacketHeader[]
  readonly secrets: Secrets
  /** The first event of this type, past or to come. */
  next<T extends WireEvent['type']>(type: T): Promise<Extract<WireEvent, { type: T }>>
  /** The changes of desired properties, when so many have come. */
  desired(count: number): Promise<readonly unknown[]>
  /** Resolves when it was told, since the last time it was asked, that the twin's changes are not told any more. */
  twinLost(): Promise<void>
  /** Resolves when so many method requests have come. */
  requested(count: number): Promise<void>
}

export type TappedClientOptions = Readonly<{
  connectionString: string
  /** PEM of what the device trusts beside the system; `null` for nothing. */
  ca: string | null
  keepaliveSeconds?: number
  timeoutsMs?: Partial<StepTimeoutsMs>
  /** Dialled in place of the connection string's. */
  port?: number
  protocol?: Protocol
  proxy?: HttpProxy
}>

const patienceMs = 60_000

export function tapClient(options: TappedClientOptions): TappedClient {
  const secrets = createSecrets()
  const credential = parseConnectionString(options.connectionString, 'the test', secrets)
  const told: WireEvent[] = []
  const requests: MethodRequest[] = []
  const packets: PacketHeader[] = []
  const changes: unknown[] = []
  let isTwinLost = false
  const bell = new EventEmitter().setMaxListeners(0)
  let attempts = 0
  const tap = taps[options.protocol ?? 'mqtt'](
    {
      host: credential.host,
      port: options.port ?? credential.port ?? 8883,
      gateway: credential.gateway,
      trust: createTrust(options.ca, null),
      clock: systemClock(),
      secrets,
      timeoutsMs: { dns: 5_000, tcp: 5_000, tls: 5_000, accept: 5_000, ...options.timeoutsMs },
      keepaliveSeconds: options.keepaliveSeconds ?? 60,
      lookup: (_host, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
      proxy: options.proxy ?? null,
    },
    {
      event: event => {
        told.push(event)
        bell.emit('news')
      },
      packet: header => {
        packets.push(header)
      },
      method: request => {
        requests.push(request)
        bell.emit('news')
      },
      desired: patch => {
        changes.push(patch)
        bell.emit('news')
      },
      twinLost: () => {
        isTwinLost = true
        bell.emit('news')
      },
      nextAttempt: () => ++attempts,
    },
  )
  const client = credential.client(tap.Transport)
  client.setRetryPolicy(new common.NoRetry())
  client.on('error', () => undefined)

  /** @throws Error when it does not come in time, with what came instead */
  const until = async <T>(wanted: string, look: () => T | undefined): Promise<T> => {
    const giveUp = AbortSignal.timeout(patienceMs)
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await once(bell, 'news', { signal: giveUp }).catch((cause: unknown) => {
        throw new Error(`no ${wanted}; told: ${told.map(({ type }) => type).join(' ')}`, { cause })
      })
    }
  }
  return {
    client,
    tap,
    told,
    requests,
    packets,
    secrets,
    next: <T extends WireEvent['type']>(type: T) =>
      until(type, () => told.find((event): event is Extract<WireEvent, { type: T }> => event.type === type)),
    desired: count => until(`change ${count}`, () => (changes.length >= count ? changes : undefined)),
    twinLost: async () => {
      await until('loss of the twin', () => (isTwinLost ? true : undefined))
      isTwinLost = false
    },
    requested: async count => {
      await until(`request ${count}`, () => requests[count - 1])
    },
  }
}
