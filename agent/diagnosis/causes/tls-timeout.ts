/** TCP stands, and the TLS handshake is never answered. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, wentUnanswered } from '../wire-facts.js'
import { addressesOf, count, dialled, duration } from '../words.js'

export const tlsTimeout: Cause = {
  id: 'tls-timeout',
  family: 'tls',
  title: 'The TLS handshake was not answered',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The TCP connection stands, the TLS handshake begins, and its answer never comes whole.',
    hub: 'At most a TCP connection that never becomes a session.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'Small packets pass and the handshake does not. A firewall that inspects traffic holds it back, or large packets are lost because the path allows less than the link pretends (MTU), or what answers is overloaded.',
  tells: {
    raises: 'Small packets pass and large ones do not; another host shows the same over TLS.',
    rulesOut: 'An alert or a FIN came.',
  },
  nextSteps: {
    device: [
      'Run `openssl s_client -connect HUB:8883 -servername HUB` and see whether it gets a certificate.',
      'Run `ping -M do -s 1372 HUB` or any other host on the same road: if only small packets pass, lower the MTU (`ip link set dev IFACE mtu 1400`). VPN and mobile links often need it.',
      'Ask whether a firewall on the road inspects TLS, and have the host of the hub exempted.',
    ],
    portal: ['In the portal, check Resource Health of the hub and whether devices of other sites connect.'],
  },
  docs: [pages.tls, pages.connectivity],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'tls' || !wentUnanswered(close)) return null
    const { silentMs, bytesRead, bytesWritten } = close.closed
    return {
      confidence: 'certain',
      evidence: [
        `TCP to ${dialled(attempt)} (${addressesOf(attempt, close.error)}) stood, and the TLS handshake was not finished: silence for ${duration(silentMs)}.`,
        `${count(bytesWritten, 'byte')} had been sent and ${count(bytesRead, 'byte')} received.`,
      ],
      runnersUp: [
        maybe(
          'proxy-required',
          'Ask whether this network lets only a proxy out, and try the handshake from another network.',
        ),
        maybe('hub-transient-5xx', 'See whether devices at other sites have the same trouble at the same time.'),
      ],
    }
  },
}
