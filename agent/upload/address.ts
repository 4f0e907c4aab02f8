/** Which addresses a URL from outside may lead to, after its host was resolved. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/**
 * - `public`: the internet.
 * - `private`: this host or its own network; only for hosts that the configuration names.
 * - `never`: metadata services, link-local, multicast, and what is no host's address; whatever the configuration says.
 */
export type AddressKind = 'public' | 'private' | 'never'

/** @param address an IPv4 or IPv6 address without brackets; what is none of these is `never` */
export function addressKind(address: string): AddressKind {
  const plain = address.replace(/%.*$/, '')
  if (isIP(plain) === 0) return 'never'
  const inner = isIPv4(plain) ? plain : embeddedIPv4(plain)
  if (inner !== null) return judge(inner, 'ipv4')
  return judge(plain, 'ipv6')
}

function judge(address: string, family: 'ipv4' | 'ipv6'): AddressKind {
  if (never.check(address, family)) return 'never'
  return privates.check(address, family) ? 'private' : 'public'
}

function listOf(subnets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [address = '', bits] = subnet.split('/')
    list.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6')
  }
  return list
}

/** From IANA's registries of special-purpose addresses; 168.63.129.16 is Azure's own, inside every virtual machine. */
const never = listOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '168.63.129.16/32',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
])

const privates = listOf([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '::1/128',
  '64:ff9b:1::/48',
  'fc00::/7',
])

/** An IPv4 address in IPv6 clothes leads where the IPv4 address leads: mapped, compatible, or through NAT64. */
function embeddedIPv4(address: string): string | null {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const match = /^(?:::|::ffff:|::ffff:0:|64:ff9b::)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/.exec(canonical)
  if (!match || canonical === '::1') return null
  const [high, low] = [match[1] ?? '0', match[2] ?? '0'].map(part => Number.parseInt(part, 16)) as [number, number]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
