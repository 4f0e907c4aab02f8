/** The name server: dead, wrong, or in somebody else's hands. */
import type { NameMode } from '../../../hub/name-server.js'
import { addresses, hubName, portalUrl } from '../network.js'
import { type Fault, type Row, rowsOf } from '../row.js'

const denied = (mode: Exclude<NameMode, 'answer'>): Fault => ({
  name: `names: ${mode}`,
  kind: 'lasts',
  truth: ['dns-failure'],
  begin: device => {
    device.names.set(mode)
    // Until it needs the name again, nothing is wrong.
    device.door.cut('fin')
  },
  heal: ({ names }) => names.set('answer'),
})

/** An address that the hub once had: a record that is pinned, or a cache that lives too long. */
const stale: Fault = {
  name: 'names: an old address',
  kind: 'lasts',
  truth: ['ip-pinned-or-stale-dns', 'hub-unreachable'],
  begin: async ({ names, cable, door }) => {
    await cable.filter('in', `ip daddr ${addresses.stale} drop`)
    names.point(addresses.stale)
    door.cut('fin')
  },
  heal: async ({ names, cable }) => {
    await cable.clear()
    names.point(addresses.hub)
  },
}

/** Every name leads to the portal, which speaks for itself on every port. */
const portal: Fault = {
  name: 'captive portal that owns the names',
  kind: 'lasts',
  truth: ['captive-portal'],
  prepare: device => device.startPortal(),
  begin: ({ names, door }) => {
    names.point(addresses.portal)
    names.point(addresses.portal, new URL(portalUrl).hostname)
    door.cut('fin')
  },
  heal: ({ names }) => {
    names.point(addresses.hub)
    names.point(addresses.control, new URL(portalUrl).hostname)
  },
}

/** Names are true, plain HTTP is answered by the portal, and nothing else gets out. */
const silentPortal: Fault = {
  name: 'captive portal that swallows the rest',
  kind: 'lasts',
  truth: ['captive-portal'],
  prepare: device => device.startPortal(),
  begin: async ({ names, cable, door }) => {
    names.point(addresses.portal, new URL(portalUrl).hostname)
    await cable.filter('in', `ip daddr { ${addresses.hub}, ${addresses.control} } drop`)
    door.cut('fin')
  },
  heal: async ({ names, cable }) => {
    await cable.clear()
    names.point(addresses.control, new URL(portalUrl).hostname)
  },
}

/** The hub that the device was told does not exist any more. */
const renamed: Fault = {
  name: 'names: this hub alone does not exist',
  kind: 'lasts',
  truth: ['wrong-hub-hostname', 'dns-failure'],
  begin: ({ names, door }) => {
    names.set('nxdomain', hubName)
    door.cut('fin')
  },
  heal: ({ names }) => names.set('answer', hubName),
}

export const nameRows: readonly Row[] = [
  ...rowsOf(denied('nxdomain'), { mqtt: 'both', amqp: 'later' }),
  ...rowsOf(denied('servfail'), { 'mqtt-ws': 'first', 'amqp-ws': 'later' }),
  ...rowsOf(denied('silence'), { mqtt: 'both', 'amqp-ws': 'first' }),
  ...rowsOf(stale, { mqtt: 'later', amqp: 'later' }),
  ...rowsOf(portal, { mqtt: 'both', 'mqtt-ws': 'first' }),
  ...rowsOf(silentPortal, { mqtt: 'first', amqp: 'first' }),
  ...rowsOf(renamed, { mqtt: 'first', 'mqtt-ws': 'later' }),
]
