/** What came was not what the protocol allows. */
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { type Close, closeOfAttempt, closeOfEnding, innermost, isWebSocketClose, speaksMqtt } from '../wire-facts.js'
import { errorText } from '../words.js'

/** How the parsers say that they cannot go on. */
const unreadable =
  /malformed|invalid (?:header flag|protocol header)|cannot parse|unknown packet|protocol (?:error|violation)/i

/** What could be read very well. */
const understood: ReadonlySet<string> = new Set(['AmqpError', 'CbsError', 'ProxyError'])

function judge(close: Close): Finding | null {
  const { closed, stage, error } = close
  const mqtt = speaksMqtt(closed.protocol)
  if (stage !== 'session' && stage !== 'auth') return null
  // Over AMQP either side may say goodbye.
  const goodbye = mqtt && !isWebSocketClose(close) && closed.by === 'hub' && closed.how === 'goodbye'
  const garbled =
    closed.how === 'error' &&
    !understood.has(error?.name ?? '') &&
    (closed.by === 'hub' || innermost(error).some(({ message }) => unreadable.test(message)))
  if (!goodbye && !garbled) return null
  return {
    confidence: 'certain',
    evidence: [
      goodbye
        ? 'The other side sent DISCONNECT, which a server of MQTT 3.1.1 must not do.'
        : `The other side sent something that is not ${mqtt ? 'MQTT' : 'AMQP'}: ${errorText(error)}.`,
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
    device: 'A packet that cannot be read as MQTT or AMQP, or a DISCONNECT from the server.',
    hub: 'A client that closes in the middle of a session.',
    log: '404104.',
  },
  meaning:
    'A hub does not do this. A gateway or broker in between, a box that changes the traffic, or a defect in either end does. The recorder drops such a connection at once, since nothing after it can be trusted.',
  tells: {
    raises: "The first bytes that cannot be read were kept, and TLS was with the hub's own certificate.",
    rulesOut: 'The SDK gave up while all packets could be read.',
  },
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

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    return close === null ? null : judge(close)
  },
  fromEnding(ending) {
    const close = closeOfEnding(ending)
    return close === null ? null : judge(close)
  },
}
