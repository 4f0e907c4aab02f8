/** The proxy on the way, which WebSockets go through. */
import type { ProxyFault } from '../../../hub/http-proxy.js'
import { proxyUrl } from '../network.js'
import { type Fault, type Row, rowsOf } from '../row.js'

const answers = (name: string, fault: ProxyFault, truth: readonly string[]): Fault => ({
  name: `proxy ${name}`,
  kind: 'lasts',
  truth,
  hubrecOnly: true,
  connection: { proxy: proxyUrl },
  prepare: device => device.startProxy(),
  begin: device => {
    device.proxy().set(fault)
    device.door.cut('fin')
  },
  heal: device => device.proxy().heal(),
})

export const proxyRows: readonly Row[] = [
  ...rowsOf(answers('wants credentials', { kind: 'status', status: 407 }, ['proxy-required']), { 'mqtt-ws': 'both' }),
  ...rowsOf(answers('forbids the hub', { kind: 'status', status: 403 }, ['proxy-required']), { 'amqp-ws': 'first' }),
  ...rowsOf(answers('answers nothing', { kind: 'silent' }, ['proxy-required']), { 'mqtt-ws': 'first' }),
  ...rowsOf(answers('is a portal', { kind: 'portal' }, ['captive-portal', 'proxy-required']), { 'amqp-ws': 'first' }),
]
