/** What was around a connection: what befell the host, what it is like now, and what differs from the last good session. */

/** By the wall clock of the reading that showed it; a reading is as old as the interval between two at most. */
type Seen = Readonly<{ seenMs: number }>

export type HostChange = Seen &
  (
    | Readonly<{ what: 'carrierLost' | 'carrierBack'; interface: string }>
    /** The interface that default routes leave by, or the gateway, is another one; `null`: there is none. */
    | Readonly<{ what: 'routeChanged'; from: string | null; to: string | null }>
    | Readonly<{ what: 'addressesChanged'; interface: string; from: readonly string[]; to: readonly string[] }>
    | Readonly<{ what: 'resolversChanged'; from: readonly string[]; to: readonly string[] }>
    | Readonly<{ what: 'roamed'; interface: string; fromBssid: string; toBssid: string }>
    | Readonly<{ what: 'signalWeak'; interface: string; signalDbm: number }>
    | Readonly<{ what: 'resumed'; suspendedMs: number }>
    | Readonly<{ what: 'clockStepped'; byMs: number }>
    /** The longest time for which the loop did not turn between two readings. */
    | Readonly<{ what: 'loopStalled'; stalledMs: number }>
    /** Share of the last 10 s in which some task waited, in percent. */
    | Readonly<{ what: 'pressure'; of: 'memory' | 'cpu' | 'io'; percent: number }>
    | Readonly<{ what: 'undervoltage' | 'throttled' }>
    | Readonly<{ what: 'diskFull' | 'diskReadOnly'; path: string }>
  )

export type Link = Readonly<{
  name: string
  /** `null` where the driver does not say. */
  carrier: boolean | null
  addresses: readonly string[]
  signalDbm: number | null
  bssid: string | null
}>

/** The host by its newest reading. `null` where it does not say. */
export type HostState = Seen &
  Readonly<{
    /** How far readings lie apart by now: what a reading shows may be as old as that. `null` before the second. */
    everyMs: number | null
    /** Without the loopback. */
    links: readonly Link[]
    /** Of either family, the preferred first: `interface`, or `interface via gateway`. `null`: not to be had. */
    defaultRoutes: readonly string[] | null
    resolvers: readonly string[] | null
    /** Of the hub's socket, by the kernel. */
    tcp: Readonly<{ rttMs: number; retransmitted: number }> | null
  }>

/** What the last session of at least a minute left behind differs from now; texts for a reader. */
export type Difference = Readonly<{
  what:
    | 'hub addresses'
    | 'own addresses'
    | 'resolvers'
    | 'default route'
    | 'access point'
    | 'certificate issuer'
    | 'round trip'
    | 'clock'
    | 'versions'
  before: string
  now: string
}>

export type Surroundings = Readonly<{
  /** Of the last hour, oldest first, at most 64. */
  changes: readonly HostChange[]
  /** `null` before the first reading. */
  state: HostState | null
  /** `null` where no session lasted a minute, as far as is remembered. */
  lastGood: Readonly<{ endedMs: number; differs: readonly Difference[] }> | null
}>

export const nothingSeen: Surroundings = { changes: [], state: null, lastGood: null }
