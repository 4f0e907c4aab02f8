/** What an active probe found: plain data, recorded, and the same for verdicts and for `doctor`. */
import type { Failure, ServerCertificate } from '../../transports/wire-event.js'

/** `error` is `null` exactly where the question was answered well. */
type Common = Readonly<{
  /** By the wall clock, when it was asked. */
  askedMs: number
  tookMs: number
  error: Failure | null
}>

export type ProbeAnswer = Common &
  /** One resolver was asked for a name. `isHub`: for that of the hub, or of the gateway; else for the control name. */
  (
    | Readonly<{
        probe: 'resolve'
        /** Its address; `system` for whatever the host's own library does. */
        resolver: string
        name: string
        isHub: boolean
        addresses: readonly string[]
      }>
    /** TCP to a port of the hub. `isLastGood`: at an address that worked before, not one that was resolved now. */
    | Readonly<{ probe: 'connect'; host: string; address: string | null; port: number; isLastGood: boolean }>
    /** TLS with the hub's name in SNI, as a client without a credential; nothing is said after the handshake. */
    | Readonly<{
        probe: 'tls'
        host: string
        address: string | null
        port: number
        isLastGood: boolean
        version: string | null
        certificate: ServerCertificate | null
      }>
    /** TCP to another host, of the operator's choice. */
    | Readonly<{ probe: 'control'; host: string; port: number }>
    /** TCP to the proxy through which the hub is reached. */
    | Readonly<{ probe: 'proxy'; host: string; port: number }>
    /** Whether the default gateway is there on the link. */
    | Readonly<{ probe: 'gateway'; address: string; interface: string }>
    /** What answers plain HTTP: a portal redirects, or answers in place of the host asked; that is an answer too, without `error`. */
    | Readonly<{ probe: 'portal'; url: string; status: number | null; location: string | null; isPortal: boolean }>
    /** How far our clock is ahead of a server's Date; only for suspicion. */
    | Readonly<{ probe: 'httpDate'; host: string; aheadMs: number | null }>
  )
