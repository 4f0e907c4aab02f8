/** The configuration after it was checked: nobody checks it again. */
import type { Protocol } from '../../transports/wire-event.js'
import type { HostCommandName } from '../bundle/collectors/host-commands.js'

export type X509Files = Readonly<{ certFile: string; keyFile: string; passphraseFile: string | null }>

/** What a bundle gathers from outside hubrec. */
export type CollectorSettings = Readonly<{
  /** Units of systemd. */
  journal: readonly string[]
  /** Patterns of absolute paths, each below one of `fileRoots`. */
  files: readonly string[]
  fileRoots: readonly string[]
  edgeModules: readonly string[]
  commands: readonly HostCommandName[]
  /** Each of what is gathered. */
  timeLimitSeconds: number
  bytesMax: number
}>

export type Config = Readonly<{
  connection: Readonly<{
    /** Where the secret lies; the secret itself is never part of a Config. `null`: from the environment. */
    connectionStringFile: string | null
    /** The files of a client certificate; the connection string then says `x509=true`. */
    x509: X509Files | null
    /** A SAS token that somebody else renews. */
    sasTokenFile: string | null
    /** The Device Provisioning Service, which assigns the hub. */
    dps: Readonly<{
      /** With a port if one is needed. */
      endpoint: string
      idScope: string
      registrationId: string
      symmetricKeyFile: string | null
      x509: X509Files | null
    }> | null
    protocol: Protocol | 'auto'
    /** `http://HOST:PORT`, perhaps with credentials: it is not shown as it is. `null`: what the environment says. */
    proxy: string | null
    /** One line, `user:password`; wins over what the URL holds. */
    proxyCredentialsFile: string | null
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
  /** What is asked once in an outage, beside the attempts: never with a credential. */
  probes: Readonly<{
    enabled: boolean
    /** `HOST:PORT` of another host; `null`: none is asked. */
    controlHost: string | null
    /** A name that every resolver finds; `null`: none is asked for. */
    controlName: string | null
    /** Plain HTTP, and what its answer holds; `null`: none is asked, or whatever it says will do. */
    portalUrl: string | null
    portalText: string | null
    /** `ADDRESS` or `ADDRESS:PORT`; `null`: those of the host. */
    resolvers: readonly string[] | null
  }>
  /** The device twin. `report`: whether the device's state stands in it; `desired`: whether it may change settings. */
  twin: Readonly<{ report: boolean; desired: boolean }>
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Hubs whose sockets of other applications are watched from outside. */
  watch: readonly string[]
  /** Of a bundle's file. */
  bundle: Readonly<{ bytesMax: number }>
  collectors: CollectorSettings
  /** To the cloud, among the application's own. */
  messages: Readonly<{
    /** One for each incident that is over. */
    incidents: boolean
    /** `null`: none. */
    heartbeatMinutes: number | null
    /** Of one day of UTC, each try counted. */
    dailyMax: number
  }>
  upload: Readonly<{
    allowedContainers: readonly string[]
    privateHosts: readonly string[]
    /** What files that wait to be uploaded may take on disk. */
    quotaBytes: number
    /** After outages that last longer a bundle is uploaded unasked; `null`: never. */
    afterOutageMinutes: number | null
  }>
}>
