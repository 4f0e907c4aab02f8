/** What the attempts of this outage have answered already, so that no probe asks it again. Pure. */
import type { WireEvent } from '../../transports/wire-event.js'

export type Heard = Readonly<{
  /** The newest attempt's; `null` before it. */
  dialled: Readonly<{ host: string; port: number }> | null
  /** What the hub's name led to; `null` where no attempt has found that out. */
  addresses: readonly string[] | null
  /** The host's own library could not find the hub's name. */
  isNameLost: boolean
  /** Ports of the hub of which an attempt has learned whether they answer. */
  tcp: readonly number[]
  /** Those of which it has learned that they do. */
  open: readonly number[]
  /** Those of which it has learned what TLS is like. */
  tls: readonly number[]
  /** Whether the proxy answers is known. */
  proxy: boolean
}>

export const nothingHeard: Heard = {
  dialled: null,
  addresses: null,
  isNameLost: false,
  tcp: [],
  open: [],
  tls: [],
  proxy: false,
}

/** @param isProxied what is between us and a proxy says nothing of the hub */
export function hear(before: Heard, event: WireEvent, isProxied: boolean): Heard {
  if (event.type === 'connecting') {
    const { host, port } = event
    // Another hub, as a provisioning service may assign in an outage, is another question.
    const isSame = before.dialled === null || before.dialled.host === host
    return { ...(isSame ? before : nothingHeard), dialled: { host, port } }
  }
  const port = before.dialled?.port ?? 0
  switch (event.type) {
    case 'accepted':
      return nothingHeard
    case 'resolved':
      return isProxied ? before : { ...before, addresses: event.addresses, isNameLost: false }
    case 'tcpConnected':
      if (isProxied) return { ...before, proxy: true }
      return { ...before, tcp: withPort(before.tcp, port), open: withPort(before.open, port) }
    case 'tlsSecured':
      return { ...before, tls: withPort(before.tls, port) }
    case 'closed':
      if (event.stage === 'dns') {
        return isProxied ? { ...before, proxy: true } : { ...before, addresses: null, isNameLost: true }
      }
      if (event.stage === 'tcp') {
        return isProxied ? { ...before, proxy: true } : { ...before, tcp: withPort(before.tcp, port) }
      }
      return event.stage === 'tls' ? { ...before, tls: withPort(before.tls, port) } : before
    default:
      return before
  }
}

const withPort = (ports: readonly number[], port: number): readonly number[] =>
  ports.includes(port) ? ports : [...ports, port]
