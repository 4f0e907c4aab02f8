/** A supervised connection to the local hub, in this process, with everything it told kept for comparison. */
import { EventEmitter, once } from 'node:events'
import type { BackoffLimits } from '../../transports/backoff.js'
import { defaultLimits } from '../../transports/backoff.js'
import { systemClock } from '../../transports/clock.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { type Credential, fixedCredential, type Identity } from '../../transports/identity.js'
import type { HttpProxy } from '../../transports/proxy.js'
import { createSecrets, type Secrets } from '../../transports/secrets.js'
import type { Lookup } from '../../transports/socket-tap.js'
import { supervise } from '../../transports/supervisor.js'
import type { Chooser, MethodAnswer, MethodRequest, StepTimeoutsMs, Wiring } from '../../transports/transport.js'
import { createTrust, trustOf } from '../../transports/trust.js'
import type { Protocol, WireEvent } from '../../transports/wire-event.js'
import { taps } from './taps.js'

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
  /** In place of the connection string's. */
  credential?: Credential
  renewalLookMs?: number
  /** PEM of what the device trusts beside the system; `null` for a device that lacks the hub's root. */
  ca: string | null
  /** PEM of the roots the hub is known to chain to. */
  knownRoots?: string
  protocol?: Protocol
  proxy?: HttpProxy
  keepaliveSeconds?: number
  timeoutsMs?: Partial<StepTimeoutsMs>
  limits?: Partial<BackoffLimits>
  sasLifetimeSeconds?: number
  methodsProofMs?: number
  lookup?: Lookup
  /** Waits between attempts. Default: timers, with 5 % of what the policy would allow. */
  wait?: (delayMs: number, signal: AbortSignal) => Promise<void>
  chooser?: Chooser
  /** Of a protocol that does not go through the device's door. */
  ports?: Partial<Record<Protocol, number>>
  onEvent?: (event: WireEvent, incarnation: number) => void
  onMethod?: (request: MethodRequest) => Promise<MethodAnswer>
}>

const patienceMs = 60_000

export function watchConnection(options: WatchOptions): WatchedConnection {
  const { protocol = 'mqtt' } = options
  const secrets = createSecrets()
  const credential =
    options.credential ?? fixedCredential(parseConnectionString(options.connectionString, 'the test', secrets))
  const trust = createTrust(options.ca, options.knownRoots ?? null)
  const clock = systemClock()
  const told: Told[] = []
  const bell = new EventEmitter({ captureRejections: false }).setMaxListeners(0)
  const stopped = new AbortController()

  const wiring = (identity: Identity, spoken: Protocol): Wiring => ({
    host: identity.host,
    port: options.ports?.[spoken] ?? identity.port ?? 8883,
    gateway: identity.gateway,
    credential: { kind: identity.kind, expiresAt: identity.expiresAt },
    trust: trustOf(trust, identity),
    clock,
    secrets,
    timeoutsMs: { dns: 10_000, tcp: 10_000, tls: 10_000, accept: 10_000, ...options.timeoutsMs },
    keepaliveSeconds: options.keepaliveSeconds ?? 60,
    ...(options.lookup ? { lookup: options.lookup } : {}),
    proxy: options.proxy ?? null,
  })
  const running = supervise(
    {
      credential,
      protocol,
      tap: taps[protocol],
      clock,
      wiring,
      ...(options.chooser ? { chooser: options.chooser } : {}),
      limits: { ...defaultLimits, ...options.limits },
      sasLifetimeSeconds: options.sasLifetimeSeconds ?? 3_600,
      ...(options.renewalLookMs ? { renewalLookMs: options.renewalLookMs } : {}),
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
