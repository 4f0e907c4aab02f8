/** A TCP reset cut the connection. */
import { wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { pages } from '../pages.js'
import { type Close, closeOfAttempt, closeOfEnding, isBrokenPipe, isOurs, isReset } from '../wire-facts.js'
import { count, duration, errorText } from '../words.js'

const inSession: readonly RunnerUp[] = [
  maybe(
    'nat-idle-timeout',
    'Compare how long the line had been silent at several resets: always the same time points to a router.',
  ),
  maybe('hub-upgrade-or-failover', 'Look for 400029 or 404012 in the Connections log at this time (UTC).'),
]
const whileConnecting: readonly RunnerUp[] = [
  maybe(
    'port-blocked',
    'Dial port 443 of the same host. If the handshake succeeds there, a firewall resets this port.',
  ),
  maybe('throttled', 'Look for 429001 in the log and for throttling errors among the metrics of the hub at this time.'),
]

function judge(close: Close): Finding | null {
  const { closed, stage, error } = close
  const broken = isBrokenPipe({ error }) && !isOurs(closed)
  if (!isReset(close) && !broken) return null
  const at = stage === 'session' ? 'in the session' : `while connecting (stage ${stage})`
  return {
    confidence: isReset(close) ? 'certain' : 'possible',
    evidence: [
      isReset(close)
        ? `A TCP reset (RST) arrived ${at}: ${errorText(error)}.`
        : `The connection was already gone when this device wrote to it ${at}: ${errorText(error)}.`,
      `The other side had been silent for ${duration(closed.silentMs)}; ${count(closed.inFlightPublishes, 'message')} waited for an answer.`,
    ],
    runnersUp: stage === 'session' ? inSession : whileConnecting,
  }
}

export const peerReset: Cause = {
  id: 'peer-reset',
  family: 'network',
  title: 'The connection was reset',
  hubCodes: ['404104'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'A packet with the RST flag arrives: ECONNRESET with a system call.',
    hub: 'Either it sent the reset itself, or its own connection broke at the same moment.',
    log: '404104 if the session was open; nothing if it was not yet accepted.',
  },
  meaning:
    'That a reset came is certain; who sent it is not. It carries the address of the hub, but a firewall, a router that forgot the connection, a load balancer or the hub can have made it.',
  tells: {
    raises: "A reset with a system call, and who sends it is one hop: a firewall's limits, or the hub.",
    rulesOut: 'A FIN or silence.',
  },
  nextSteps: {
    device: [
      'Run `hubrec episodes` and see whether resets come at fixed times or after the same idle time: then a router or firewall makes them.',
      'Look in the log of the router or firewall for this time.',
      'Record the next one: `tcpdump -ni any -w reset.pcap "tcp port 8883 and tcp[tcpflags] & tcp-rst != 0"`. A TTL unlike that of the other packets gives away a box in between.',
    ],
    portal: [
      'In the portal, look in the Connections log of the device at this time (UTC): no row at all points to the network.',
    ],
  },
  docs: [pages.errorCodes, pages.connectivity],

  fromAttempt(attempt) {
    const close = closeOfAttempt(attempt)
    // What the hub said beats how its socket ended.
    return close === null || wordOfAttempt(attempt) !== null ? null : judge(close)
  },
  fromEnding(ending) {
    const close = closeOfEnding(ending)
    return close === null || wordOfEnding(ending) !== null ? null : judge(close)
  },
}
