/** The address that is dialled is not the hub's any more. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { hubAtLastGood } from '../probe-facts.js'
import { closeOfAttempt, isAboutProxy, wentUnanswered } from '../wire-facts.js'
import { addressesOf, errorText } from '../words.js'

export const ipPinnedOrStaleDns: Cause = {
  id: 'ip-pinned-or-stale-dns',
  family: 'network',
  title: 'An old address of the hub is dialled',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'Connections to one address time out or are refused, and the name resolves to others by now.',
    hub: 'Nothing: nobody comes.',
    log: '404104 for the session that was lost, and then nothing.',
  },
  meaning:
    'A hub gets other addresses when it fails over or moves. Whoever keeps the old one in /etc/hosts, in a firewall or in a cache of his own dials a stranger.',
  tells: {
    raises: 'The dialled address is missing from what a resolver answers now; /etc/hosts names the hub.',
    rulesOut: 'The dialled address is one that the resolvers answer.',
  },
  nextSteps: {
    device: [
      'Run `getent hosts HUB` and `grep azure-devices /etc/hosts`: take a fixed line out.',
      "Let the firewall allow the hub by its name or by Microsoft's service tags, not by an address.",
      'Restart the local DNS cache if it answers something else than the resolver upstream.',
    ],
    portal: ['In the portal, see whether the hub failed over at that time.'],
  },
  docs: [pages.addresses, pages.failover],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    // One that answers may be a portal, or whoever has the address now.
    if (close === null || close.stage !== 'tcp' || isAboutProxy(attempt)) return null
    const there = hubAtLastGood(evidence, attempt)
    if (there === null) return null
    return {
      confidence: 'likely',
      evidence: [
        wentUnanswered(close)
          ? `Nothing answered at ${addressesOf(attempt, close.error)}.`
          : `Nothing came of dialling ${addressesOf(attempt, close.error)}: ${errorText(close.error)}.`,
        `At ${there.address}, where the last good session was, the hub itself still answers, by its certificate.`,
      ],
      runnersUp: [
        maybe(
          'hub-unreachable',
          'Ask two resolvers for the name: if both give the address that was dialled, the hub has moved there.',
        ),
      ],
    }
  },
}
