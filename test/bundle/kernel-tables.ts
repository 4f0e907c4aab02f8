import { endianness } from 'node:os'
import t from 'tap'
import {
  parseNeighbours,
  parseRoutingTable4,
  parseRoutingTable6,
  parseSockets,
} from '../../agent/bundle/kernel-tables.js'

const needsLittleEndian = {
  skip: endianness() === 'LE' ? false : 'the tables below were taken from a little-endian machine',
}

t.test("the kernel's sockets are lines with addresses that a redactor knows", needsLittleEndian, async t => {
  const tcp = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11663 1 00000000977246cf 100 0 0 10 0',
    '   1: 0F02000A:C350 2C9E4D0D:22B3 01 00000024:00000000 01:00000014 00000003  1000        0 21574 2 00000000dd7fafa6 20 4 30 10 -1',
    'nonsense',
    '   2: 0F02000A:C350',
  ].join('\n')
  t.strictSame(parseSockets('tcp', tcp), [
    'tcp LISTEN 127.0.0.1:8080 0.0.0.0:0 sendQueueBytes=0 receiveQueueBytes=0 retransmits=0 uid=0 inode=11663',
    'tcp ESTABLISHED 10.0.2.15:50000 13.77.158.44:8883 sendQueueBytes=36 receiveQueueBytes=0 retransmits=3 uid=1000 inode=21574',
  ])
  const tcp6 =
    '   0: B80D0120000000000000000001000000:1F90 0000000000000000FFFF00000100007F:0035 08 00000000:00000000 00:00000000 00000000     0        0 1 1'
  t.strictSame(parseSockets('tcp6', tcp6), [
    'tcp6 CLOSE_WAIT [2001:db8::1]:8080 [::ffff:127.0.0.1]:53 sendQueueBytes=0 receiveQueueBytes=0 retransmits=0 uid=0 inode=1',
  ])
})

t.test('routes and neighbours are lines too', needsLittleEndian, async t => {
  const v4 = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  ].join('\n')
  t.strictSame(parseRoutingTable4(v4), [
    'route 0.0.0.0/0 via 192.0.2.1 dev eth0 metric 100 flags 0x0003',
    'route 192.0.2.0/24 dev eth0 metric 0 flags 0x0001',
  ])
  const zeros = '0'.repeat(32)
  const v6 = [
    `20010db8000000000000000000000000 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     eth0`,
    `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0`,
    'nonsense',
  ].join('\n')
  t.strictSame(parseRoutingTable6(v6), [
    'route 2001:db8::/64 dev eth0 metric 256 flags 0x00000001',
    'route ::/0 via fe80::1 dev eth0 metric 1024 flags 0x00000003',
  ])
  const arp = [
    'IP address       HW type     Flags       HW address            Mask     Device',
    '192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0',
  ].join('\n')
  t.strictSame(parseNeighbours(arp), ['neighbour 192.0.2.1 dev eth0 lladdr 02:fc:00:00:00:05 flags 0x2'])
})
