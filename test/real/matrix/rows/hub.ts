/** What the hub itself does to a connection, in the words of each protocol. */
import type { Fault as HubFault } from '../../../hub/faults.js'
import { type Fault, type Row, rowsOf } from '../row.js'

/** New connections meet it; the one that is open ends by FIN. */
const met = (name: string, fault: HubFault, truth: readonly string[]): Fault => ({
  name,
  kind: 'lasts',
  truth,
  begin: async ({ door }) => {
    await door.set(fault)
    door.cut('fin')
  },
  heal: ({ door }) => door.heal(),
})

/** It ends the session, once. */
const strikes = (name: string, fault: HubFault, truth: readonly string[]): Fault => ({
  name,
  kind: 'passes',
  truth,
  begin: ({ door }) => door.set(fault),
})

const cut = (how: 'fin' | 'rst', truth: readonly string[]): Fault => ({
  name: how === 'fin' ? 'FIN in a session' : 'RST in a session',
  kind: 'passes',
  truth,
  begin: ({ door }) => door.cut(how),
})

/** A FIN says that somebody ended it, and nothing else. */
const anybody = ['unknown-close', 'hub-upgrade-or-failover', 'hub-transient-5xx', 'graceful-close']
const silentHub = ['connack-timeout']

const upgrade = (status: number, truth: readonly string[]): Fault =>
  met(`upgrade answered ${status}`, { kind: 'upgrade', status }, truth)
const closes = (condition: string, truth: readonly string[]): Fault =>
  strikes(`closed with ${condition}`, { kind: 'amqpClose', condition, times: 1 }, truth)

export const hubRows: readonly Row[] = [
  ...rowsOf(cut('fin', anybody), { mqtt: 'later', amqp: 'later' }),
  ...rowsOf(cut('rst', ['peer-reset']), { mqtt: 'later', 'mqtt-ws': 'later', amqp: 'later', 'amqp-ws': 'later' }),
  ...rowsOf(met('nobody listens', { kind: 'refuse' }, ['port-refused', 'hub-unreachable']), {
    mqtt: 'both',
    'amqp-ws': 'later',
  }),
  ...rowsOf(met('CONNECT not answered', { kind: 'noConnack' }, silentHub), { mqtt: 'first', 'mqtt-ws': 'later' }),
  ...rowsOf(met('CONNACK 1', { kind: 'connack', code: 1 }, ['protocol-version']), { mqtt: 'first' }),
  ...rowsOf(met('CONNACK 2', { kind: 'connack', code: 2 }, ['client-id-rejected']), { mqtt: 'first' }),
  ...rowsOf(met('CONNACK 3', { kind: 'connack', code: 3 }, ['hub-transient-5xx', 'throttled']), {
    mqtt: 'both',
    'mqtt-ws': 'first',
  }),
  ...rowsOf({ ...met('SUBSCRIBE refused', { kind: 'subackRefused' }, ['methods-dead']), ends: 1 }, { mqtt: 'first' }),
  ...rowsOf(upgrade(302, ['captive-portal']), { 'mqtt-ws': 'first' }),
  ...rowsOf(upgrade(403, ['ip-filter', 'public-access-disabled', 'proxy-required']), { 'amqp-ws': 'first' }),
  ...rowsOf(upgrade(404, ['wrong-hub-hostname']), { 'mqtt-ws': 'first' }),
  ...rowsOf(upgrade(503, ['hub-transient-5xx']), { 'mqtt-ws': 'later', 'amqp-ws': 'first' }),
  ...rowsOf(met('OPEN not answered', { kind: 'noOpen' }, silentHub), { amqp: 'first' }),
  ...rowsOf(met('put-token not answered', { kind: 'cbsSilent' }, ['cbs-timeout']), {
    amqp: 'first',
    'amqp-ws': 'later',
  }),
  ...rowsOf(met('put-token 429', { kind: 'cbs', status: 429 }, ['throttled']), { amqp: 'both' }),
  ...rowsOf(met('put-token 503', { kind: 'cbs', status: 503 }, ['hub-transient-5xx']), { 'amqp-ws': 'first' }),
  ...rowsOf(closes('amqp:connection:forced', ['hub-upgrade-or-failover']), { amqp: 'later', 'amqp-ws': 'later' }),
  ...rowsOf(closes('amqp:resource-limit-exceeded', ['quota-exceeded', 'throttled']), { amqp: 'later' }),
  ...rowsOf(closes('com.microsoft:device-container-throttled', ['throttled']), { amqp: 'later' }),
  ...rowsOf(closes('com.microsoft:timeout', ['hub-transient-5xx', 'gateway-timeout']), { 'amqp-ws': 'later' }),
  ...rowsOf(strikes('methods links detached', { kind: 'amqpDetach', link: 'methods', times: 1 }, ['methods-dead']), {
    amqp: 'later',
    'amqp-ws': 'later',
  }),
]
