/** Packets that are dropped, refused or too large on the way to the hub, while everything else gets through. */
import { addresses } from '../network.js'
import { type Fault, type Row, rowsOf } from '../row.js'

const toHub = `ip daddr ${addresses.hub}`
const fromHub = `ip saddr ${addresses.hub}`

/** A rule at the device's cable, for as long as it lasts. */
const filter = (name: string, direction: 'in' | 'out', rule: string, truth: readonly string[]): Fault => ({
  name,
  kind: 'lasts',
  truth,
  begin: ({ cable }) => cable.filter(direction, rule),
  heal: ({ cable }) => cable.clear(),
})

const dropped = filter('hub cut off', 'in', `${toHub} drop`, ['hub-unreachable', 'link-lost-keepalive'])
const oneWay = filter('hub not heard any more', 'out', `${fromHub} drop`, ['hub-unreachable', 'link-lost-keepalive'])
const blocked = (port: number): Fault =>
  filter(`port ${port} dropped`, 'in', `${toHub} tcp dport ${port} drop`, ['port-blocked'])
/** A firewall that says no and a hub that says no look alike, but for the other ports. */
const refused = (port: number): Fault => ({
  ...filter(`port ${port} refused by a firewall`, 'in', `${toHub} tcp dport ${port} reject with tcp reset`, [
    'port-blocked',
    'port-refused',
    'peer-reset',
  ]),
  waitsForPacket: true,
})
const prohibited = filter('hub forbidden by a router', 'in', `${toHub} reject with icmp type admin-prohibited`, [
  'hub-unreachable',
  'no-network',
  'port-blocked',
])
/** Small packets pass: SYN, ACK, ClientHello; the server's certificates do not. */
const tooLarge = filter('packets over 700 bytes lost', 'out', `${fromHub} meta length > 700 drop`, ['tls-timeout'])

export const packetRows: readonly Row[] = [
  ...rowsOf(dropped, { mqtt: 'both', 'mqtt-ws': 'later', amqp: 'both', 'amqp-ws': 'first' }),
  ...rowsOf(oneWay, { mqtt: 'later', 'amqp-ws': 'later' }),
  ...rowsOf(blocked(8883), { mqtt: 'both' }),
  ...rowsOf(blocked(5671), { amqp: 'both' }),
  ...rowsOf(refused(8883), { mqtt: 'both' }),
  ...rowsOf(refused(5671), { amqp: 'first' }),
  ...rowsOf(prohibited, { mqtt: 'first', 'amqp-ws': 'first' }),
  ...rowsOf(tooLarge, { mqtt: 'first', 'mqtt-ws': 'first', amqp: 'first' }),
]
