/** The configuration after it was checked: nobody checks it again. */
import type { Protocol } from '../../transports/wire-event.js'

export type Config = Readonly<{
  connection: Readonly<{
    /** Where the secret lies; the secret itself is never part of a Config. `null`: from the environment. */
    connectionStringFile: string | null
    protocol: Protocol
    /** PEM; adds to the system's roots, for every connection. */
    caFile: string | null
    /** PEM: the roots IoT Hub is known to chain to, in place of those shipped. Only for judging a chain that failed. */
    knownRootsFile: string | null
    keepaliveSeconds: number
    ports: Readonly<{ mqtt: number; amqp: number; https: number }>
    timeoutSeconds: Readonly<{ dns: number; tcp: number; tls: number; accept: number }>
    sasLifetimeSeconds: number
    retry: Readonly<{
      capSeconds: number
      refusedCapSeconds: number
      takeOverFloorSeconds: number
      takeOverCapSeconds: number
    }>
  }>
  stateDir: string
  controlSocket: string
  ingestSocket: string
  ring: Readonly<{ budgetBytes: number }>
  samples: Readonly<{ intervalSeconds: number }>
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  upload: Readonly<{ allowedContainers: readonly string[]; privateHosts: readonly string[] }>
}>
