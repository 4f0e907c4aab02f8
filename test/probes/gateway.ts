/** The kernel's tables, as files of another root: no packet leaves loopback. */
import { writeFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { gateway, presenceInArp, presenceInNeighbours } from '../../agent/probes/gateway.js'
import { asked, silentFor } from '../support/probing.js'

/** On loopback, where whoever is nudged is ourselves. */
const address = '127.0.0.9'
const hexadecimal = endianness() === 'LE' ? '0900007F' : '7F000009'

const route = `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 ${hexadecimal} 0003 0 0 100 00000000 0 0 0
`
const head = 'IP address       HW type     Flags       HW address            Mask     Device\n'
const arp = (flags: string) => `${head}${address}  0x1  ${flags}  02:00:00:00:00:01  *  eth0\n`

const root = (t: Test, files: Readonly<Record<string, string>>): string => t.testdir({ net: files })
const answer = { probe: 'gateway', address, interface: 'eth0' }

t.test('a neighbour with a hardware address is there', async t => {
  const procRoot = root(t, { route, arp: arp('0x2') })
  t.strictSame(await asked(gateway, { procRoot }), [{ ...answer, error: null }])
})

t.test('one that comes while it is looked for is there too', async t => {
  const procRoot = root(t, { route, arp: arp('0x0') })
  const looking = asked(gateway, { procRoot })
  await writeFile(join(procRoot, 'net/arp'), arp('0x2'))
  t.strictSame(await looking, [{ ...answer, error: null }])
})

t.test('one that does not answer on the link is missing', async t => {
  const procRoot = root(t, { route, arp: arp('0x0') })
  const error = {
    name: 'ProbeError',
    code: 'EHOSTUNREACH',
    message: `the gateway ${address} does not answer on eth0`,
  }
  t.strictSame(await asked(gateway, { procRoot }), [{ ...answer, error }])
  t.strictSame(await asked(gateway, { procRoot, limitMs: 100 }), [{ ...answer, error: silentFor(100) }])
})

t.test('where there is none, where the kernel does not say, and for a hub on this host, nothing is told', async t => {
  const none = root(t, { route: route.replace(hexadecimal, '00000000'), arp: arp('0x0') })
  t.strictSame(await asked(gateway, { procRoot: none }), [])
  const own = { procRoot: root(t, { route, arp: arp('0x2') }), lastGood: ['127.0.0.1'] }
  t.strictSame(await asked(gateway, own), [])
  t.strictSame(await asked(gateway, { procRoot: root(t, {}) }), [])
})

t.test('the tables of the kernel', async t => {
  t.equal(presenceInArp(arp('0x6'), address, 'eth0'), 'there')
  t.equal(presenceInArp(arp('0x2'), address, 'eth1'), null, 'on another link')
  t.equal(presenceInArp('', address, 'eth0'), null)
  t.equal(presenceInNeighbours('fe80::1 lladdr 02:00:00:00:00:01 router REACHABLE\n'), 'there')
  t.equal(presenceInNeighbours('fe80::1 router FAILED\n'), 'missing')
  t.equal(presenceInNeighbours(''), null)
})
