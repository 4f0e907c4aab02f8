/** This device itself has no way out: no link, no address or no route. */

import type { Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { changesAround, lostWayOut, tellChange, withoutWayOut } from '../host-facts.js'
import { pages } from '../pages.js'
import { isGatewayGone, nothingBeyond, tellDialled } from '../probe-facts.js'
import { type Close, closeOfAttempt, closeOfEnding, innermost, wasSilent, wentUnanswered } from '../wire-facts.js'
import { addressesOf, duration, errorText } from '../words.js'

/** The kernel says at once that there is no road. */
const noRoad: ReadonlySet<string> = new Set(['ENETUNREACH', 'ENETDOWN'])
/** A road was there, and something on it says that it ends. */
const roadEnds: ReadonlySet<string> = new Set(['EHOSTUNREACH', 'EHOSTDOWN', 'ENETRESET'])

/** Of a dual-stack attempt all addresses must fail so: having no IPv6 is no fault. */
function judge({ error }: Pick<Close, 'error'>): Omit<Finding, 'evidence'> | null {
  const codes = innermost(error).map(({ code }) => code ?? '')
  if (codes.length === 0 || !codes.every(code => noRoad.has(code) || roadEnds.has(code))) return null
  return {
    confidence: codes.every(code => noRoad.has(code)) ? 'certain' : 'likely',
    runnersUp: [
      maybe(
        'hub-unreachable',
        'Reach another address on the internet from this device. If that works, only the road to the hub is cut.',
      ),
    ],
  }
}

/** Nothing was answered, not even by a DNS server, while this host had no way out. */
function judgeByHost(attempt: FailedAttempt, { host }: Evidence): Finding | null {
  const close = closeOfAttempt(attempt)
  // For an address that no route leads to the kernel says so itself.
  if (close === null || close.stage !== 'dns') return null
  const why = withoutWayOut(host, attempt.endedMs)
  if (why === null) return null
  return {
    confidence: 'certain',
    evidence: [why, `Nothing came of the attempt: ${errorText(close.error)}.`],
    runnersUp: [
      maybe(
        'dns-failure',
        'See whether names resolve once the default route is back: if not, the DNS server is dead too.',
      ),
    ],
  }
}

/** Nothing was answered, and the gateway that everything leaves by is not on the link. */
function judgeByGateway(attempt: FailedAttempt, evidence: Evidence): Finding | null {
  const close = closeOfAttempt(attempt)
  if (close === null || (close.stage !== 'dns' && !(close.stage === 'tcp' && wentUnanswered(close)))) return null
  const gone = isGatewayGone(evidence)
  if (gone === null) return null
  return {
    confidence: 'likely',
    evidence: [
      `The default gateway ${gone.address} does not answer on ${gone.interface}, and nothing beyond it answered.`,
      `Nothing came of the attempt: ${errorText(close.error)}.`,
    ],
    runnersUp: [
      maybe(
        'hub-unreachable',
        'Look at the router: if it is on and hides from this device, the road is cut behind it.',
      ),
    ],
  }
}

/** A name could not be asked for, and the kernel knows no road to an address that needs no name either. */
function judgeByProbes(attempt: FailedAttempt, evidence: Evidence): Finding | null {
  if (closeOfAttempt(attempt)?.stage !== 'dns') return null
  const dialled = nothingBeyond(evidence)
  const roadless = dialled?.find(({ error }) => noRoad.has(error?.code ?? ''))
  if (dialled === null || roadless === undefined) return null
  return {
    confidence: 'certain',
    evidence: [
      `The name could not be resolved, and nothing could be sent to ${tellDialled(dialled)} either: ${errorText(roadless.error)}.`,
    ],
    runnersUp: [
      maybe('dns-failure', 'See whether names resolve once there is a road: if not, the DNS server is dead too.'),
    ],
  }
}

/** The line fell silent at the time when this host lost its own way out. */
function judgeSilence(close: Close, evidence: Evidence): Finding | null {
  if (!wasSilent(close.closed)) return null
  const lost = lostWayOut(evidence)
  if (lost === null || evidence.ending.kind !== 'closed') return null
  const { endedMs } = evidence.ending
  return {
    // Another link may have been the one that carried the session.
    confidence: changesAround(evidence).some(({ what }) => what === 'carrierBack') ? 'likely' : 'certain',
    evidence: [
      tellChange(lost, endedMs),
      `Nothing had come from the hub for ${duration(close.closed.silentMs)} when the session was given up.`,
    ],
    runnersUp: [
      maybe('link-lost-keepalive', 'See whether the next loss comes while the carrier and the default route stay.'),
    ],
  }
}

export const noNetwork: Cause = {
  id: 'no-network',
  family: 'network',
  title: 'This device has no network',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'The kernel refuses to send (ENETUNREACH, ENETDOWN, EHOSTUNREACH): no link, no address or no route.',
    hub: 'A device that falls silent. It closes the old session after one and a half keepalive intervals.',
    log: '404104 for the session that was lost, minutes late; nothing for the attempts.',
  },
  meaning:
    'The device cannot send anything anywhere: the cable or the radio is down, DHCP gave no address, or there is no default route. Neither the hub nor the credential is involved.',
  tells: {
    raises: 'The carrier, the address or the default route was gone at that time.',
    rulesOut: 'Another host was reached at the same time by the same interface.',
  },
  nextSteps: {
    device: [
      'Run `ip -br link` and `ip -br address`: is the interface UP, and does it have an address?',
      'Run `ip route`: is there a line that begins with `default`? If not, renew the DHCP lease or set the gateway.',
      'Check the cable and the switch port, or the signal and the SIM card.',
      'Run `dmesg | tail` and look for the interface going down and up.',
    ],
    portal: [
      'In the portal, see whether other devices of the same site are lost too: then look for the fault in its network.',
    ],
  },
  docs: [pages.reconnections],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    const error = attempt.outcome === 'provisioning' ? attempt.error : (close?.error ?? null)
    const found = judge({ error })
    if (found === null) {
      return judgeByHost(attempt, evidence) ?? judgeByGateway(attempt, evidence) ?? judgeByProbes(attempt, evidence)
    }
    const where = attempt.outcome === 'provisioning' ? 'the provisioning service' : addressesOf(attempt, error)
    return { ...found, evidence: [`Nothing could be sent to ${where}: ${errorText(error)}.`] }
  },
  fromEnding(ending, evidence) {
    const close = closeOfEnding(ending)
    if (close === null) return null
    const found = judge(close)
    if (found === null) return judgeSilence(close, evidence)
    return { ...found, evidence: [`The network went away under the session: ${errorText(close.error)}.`] }
  },
}
