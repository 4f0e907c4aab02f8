/** What came was not what the protocol allows. */

import type { Evidence } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { type Close, closeOfAttempt, closeOfEnding, innermost, speaksMqtt } from '../wire-facts.js'
import { errorText } from '../words.js'

/** How the MQTT parser says that it cannot go on. */
const unreadable = /malformed|invalid header flag|cannot parse|unknown packet|protocol (?:error|violation)/i

function judge(close: Close, evidence: Evidence): Finding | null {
  const { closed, stage, error } = close
  if (!speaksMqtt(evidence) || (stage !== 'session' && stage !== 'auth')) return null
  const goodbye = closed.by === 'hub' && closed.how === 'goodbye'
  const garbled =
    closed.how === 'error' && (closed.by === 'hub' || innermost(error).some(({ message }) => unreadable.test(message)))
  if (!goodbye && !garbled) return null
  return {
    confidence: 'certain',
    evidence: [
      goodbye
        ? 'The other side sent DISCONNECT, which a server of MQTT 3.1.1 must not do.'
        : `The other side sent something that is not MQTT: ${errorText(error)}.`,
    ],
    runnersUp: [
      maybe(
        'tls-interception',
        'Try from another network. If it does not happen there, a box on this one changes the traffic.',
      ),
    ],
  }
}

export const protocolViolation: Cause = {
  id: 'protocol-violation',
  family: 'protocol',
  title: 'The other side broke the protocol',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'A packet that cannot be read as MQTT, or a DISCONNECT from the server.',
    hub: 'A client that closes in the middle of a session.',
    log: '404104.',
  },
  meaning:
    'A hub does not do this. A gateway or broker in between, a box that changes the traffic, or a defect in either end does. The recorder drops such a connection at once, since nothing after it can be trusted.',
  nextSteps: {
    device: [
      'Check what the host name leads to: a hub, or a broker or gateway in between?',
      'Update that gateway, or go around it.',
      'Make a bundle (`hubrec bundle`) and give it to support: the records show when the packet came.',
    ],
    portal: [
      'In the portal, check whether the hub logged anything else than 404104 for this device at this time (UTC).',
    ],
  },
  docs: [pages.mqtt],

  fromAttempt(attempt, evidence) {
    const close = closeOfAttempt(attempt)
    return close === null ? null : judge(close, evidence)
  },
  fromEnding(ending, evidence) {
    const close = closeOfEnding(ending)
    return close === null ? null : judge(close, evidence)
  },
}
