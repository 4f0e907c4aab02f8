/** A device of the matrix: a cable, a door to the hub, a name server that only it asks, and what a fault may do to them. */
import type { ChildProcess } from 'node:child_process'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createTlsServer } from 'node:tls'
import { makeSelfSigned } from '../../hub/client-certificates.js'
import { type LocalProxy, startProxy } from '../../hub/http-proxy.js'
import type { Door, Hub } from '../../hub/hub.js'
import { type NameServer, startNameServer } from '../../hub/name-server.js'
import { addresses, type Cable, hubName, hubPorts, layCable, listeningPort, portalUrl, proxyUrl } from './network.js'

export interface Device extends AsyncDisposable {
  readonly hub: Hub
  readonly deviceId: string
  readonly door: Door
  readonly cable: Cable
  readonly names: NameServer
  /** hubrec or the stock application, as it runs there. */
  process: ChildProcess | null
  /** Ends it by this signal, and starts another one. */
  restart: (signal: NodeJS.Signals) => Promise<void>
  /** For its process: in how many days from now it lives. */
  clockOffDays: number
  /** In place of the hub's own. */
  connectionString: string | null
  /** Where plain HTTP is answered by a login page and TLS by nobody's certificate. */
  startPortal(): Promise<void>
  /** In front of the hub, at `proxyUrl`. */
  startProxy(): Promise<void>
  /** @throws Error before it was started */
  proxy(): LocalProxy
}

export async function makeDevice(hub: Hub, deviceId: string): Promise<Device> {
  let proxy: LocalProxy | null = null
  const closers: (() => Promise<unknown> | unknown)[] = []
  const door = await hub.addDevice(deviceId)
  const cable = await layCable()
  const names = await startNameServer()
  closers.push(
    () => names.close(),
    () => cable.remove(),
  )
  names.point(addresses.hub)
  await cable.lead(addresses.names, 'udp', [53], names.port)
  await cable.lead(addresses.hub, 'tcp', hubPorts, door.port)
  names.point(addresses.control, new URL(portalUrl).hostname)
  return {
    hub,
    deviceId,
    door,
    cable,
    names,
    process: null,
    restart: () => Promise.reject(new Error('nothing runs there')),
    clockOffDays: 0,
    connectionString: null,
    async startPortal() {
      const login = createHttpServer((_request, response) => {
        response.writeHead(302, { location: 'http://login.cafe.example/welcome' }).end()
      })
      const { cert, key } = await makeSelfSigned('login.cafe.example')
      const strange = createTlsServer({ cert, key }, socket => socket.end())
      strange.on('tlsClientError', () => undefined)
      closers.unshift(
        () => login.close(),
        () => strange.close(),
      )
      await cable.lead(addresses.portal, 'tcp', [80], await listeningPort(login))
      await cable.lead(addresses.portal, 'tcp', hubPorts, await listeningPort(strange))
    },
    async startProxy() {
      if (proxy) return
      proxy = await startProxy({ ca: hub.ca })
      closers.unshift(() => proxy?.close())
      proxy.route(`${hubName}:443`, door.port)
      await cable.lead(addresses.proxy, 'tcp', [Number(new URL(proxyUrl).port)], proxy.port)
    },
    proxy() {
      if (!proxy) throw new Error('there is no proxy yet')
      return proxy
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers) await close()
    },
  }
}
