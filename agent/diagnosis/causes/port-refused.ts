/** Something answered the TCP connection and said no. */
import { type Cause, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { closeOfAttempt, findCode, innermost } from '../wire-facts.js'
import { addressesOf, dialled, errorText } from '../words.js'

const refused: ReadonlySet<string> = new Set(['ECONNREFUSED'])
/** As at an IPv6 address on a host that has no IPv6. */
const noRoad: ReadonlySet<string> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL'])

export const portRefused: Cause = {
  id: 'port-refused',
  family: 'network',
  title: 'The connection to the port was refused',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The TCP connection is answered at once with a refusal (ECONNREFUSED).',
    hub: 'Nothing, as a rule: a hub does not refuse its ports. A firewall or a proxy on the road answers in its name.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'The road is there, and somebody at the end of it does not accept connections to this port. With a real hub that is nearly always a firewall that rejects the port, or a name that leads to the wrong machine.',
  tells: {
    raises: 'The refusal comes at once, from each address.',
    rulesOut: 'The first packet is never answered.',
  },
  nextSteps: {
    device: [
      'Run `nc -vz HUB 443` and `nc -vz HUB 8883` (AMQP: 5671). If only 443 is open, a firewall rejects the other port.',
      'If so, have the port opened, or set `connection.protocol` to `mqtt-ws`, which uses 443.',
      'Run `getent hosts HUB` and look for an entry in /etc/hosts that leads to the wrong machine.',
      'Run `nft list ruleset` and look for a rule on this device that rejects the port.',
    ],
    portal: [
      'In the portal, check that the hub exists and is active.',
      'Ask the network owner to allow outbound 8883 or 5671 to the service tag AzureIoTHub.',
    ],
  },
  docs: [pages.mqtt, pages.protocols],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    if (close === null || close.stage !== 'tcp' || findCode(close.error, refused) === undefined) return null
    // One address that refuses says nothing of another that did not answer; one without a road there was none.
    if (!innermost(close.error).every(({ code }) => refused.has(code ?? '') || noRoad.has(code ?? ''))) return null
    return {
      confidence: 'certain',
      evidence: [
        `The connection to ${dialled(attempt)} was refused at ${addressesOf(attempt, close.error)}: ${errorText(close.error)}.`,
      ],
      runnersUp: [
        maybe('port-blocked', 'Dial port 443 of the same host. If that answers, a firewall blocks this port alone.'),
      ],
    }
  },
}
