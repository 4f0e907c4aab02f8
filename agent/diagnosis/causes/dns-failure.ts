/** The host name could not be turned into an address. */
import type { Failure } from '../../../transports/wire-event.js'
import type { Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { deniesOnlyTheHub, nothingBeyond, somethingAnswers, wasResolverHeard } from '../probe-facts.js'
import { closeOfAttempt, findCode, isAboutProxy } from '../wire-facts.js'
import { duration, errorText } from '../words.js'

/** What resolvers say, from the C library (`EAI_`) and from Node's own. */
const resolverCodes: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'ENODATA',
  'ESERVFAIL',
  'EREFUSED',
  'ETIMEOUT',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'EAI_NONAME',
  'EAI_MEMORY',
  'EAI_SYSTEM',
])
const noSuchName: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NONAME', 'EAI_NODATA'])

const wrongName = maybe(
  'wrong-hub-hostname',
  'Resolve another public name on this device. If that works, the name of the hub is wrong or the hub is gone.',
)
const noNetwork = maybe(
  'no-network',
  'Look for a default route (ip route) and a link that is up (ip -br link). Without them no resolver can be reached.',
)

const exhausted: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAI_MEMORY'])

const wrongProxy = maybe(
  'proxy-required',
  'Compare the name of the proxy in the configuration and in HTTPS_PROXY with what the network owner says.',
)

/** A server that is not heard may be well, and the road to it down. */
const sureness = (error: Failure | null, evidence: Evidence): Finding['confidence'] =>
  wasResolverHeard(error) || somethingAnswers(evidence) ? 'certain' : 'possible'

/** The provisioning service is asked before anything is dialled, and needs an address as well. */
function judgeProvisioning({ outcome, error }: FailedAttempt, evidence: Evidence): Finding | null {
  if (outcome !== 'provisioning' || findCode(error, resolverCodes) === undefined) return null
  return {
    confidence: sureness(error, evidence),
    evidence: [`Resolving the name of the provisioning service failed: ${errorText(error)}.`],
    runnersUp: [
      noNetwork,
      maybe(
        'dps-failure',
        'Resolve another public name on this device. If that works, check the address of the provisioning service.',
      ),
    ],
  }
}

export const dnsFailure: Cause = {
  id: 'dns-failure',
  family: 'network',
  title: 'The host name could not be resolved',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The question for the address of the host fails (ENOTFOUND, EAI_AGAIN) or is never answered.',
    hub: 'Nothing: the device never comes as far as the hub.',
    log: 'No entry for the failed attempts. Before them, at most the end of the last session.',
  },
  meaning:
    'Before a device can dial the hub it asks a DNS server for its address. That server could not be reached, did not answer, or says there is no such name. The SDK may call this an authorization error; the credential has nothing to do with it.',
  tells: {
    raises: 'Other resolvers, or the last good address dialled directly, work.',
    rulesOut: 'The name resolves, or no name at all resolves because there is no network.',
  },
  nextSteps: {
    device: [
      'Run `getent hosts HUB`, with the host name from the connection string. If it answers, the trouble has passed.',
      'Run `cat /etc/resolv.conf` or `resolvectl status` and check that a DNS server is set and is the right one.',
      'Ask another server: `nslookup HUB 1.1.1.1`. If that answers, repair the configured server or the DHCP lease.',
      'If every other name resolves and only this one does not, check the host name in the connection string.',
    ],
    portal: ['In the portal, open the overview of the hub and compare its host name with the one on the device.'],
  },
  docs: [pages.connectivity, pages.reconnections],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    if (close === null) return judgeProvisioning(attempt, evidence)
    // The resolver works, and the name is to blame.
    if (close.stage === 'dns' && deniesOnlyTheHub(evidence, attempt) !== null) return null
    const known = findCode(close.error, resolverCodes)
    // What this host has run out of says nothing of the network.
    if (findCode(close.error, exhausted) !== undefined) return null
    const failed = close.stage === 'dns' && (close.closed.how === 'error' || close.closed.how === 'timeout')
    if (!failed && known === undefined) return null
    const unanswered = close.closed.how === 'timeout' && known === undefined
    if (isAboutProxy(attempt)) {
      return {
        confidence: sureness(close.error, evidence),
        evidence: [`Resolving the name of the proxy failed: ${errorText(close.error)}.`],
        runnersUp: [wrongProxy, noNetwork],
      }
    }
    const confidence = sureness(close.error, evidence)
    // Then it is the road.
    if (confidence !== 'certain' && nothingBeyond(evidence) !== null) return null
    return {
      confidence,
      evidence: [
        unanswered
          ? `No DNS server answered for ${attempt.host} within ${duration(close.closed.silentMs)}.`
          : `Resolving ${attempt.host} failed: ${errorText(close.error)}.`,
      ],
      runnersUp: known !== undefined && noSuchName.has(known.code ?? '') ? [wrongName, noNetwork] : [noNetwork],
    }
  },
}
