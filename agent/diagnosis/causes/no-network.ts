/** This device itself has no way out: no link, no address or no route. */
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { type Close, closeOfAttempt, closeOfEnding, innermost } from '../wire-facts.js'
import { addressesOf, errorText } from '../words.js'

/** The kernel says at once that there is no road. */
const noRoad: ReadonlySet<string> = new Set(['ENETUNREACH', 'ENETDOWN'])
/** A road was there, and something on it says that it ends. */
const roadEnds: ReadonlySet<string> = new Set(['EHOSTUNREACH', 'EHOSTDOWN', 'ENETRESET'])

/** Of a dual-stack attempt all addresses must fail so: having no IPv6 is no fault. */
function judge({ error }: Close): Omit<Finding, 'evidence'> | null {
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

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    const found = close === null ? null : judge(close)
    if (close === null || found === null) return null
    return {
      ...found,
      evidence: [`Nothing could be sent to ${addressesOf(attempt, close.error)}: ${errorText(close.error)}.`],
    }
  },
  fromEnding(ending) {
    const close = closeOfEnding(ending)
    const found = close === null ? null : judge(close)
    if (close === null || found === null) return null
    return { ...found, evidence: [`The network went away under the session: ${errorText(close.error)}.`] }
  },
}
