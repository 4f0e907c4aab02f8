/** The cable and the road: what the device's own kernel can see, and what it cannot. */
import { type Fault, type Row, rowsOf } from '../row.js'

const pulled: Fault = {
  name: 'cable pulled',
  kind: 'lasts',
  truth: ['no-network'],
  begin: ({ cable }) => cable.plug(false),
  heal: ({ cable }) => cable.plug(true),
}

const routeGone: Fault = {
  name: 'default route gone',
  kind: 'lasts',
  truth: ['no-network'],
  begin: ({ cable }) => cable.route(false),
  heal: ({ cable }) => cable.route(true),
}

/** The cable is in, and the router at its other end takes nothing and answers nothing: it could as well be any hop behind it. */
const routerDead: Fault = {
  name: 'router dead',
  kind: 'lasts',
  truth: ['no-network', 'hub-unreachable', 'link-lost-keepalive'],
  begin: async ({ cable }) => {
    await cable.filter('in', 'drop')
    await cable.filter('out', 'drop')
  },
  heal: ({ cable }) => cable.clear(),
}

export const linkRows: readonly Row[] = [
  ...rowsOf(pulled, { mqtt: 'both', 'mqtt-ws': 'later', amqp: 'later', 'amqp-ws': 'first' }),
  ...rowsOf(routeGone, { mqtt: 'both', amqp: 'first', 'amqp-ws': 'later' }),
  ...rowsOf(routerDead, { mqtt: 'both', 'mqtt-ws': 'first', amqp: 'later' }),
]
