/**
 * The kernel's tables of sockets, routes and neighbours as lines that people read, with addresses as text: in hexadecimal a
 * redactor would not know them.
 */
import { address4, address6, hexadecimal, socketAddress6 } from '../evidence/samples/addresses.js'
import { fieldsOf } from '../evidence/samples/files.js'

/** As the kernel numbers them, from 1. UDP uses two of them. */
const states = [
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
]

/** @param kind `tcp`, `tcp6`, `udp`, `udp6`: the name of the table. Lines that cannot be read are passed over. */
export function parseSockets(kind: string, table: string): string[] {
  return table.split('\n').flatMap(line => {
    const [, local, peer, state, queues, , retransmits, uid, , inode] = fieldsOf(line)
    const from = endpoint(local)
    const to = endpoint(peer)
    const stateName = states[(hexadecimal(state) ?? 0) - 1]
    if (from === null || to === null || stateName === undefined) return []
    const [sendQueue, receiveQueue] = (queues ?? '').split(':').map(hexadecimal)
    const counts = `sendQueueBytes=${sendQueue ?? '?'} receiveQueueBytes=${receiveQueue ?? '?'}`
    return [
      `${kind} ${stateName} ${from} ${to} ${counts} retransmits=${hexadecimal(retransmits) ?? '?'} uid=${uid ?? '?'} inode=${inode ?? '?'}`,
    ]
  })
}

function endpoint(text: string | undefined): string | null {
  const [address, port] = (text ?? '').split(':')
  const portNumber = hexadecimal(port)
  if (portNumber === null) return null
  const v4 = address4(address)
  if (v4 !== null) return `${v4}:${portNumber}`
  const v6 = socketAddress6(address)
  return v6 === null ? null : `[${v6}]:${portNumber}`
}

/** /proc/net/route */
export function parseRoutingTable4(table: string): string[] {
  return table.split('\n').flatMap(line => {
    const [name, destination, gateway, flags, , , metric, mask] = fieldsOf(line)
    const to = address4(destination)
    const via = address4(gateway)
    const maskBytes = address4(mask)
    if (to === null || via === null || maskBytes === null) return []
    const bits = maskBytes
      .split('.')
      .map(byte => Number(byte).toString(2).replaceAll('0', '').length)
      .reduce((sum, ones) => sum + ones, 0)
    return [route(`${to}/${bits}`, via, name, metric, flags)]
  })
}

/** /proc/net/ipv6_route; all numbers in it are hexadecimal. */
export function parseRoutingTable6(table: string): string[] {
  return table.split('\n').flatMap(line => {
    const [destination, length, , , gateway, metric, , , flags, name] = fieldsOf(line)
    const to = address6(destination)
    const via = address6(gateway)
    const bits = hexadecimal(length)
    const cost = hexadecimal(metric)
    if (to === null || via === null || bits === null || cost === null) return []
    return [route(`${to}/${bits}`, via, name, String(cost), flags)]
  })
}

const route = (to: string, via: string, name = '?', metric = '?', flags = '?'): string =>
  `route ${to}${via === '0.0.0.0' || via === '::' ? '' : ` via ${via}`} dev ${name} metric ${metric} flags 0x${flags}`

/** /proc/net/arp */
export function parseNeighbours(table: string): string[] {
  return table.split('\n').flatMap(line => {
    const [address, , flags, hardware, , name] = fieldsOf(line)
    if (address === undefined || !/^\d{1,3}(\.\d{1,3}){3}$/.test(address) || name === undefined) return []
    return [`neighbour ${address} dev ${name} lladdr ${hardware} flags ${flags}`]
  })
}
