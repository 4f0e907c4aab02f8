/** The network has no IPv4, and the hub has no IPv6. */
import { type Cause, knowable } from '../cause.js'
import { pages } from '../pages.js'

export const ipv6Only: Cause = {
  id: 'ipv6-only',
  family: 'network',
  title: 'There is no IPv4, which the hub needs',
  hubCodes: [],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'Sending is refused at once (ENETUNREACH), or the name has no address of the kind that this host can use; other sites work over IPv6.',
    hub: 'Nothing: nobody comes.',
    log: 'Nothing.',
  },
  meaning:
    'IoT Hub is documented without IPv6. On a network that gives only IPv6 addresses, and no translation to IPv4 (NAT64 with DNS64), it cannot be reached.',
  tells: {
    raises: 'The host has a global IPv6 address and route, and no IPv4 address.',
    rulesOut: 'An IPv4 address and a default route for it.',
  },
  nextSteps: {
    device: [
      'Run `ip -br address` and `ip route`: is there an IPv4 address besides fe80 and 127.0.0.1?',
      'Ask whoever runs the network for IPv4, or for NAT64 with DNS64.',
    ],
    portal: ['Nothing decides it in the portal; see whether all lost devices are on the same network.'],
  },
  docs: [pages.addresses],
}
