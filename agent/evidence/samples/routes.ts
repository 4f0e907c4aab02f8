/** Default routes: where packets for the hub leave the host, the preferred one first. */
import { join } from 'node:path'
import { address4, address6, hexadecimal } from './addresses.js'
import { fieldsOf, readText, toInteger } from './files.js'
import type { Reading } from './reading.js'

export type DefaultRoute = Readonly<{
  interface: string
  /** `null` for a point-to-point link, as mobile data often is. */
  gateway: string | null
  metric: number
}>

const routesMax = 8

/** Flags of the kernel: the route works; it only says that there is no way. */
const up = 0x0001
const reject = 0x0200

export const routes: Reading = {
  name: 'routes',
  async read({ procRoot }) {
    const [v4, v6] = await Promise.all([
      readText(join(procRoot, 'net/route')),
      readText(join(procRoot, 'net/ipv6_route')),
    ])
    if (v4 === null && v6 === null) return null
    return { v4: v4 === null ? null : parseRoutes4(v4), v6: v6 === null ? null : parseRoutes6(v6) }
  },
}

/** /proc/net/route. */
export function parseRoutes4(text: string): DefaultRoute[] {
  const found = text.split('\n').map(line => {
    const [name, destination, gateway, flags, , , metric, mask] = fieldsOf(line)
    if (destination !== '00000000' || mask !== '00000000' || !isUsable(flags)) return null
    return route(name, gatewayOf(address4(gateway)), toInteger(metric))
  })
  return preferredFirst(found)
}

/** /proc/net/ipv6_route; all numbers in it are hexadecimal. */
export function parseRoutes6(text: string): DefaultRoute[] {
  const found = text.split('\n').map(line => {
    const [destination, length, , , gateway, metric, , , flags, name] = fieldsOf(line)
    if (destination !== '0'.repeat(32) || length !== '00' || !isUsable(flags)) return null
    return route(name, gatewayOf(address6(gateway)), hexadecimal(metric))
  })
  return preferredFirst(found)
}

const gatewayOf = (address: string | null): string | null =>
  address === '0.0.0.0' || address === '::' ? null : address

const isUsable = (flags: string | undefined): boolean => {
  const value = hexadecimal(flags)
  return value !== null && (value & up) !== 0 && (value & reject) === 0
}

const route = (name: string | undefined, gateway: string | null, metric: number | null): DefaultRoute | null =>
  name === undefined || metric === null ? null : { interface: name.slice(0, 15), gateway, metric }

const preferredFirst = (found: readonly (DefaultRoute | null)[]): DefaultRoute[] =>
  found
    .filter(item => item !== null)
    .sort((a, b) => a.metric - b.metric)
    .slice(0, routesMax)
