/** A firewall blocks the protocol's port and leaves 443 open. */
import type { Protocol } from '../../../transports/wire-event.js'
import type { Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { pages } from '../pages.js'
import { isWebOpen } from '../probe-facts.js'
import { closeOfAttempt, findCode, isReset, wentUnanswered } from '../wire-facts.js'
import { count, dialled, errorText } from '../words.js'

const refused: ReadonlySet<string> = new Set(['ECONNREFUSED'])

const overWeb = (protocol: Protocol): boolean => protocol === 'mqtt-ws' || protocol === 'amqp-ws'

/** Nothing but the TCP connection to the protocol's own port failed. */
function isShut(attempt: FailedAttempt): boolean {
  const close = closeOfAttempt(attempt)
  if (close === null || close.stage !== 'tcp' || attempt.gateway || overWeb(attempt.protocol)) return false
  return wasRejected(attempt) || wentUnanswered(close)
}

function wasRejected(attempt: FailedAttempt): boolean {
  const close = closeOfAttempt(attempt)
  return close !== null && (findCode(close.error, refused) !== undefined || isReset(close))
}

/** The web's port of the same host took the connection, whatever came of it. */
const isOpen = (attempt: FailedAttempt, host: string): boolean =>
  overWeb(attempt.protocol) &&
  attempt.host === host &&
  attempt.stage !== null &&
  attempt.stage !== 'dns' &&
  attempt.stage !== 'tcp'

/** The web's port could not be reached either. */
const isRoadDown = (attempt: FailedAttempt, host: string): boolean =>
  overWeb(attempt.protocol) &&
  attempt.host === host &&
  attempt.outcome === 'closed' &&
  (attempt.stage === 'dns' || attempt.stage === 'tcp')

/** How sure it is that the port is shut and not the whole road; `null`: not sure enough to say so. */
function sureness(attempt: FailedAttempt, evidence: Evidence): Finding['confidence'] | null {
  const { failed, cameBack } = evidence
  const { host } = attempt
  const isOpenNow = isWebOpen(evidence, attempt)
  const shut = failed.filter(other => other.host === host && isShut(other))
  const firstOpen = failed.findIndex(other => isOpen(other, host))
  // It stayed shut when the other had answered already: the road was there.
  if (firstOpen !== -1 && failed.slice(firstOpen).some(other => other.host === host && isShut(other))) return 'certain'
  const opened = firstOpen !== -1 || (cameBack !== null && cameBack.host === host && overWeb(cameBack.protocol))
  // Where the other port could not be reached either, the road was down, and has come back since.
  if (failed.some(other => isRoadDown(other, host)) || isOpenNow === false) return null
  if (!opened && isOpenNow === null) return null
  // So it may have been with a single silence.
  return wasRejected(attempt) || shut.length > 1 ? 'likely' : 'possible'
}

export const portBlocked: Cause = {
  id: 'port-blocked',
  family: 'network',
  title: 'A firewall blocks port 8883 or 5671',
  hubCodes: [],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device: 'Port 443 of the hub answers, 8883 (MQTT) or 5671 (AMQP) of the same hub is refused or never answers.',
    hub: 'Nothing: the packets end at the firewall.',
    log: 'No entry for the attempts.',
  },
  meaning:
    'Many company, school and mobile networks let only web traffic out. IoT Hub serves the same protocols over WebSocket on port 443.',
  tells: {
    raises: "Port 443 of the same hub answers while the protocol's own port does not.",
    rulesOut: 'Port 443 does not answer either, or the port answers at the last good address.',
  },
  nextSteps: {
    device: [
      'Run `nc -vz HUB 443` and `nc -vz HUB 8883`: the first must answer and the second not, else it is something else.',
      'Set `connection.protocol` to `mqtt-ws` or `amqp-ws`, which use 443.',
    ],
    portal: [
      'Ask the network owner to allow outbound 8883 or 5671 to the service tag AzureIoTHub, by name and not by address.',
    ],
  },
  docs: [pages.mqtt, pages.protocols, pages.addresses],

  fromAttempt(attempt, evidence) {
    if (!isShut(attempt)) return null
    const confidence = sureness(attempt, evidence)
    if (confidence === null) return null
    const { failed, cameBack } = evidence
    const shut = failed.filter(other => other.host === attempt.host && isShut(other)).length
    const through = cameBack?.proxy ? ', through a proxy' : ''
    return {
      confidence,
      evidence: [
        `${dialled(attempt)} did not take the connection (${wasRejected(attempt) ? errorText(attempt.closed?.error ?? attempt.error) : 'no answer'}), ${count(shut, 'time')} in all.`,
        isWebOpen(evidence, attempt) === true
          ? 'Another port of the same host took a connection in the same minutes.'
          : `WebSocket to the same host was answered${through}.`,
      ],
      runnersUp: [
        maybe('hub-unreachable', 'Dial both ports at the same time: if neither answers now and then, it is the road.'),
      ],
    }
  },
}
