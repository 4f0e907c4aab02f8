/** The other side closed before the TLS handshake was finished. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, isFin } from '../wire-facts.js'
import { addressesOf, count, dialled, duration } from '../words.js'

export const tlsClosed: Cause = {
  id: 'tls-closed',
  family: 'tls',
  title: 'The connection was closed before TLS was ready',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'TCP stands, and the other side closes it (FIN) during the handshake. Node calls that ECONNRESET without a system call.',
    hub: 'At most a TCP connection that never becomes a session.',
    log: 'No entry: nobody has signed in yet.',
  },
  meaning:
    'Somebody took the connection and put it down again without a word. A load balancer with nothing behind it does that, and so does a firewall that does not like the name in the handshake or the TLS version.',
  tells: {
    raises: 'The close comes within one round trip of the first packet of TLS.',
    rulesOut:
      'An alert of TLS, or a reset with a system call. A reset that comes with the connection itself may look the same.',
  },
  nextSteps: {
    device: [
      'Run `openssl s_client -connect HUB:8883 -servername HUB` and look at where it stops.',
      'Try the same from another network. If it works there, ask the owner of this network what filters TLS.',
      'Check that the host name of the hub is used and not its address: without the name the hub does not know which hub is meant.',
    ],
    portal: ['In the portal, check Resource Health of the hub.'],
  },
  docs: [pages.tls, pages.connectivity],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'tls' || !isFin(close)) return null
    const { silentMs, bytesRead } = close.closed
    const isMute = bytesRead === 0
    return {
      // The kernel tells of a reset once: where the first packet of TLS has met it, what is read afterwards is an end like any other.
      confidence: isMute ? 'possible' : 'certain',
      evidence: [
        `${dialled(attempt)} (${addressesOf(attempt, close.error)}) closed the connection${isMute ? '' : ' (FIN)'} during the TLS handshake, after ${count(bytesRead, 'byte')} and a silence of ${duration(silentMs)}.`,
      ],
      runnersUp: [
        ...(isMute
          ? [
              maybe(
                'peer-reset',
                'Watch one attempt with `tcpdump -ni any port 8883`: an R among the flags is a reset, an F a close.',
              ),
            ]
          : []),
        maybe(
          'tls-version-or-cipher',
          'Try `openssl s_client -tls1_2` and `-tls1_3`. If one of them works, the versions do not meet.',
        ),
        maybe(
          'proxy-required',
          'Ask whether this network lets only a proxy out, and try the handshake from another network.',
        ),
      ],
    }
  },
}
