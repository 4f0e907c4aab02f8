/** From the configuration to what the transports and the probes take: milliseconds, ports, whom to trust. */
import type { BackoffLimits } from '../transports/backoff.js'
import type { Identity } from '../transports/credentials.js'
import type { FindProxy } from '../transports/proxy.js'
import type { StepTimeoutsMs, Wiring } from '../transports/transport.js'
import { type Trust, trustOf } from '../transports/trust.js'
import type { Protocol } from '../transports/wire-event.js'
import type { Config } from './config/config.js'
import type { Target } from './probes/probe.js'
import { portOf } from './protocols.js'

/** A dead link is found out by a ping that half a keepalive has not answered. */
export const detectionLimitMs = ({ connection }: Config): number => connection.keepaliveSeconds * 1_500

export function wiringOf(
  { connection }: Config,
  { host, port: given, gateway, kind, expiresAt }: Identity,
  protocol: Protocol,
  { findProxy, ...known }: Pick<Wiring, 'trust' | 'clock' | 'secrets'> & Readonly<{ findProxy: FindProxy }>,
): Wiring {
  const port = portOf(protocol, given, connection.ports)
  return {
    ...known,
    host,
    port,
    gateway,
    credential: { kind, expiresAt },
    timeoutsMs: timeoutsOf(connection),
    keepaliveSeconds: connection.keepaliveSeconds,
    proxy: findProxy(host, port),
  }
}

/** As a stranger asks: what the hub knows us by stays out of it. */
export function targetOf(
  { connection: { ports } }: Config,
  { host, port: given, trustBundle }: Identity,
  spoken: Protocol,
  { trust, proxy }: Readonly<{ trust: Trust; proxy: Target['proxy'] }>,
): Target {
  const port = portOf(spoken, given, ports)
  // What a proxy is there for is not asked past it.
  const httpsPort = proxy === null ? ports.https : port
  const all = [port, portOf('mqtt', given, ports), portOf('amqp', given, ports), httpsPort]
  return {
    host,
    port,
    httpsPort,
    ports: [...new Set(all)],
    proxy: isOverWebSocket(spoken) ? proxy : null,
    hasProxy: proxy !== null,
    trust: trustOf(trust, { clientCertificate: null, trustBundle }),
  }
}

export const isOverWebSocket = (protocol: Protocol): boolean => protocol.endsWith('-ws')

export function timeoutsOf({ timeoutSeconds: { dns, tcp, tls, accept } }: Config['connection']): StepTimeoutsMs {
  return { dns: dns * 1e3, tcp: tcp * 1e3, tls: tls * 1e3, accept: accept * 1e3 }
}

export function limitsOf({ connection }: Config): BackoffLimits {
  const { capSeconds, refusedCapSeconds, takeOverFloorSeconds, takeOverCapSeconds } = connection.retry
  return {
    capMs: capSeconds * 1e3,
    refusedCapMs: refusedCapSeconds * 1e3,
    takeOverFloorMs: takeOverFloorSeconds * 1e3,
    takeOverCapMs: takeOverCapSeconds * 1e3,
  }
}
