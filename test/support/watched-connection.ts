/** A supervised connection to the local hub, in this process, with everything it told kept for comparison. */
import { EventEmitter, once } from 'node:events'
import type { BackoffLimits } from '../../transports/backoff.js'
import { defaultLimits } from '../../transports/backoff.js'
import { systemClock } from '../../transports/clock.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { tapMqtt } from '../../transports/mqtt.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import type { Lookup } from '../../transports/socket-tap.js'
import { supervise } from '../../transports/supervisor.js'
import type { MethodAnswer, MethodRequest, StepTimeoutsMs } from '../../transports/transport.js'
import { createTrust } from '../../transports/trust.js'
import type { WireEvent } from '../../transports/wire-event.js'

export type Told = Readonly<{ event: WireEvent; incarnation: number }>

export interface WatchedConnection {
  readonly told: readonly Told[]
  readonly secrets: Secrets
  /** The first event of this type from `from` on (an index into `told`), past or to come. */
  next<T extends WireEvent['type']>(
    type: T,
    options?: { from?: number; where?: (event: Extract<WireEvent, { type: T }>) => boolean },
  ): Promise<Extract<WireEvent, { type: T }>>
  stop(): Promise<void>
}

export type WatchOptions = Readonly<{
  connectionString: string
  /** PEM of what the device trusts beside the system; `null` for a device that lacks the hub's root. */
  ca: string | null
  /** PEM of the roots the hub is known to chain to. */
  knownRoots?: string
  keepaliveSeconds?: number
  timeoutsMs?: Partial<StepTimeoutsMs>
  limits?: Partial<BackoffLimits>
  sasLifetimeSeconds?: number
  methodsProofMs?: number
  lookup?: Lookup
  /** Waits between attempts. Default: timers, with 5 % of what the policy would allow. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
  onEvent?: (event: WireEvent, incarnation: number) => void
  onMethod?: (request: MethodRequest) => Promise<MethodAnswer>
}>

const patienceMs = 20_000

export function watchConnection(options: WatchOptions): WatchedConnection {
  const secrets = createSecrets()
  const credential = parseConnectionString(options.connectionString, 'the test', secrets)
  const told: Told[] = []
  const bell = new EventEmitter({ captureRejections: false }).setMaxListeners(0)
  const stopped = new AbortController()

  const running = supervise(
    {
      credential,
      protocol: 'mqtt',
      tap: tapMqtt,
      wiring: {
        host: credential.host,
        port: credential.port ?? 8883,
        gateway: credential.gateway,
        trust: createTrust(options.ca, options.knownRoots ?? null),
        clock: systemClock(),
        secrets,
        timeoutsMs: { dns: 10_000, tcp: 10_000, tls: 10_000, accept: 10_000, ...options.timeoutsMs },
        keepaliveSeconds: options.keepaliveSeconds ?? 60,
        ...(options.lookup ? { lookup: options.lookup } : {}),
      },
      limits: { ...defaultLimits, ...options.limits },
      sasLifetimeSeconds: options.sasLifetimeSeconds ?? 3_600,
      ...(options.methodsProofMs ? { methodsProofMs: options.methodsProofMs } : {}),
      lastIncarnation: 0,
      onEvent: (event, incarnation) => {
        told.push({ event, incarnation })
        options.onEvent?.(event, incarnation)
        bell.emit('told')
      },
      onMethod: options.onMethod ?? (async ({ name }) => ({ status: 200, payload: { name } })),
      random: () => 0.05,
      ...(options.wait ? { wait: options.wait } : {}),
    },
    stopped.signal,
  )

  return {
    told,
    secrets,
    async next(type, { from = 0, where = () => true } = {}) {
      type Wanted = Extract<WireEvent, { type: typeof type }>
      const giveUp = AbortSignal.timeout(patienceMs)
      for (let index = from; ; index++) {
        while (index >= told.length) {
          await once(bell, 'told', { signal: giveUp }).catch((cause: unknown) => {
            const seen = told
              .slice(from)
              .slice(-30)
              .map(({ event }) => event.type)
            throw new Error(`no ${type} within ${patienceMs} ms; told: ${seen.join(' ')}`, { cause })
          })
        }
        const event = told[index]?.event
        if (event?.type === type && where(event as Wanted)) return event as Wanted
      }
    },
    async stop() {
      stopped.abort()
      await running
    },
  }
}
