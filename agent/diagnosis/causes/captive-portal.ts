/** Something on the road answers TLS with plain text. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, innermost } from '../wire-facts.js'
import { addressesOf, dialled, errorText } from '../words.js'

/** How OpenSSL says that the answer was no TLS at all. */
const notTls = /wrong version number|packet length too long|http request|https proxy request/i

export const captivePortal: Cause = {
  id: 'captive-portal',
  family: 'network',
  title: 'The network wants a login in a browser first',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'TCP is answered, and then comes something that is not TLS ("wrong version number"); web pages lead to a login.',
    hub: 'Nothing: another machine answers in its place.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Guest networks in hotels, ports and shops answer every connection themselves until somebody has accepted their terms. A machine without a browser never gets past that.',
  nextSteps: {
    device: [
      'Run `curl -i http://www.msftconnecttest.com/connecttest.txt`: anything but 200 and "Microsoft Connect Test" is a portal.',
      'Log in with a browser from the same network, or have this device exempted from the login.',
      'Check that host and port in the configuration are the hub and not a port without TLS.',
    ],
    portal: ['Ask the owner of the network for a connection without a login page.'],
  },
  docs: [pages.connectivity],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'tls') return null
    if (!innermost(close.error).some(({ code, message }) => notTls.test(`${message} ${code?.replaceAll('_', ' ')}`))) {
      return null
    }
    return {
      confidence: 'possible',
      evidence: [
        `Whoever answered for ${dialled(attempt)} at ${addressesOf(attempt, close.error)} does not speak TLS: ${errorText(close.error)}.`,
      ],
      runnersUp: [
        maybe(
          'proxy-required',
          'Ask whether this network lets only a proxy out. A login page would show in a browser instead.',
        ),
      ],
    }
  },
}
