/** Nobody answered the TCP connection. */
import type { Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { isWebOpen, nothingBeyond, somethingAnswers, tellDialled, wasResolverHeard } from '../probe-facts.js'
import { type Close, closeOfAttempt, findCode, wentUnanswered } from '../wire-facts.js'
import { addressesOf, dialled, duration, errorText } from '../words.js'

/** The kernel of this very device would not let the packet out. */
const forbidden: ReadonlySet<string> = new Set(['EPERM', 'EACCES'])

const portBlocked = maybe(
  'port-blocked',
  'Dial port 443 of the same host. If that answers, a firewall drops this port alone.',
)
const noNetwork = maybe(
  'no-network',
  'Reach another address on the internet. If nothing answers there either, it is not the hub.',
)

/** One silent port may be a firewall's doing; the web's is open wherever anything is, and another host shows that the road is there. */
function sureness(attempt: FailedAttempt, evidence: Evidence): Finding['confidence'] {
  const isWebShut = attempt.protocol.endsWith('-ws') || isWebOpen(evidence, attempt) === false
  if (!isWebShut) return 'possible'
  return somethingAnswers(evidence) ? 'certain' : 'likely'
}

/** No DNS server was heard, and neither was anything that needs no name: it is the road that is down, not the server. */
function judgeByProbes({ error }: Close, evidence: Evidence): Finding | null {
  const dialled = nothingBeyond(evidence)
  if (dialled === null || wasResolverHeard(error)) return null
  return {
    confidence: 'likely',
    evidence: [
      `Nothing beyond this network answers: no DNS server, and not ${tellDialled(dialled)}, for which no name is needed.`,
    ],
    runnersUp: [
      noNetwork,
      maybe('dns-failure', 'See whether names resolve once another host answers: if not, the DNS server is dead too.'),
    ],
    firstSteps: [
      'Look at the router, the modem and its uplink: what is dead is behind this device and before the internet.',
    ],
  }
}

export const hubUnreachable: Cause = {
  id: 'hub-unreachable',
  family: 'network',
  title: 'Nothing answers at the address of the hub',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The first packet of the TCP connection (SYN) is never answered.',
    hub: 'Nothing: no packet of the attempt arrives, or no answer finds its way back.',
    log: 'No entry for the attempts; 404104 for the session before them, if there was one.',
  },
  meaning:
    'The name was resolved, and packets to that address vanish. A firewall drops them, a route or VPN is down, or the uplink has failed somewhere behind this device.',
  tells: {
    raises: 'No address of the hub answers on any port, while another host does.',
    rulesOut: 'A FIN, a reset or a refusal came from the address.',
  },
  nextSteps: {
    device: [
      'Run `nc -vz HUB 443`. If that answers, a firewall drops port 8883 (AMQP: 5671): have it opened, or set `connection.protocol` to `mqtt-ws`.',
      'Run `ping -c 3 1.1.1.1` or reach any other site. If nothing answers, the uplink is down: restart the router or modem.',
      'Run `traceroute -T -p 8883 HUB` and see where it ends.',
      'If the name leads to a private address (10., 172.16. to 172.31., 192.168.), check the VPN or the private endpoint.',
    ],
    portal: [
      'In the portal, check whether other devices of the same site are connected.',
      'Ask the network owner to allow outbound 8883 or 5671 to the service tag AzureIoTHub.',
    ],
  },
  docs: [pages.mqtt, pages.addresses, pages.protocols],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    if (close?.stage === 'dns') return judgeByProbes(close, evidence)
    if (close === null || close.stage !== 'tcp') return null
    const { closed, error } = close
    const where = `${dialled(attempt)} (${addressesOf(attempt, error)})`
    if (wentUnanswered(close)) {
      return {
        confidence: sureness(attempt, evidence),
        evidence: [`Nothing answered at ${where} within ${duration(closed.silentMs)}.`],
        runnersUp: [portBlocked, noNetwork],
      }
    }
    if (findCode(error, forbidden) !== undefined) {
      return {
        confidence: 'likely',
        evidence: [`This device would not let the connection to ${where} out: ${errorText(error)}.`],
        runnersUp: [portBlocked],
        firstSteps: ['Run `nft list ruleset` and look for a rule on this device that forbids the connection.'],
      }
    }
    return null
  },
}
