/** What a connection may leave behind: whatever keeps the process alive, and whatever the garbage collector cannot take. */
import { EventEmitter, getEventListeners, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defaultLimits } from '../../transports/backoff.js'
import { systemClock } from '../../transports/clock.js'
import { parseConnectionString } from '../../transports/credentials.js'
import { fixedCredential } from '../../transports/identity.js'
import { createSecrets } from '../../transports/secrets.js'
import { supervise } from '../../transports/supervisor.js'
import { createTrust } from '../../transports/trust.js'
import type { Protocol } from '../../transports/wire-event.js'
import { taps } from './taps.js'

// The garbage collector is asked only here, so no flag of the command line is needed for it.
setFlagsFromString('--expose-gc')
export const collectGarbage: () => void = runInNewContext('gc')

export type Counts = Readonly<Record<string, number>>

/** What keeps this process alive, by kind. */
export function resources(): Counts {
  const kinds: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1
  return kinds
}

/** What there is more of than before; less is well, because an earlier test may have left something that ends now. */
export const grown = (before: Counts, now: Counts): Counts =>
  Object.fromEntries(Object.entries(now).filter(([kind, count]) => count > (before[kind] ?? 0)))

/** Ends come over several turns of the event loop and over the wire: looks again until all is as it should be, or 10 s. */
export async function settled<T>(look: () => T, expected: T): Promise<T> {
  const giveUpMs = performance.now() + 10_000
  for (;;) {
    const found = look()
    if (isDeepStrictEqual(found, expected) || performance.now() > giveUpMs) return found
    await sleep(20)
  }
}

export interface Churn {
  /** SDK clients so far. */
  readonly incarnations: number
  /** Sockets, timers, listeners and clients that are there now. */
  leftOver(): Counts
  /** Does what ends the session; resolves when another one is up, which has gone through all faults that were set. */
  through(end: () => unknown): Promise<void>
  stop(): Promise<void>
}

/** A supervised connection that never waits between attempts, and whose clients are counted. It is up when this resolves. */
export async function startChurn(connectionString: string, ca: string, protocol: Protocol): Promise<Churn> {
  const secrets = createSecrets()
  const identity = parseConnectionString(connectionString, 'the test', secrets)
  const clock = systemClock()
  const trust = createTrust(ca, null)
  const clients: WeakRef<object>[] = []
  const stop = new AbortController()
  const bell = new EventEmitter()
  const running = supervise(
    {
      credential: fixedCredential({
        ...identity,
        client: Transport => {
          const client = identity.client(Transport)
          clients.push(new WeakRef(client))
          return client
        },
      }),
      clock,
      protocol,
      tap: taps[protocol],
      wiring: ({ host, port }) => ({
        host,
        port: port ?? 8883,
        gateway: false,
        trust,
        clock,
        secrets,
        timeoutsMs: { dns: 5_000, tcp: 5_000, tls: 5_000, accept: 100 },
        keepaliveSeconds: 60,
      }),
      limits: defaultLimits,
      sasLifetimeSeconds: 3_600,
      lastIncarnation: 0,
      methodsProofMs: 50,
      wait: async () => undefined,
      onMethod: async () => ({ status: 200 }),
      onEvent: event => {
        if (event.type === 'subscribed' && event.ok) bell.emit('up')
      },
    },
    stop.signal,
  )
  await once(bell, 'up')
  return {
    get incarnations() {
      return clients.length
    },
    leftOver: () => {
      collectGarbage()
      const alive = clients.filter(client => client.deref() !== undefined).length
      return { alive, abortListeners: getEventListeners(stop.signal, 'abort').length, ...resources() }
    },
    through: async end => {
      const up = once(bell, 'up')
      await end()
      await up
    },
    stop: async () => {
      stop.abort()
      await running
    },
  }
}
