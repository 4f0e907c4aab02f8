/** It was closed, and nothing that a device can see says why. Always the last in the catalogue, because it fits everything. */
import type { ClosedEvent } from '../../../transports/wire-event.js'
import type { Ending, Evidence, FailedAttempt, PastSession } from '../../evidence/episode.js'
import { type Cause, type Finding, knowable, maybe, type RunnerUp } from '../cause.js'
import { quietRun } from '../closing-runs.js'
import { httpAnswerOf } from '../http-answers.js'
import { pages } from '../pages.js'
import {
  type Close,
  closeOfAttempt,
  closeOfEnding,
  isFin,
  isOurs,
  isWebSocketClose,
  speaksMqtt,
} from '../wire-facts.js'
import { count, dialled, duration, errorText, quoted } from '../words.js'

const duplicate = maybe(
  'duplicate-device-id',
  'Look for 400027 or 409002 in the Connections log: a second client has signed in.',
)
const upgrade = maybe(
  'hub-upgrade-or-failover',
  'Look for 400029 in the Connections log, and for the same close on other devices.',
)
const expired = maybe('sas-expired', 'Look for 401003 in the Connections log, followed by 404104.')
const throttled = maybe('throttled', 'Look for throttling errors (429) among the metrics of the hub at this time.')
const quota = maybe('quota-exceeded', 'Compare the messages used today with the quota of the hub; look for 403002.')
const topic = maybe('illegal-topic', 'Check the topic of the last message: does it name this device, in this spelling?')
const certificate = maybe(
  'x509-rejected',
  'Only where this device signs in with a certificate: check its dates and its registration.',
)
const filtered = maybe(
  'ip-filter',
  'Try the same credential from another network. If it works there, the hub refuses this address.',
)

const proxied = maybe(
  'proxy-required',
  'Try from another network. If it works there, a proxy or filter on this one does not let WebSocket through.',
)

/** A bare FIN in a session carries no reason at all, so the verdict is that we do not know. */
function judgeSessionFin({ closed }: Close, history: readonly PastSession[]): Finding {
  const { lengthsMs, served } = quietRun(history)
  if (lengthsMs.length > 1 && served === 0) {
    return {
      confidence: 'possible',
      evidence: [
        `The last ${lengthsMs.length} sessions were accepted and closed again without a word (FIN), after ${lengthsMs.map(duration).join(', ')}, before the hub had answered the subscription.`,
      ],
      runnersUp: [duplicate, quota, throttled],
    }
  }
  const uponPublish = closed.afterPublish || closed.inFlightPublishes > 0
  return {
    confidence: 'unknown',
    evidence: [
      `The other side closed the session ${hungUp(closed)}, ${uponPublish ? 'just after a message was sent' : 'with no message under way'}. ${speaksMqtt(closed.protocol) ? 'MQTT 3.1.1 has no way to give a reason' : 'AMQP has ways to give a reason, and none was used'}.`,
    ],
    runnersUp: uponPublish ? [quota, topic, upgrade, throttled] : [upgrade, duplicate, expired, throttled],
  }
}

function hungUp(closed: ClosedEvent): string {
  if (!isWebSocketClose(closed)) return 'without a word (FIN)'
  return `with a WebSocket close ${closed.error?.code ?? ''}${quoted(closed.error?.message ?? '')}`
}

function otherwise({ closed, stage, error }: Close): Finding {
  const who = isOurs(closed) ? 'this side' : 'the other side or the network'
  return {
    confidence: 'unknown',
    evidence: [
      `The connection was ended by ${who} (${closed.how}, stage ${stage}): ${errorText(error)}.`,
      ...(closed.reason === null ? [] : [`The recorder gave it up itself: ${closed.reason}.`]),
    ],
    runnersUp: isOurs(closed) ? [] : [upgrade],
  }
}

/** Who is known to sign in otherwise has no certificate that could be refused. */
const uponSignIn = ({ credential }: FailedAttempt): readonly RunnerUp[] =>
  credential === null || credential.kind === 'x509' ? [certificate, throttled, filtered] : [throttled, filtered]

export const unknownClose = {
  id: 'unknown-close',
  family: 'unknown',
  title: 'Closed, and nothing seen from the device says why',
  hubCodes: ['404104', '400027', '401003', '403002', '429002'],
  ceiling: knowable('possible'),
  planned: false,
  sees: {
    device: 'A bare close (FIN), or an error that fits no known cause.',
    hub: 'Any of several things: it moved, a second client came, a token ended, a limit was reached.',
    log: 'One row at that time tells: 400027, 400029, 401003, 403002, 404104 or 429002.',
  },
  meaning:
    'MQTT 3.1.1 has no field for a reason, so the device cannot know more. The verdict says so, rather than guess; the log of the hub can tell.',
  tells: {
    raises: 'Nothing: it is what is left.',
    rulesOut: 'Any evidence that another cause explains.',
  },
  nextSteps: {
    device: [
      'Do nothing if it happened once and the device came back: hubs close connections now and then.',
      'If it comes back, run `hubrec episodes` and look for a pattern: fixed distances, a certain time of day, always after a message.',
    ],
    portal: [
      'In the portal, read the row in the Connections log of this device at the beginning of the episode (UTC), give or take two minutes, and run `hubrec explain CODE` with its code.',
      'In the portal, switch the Connections log on (Diagnostic settings) if there is none, so that the next one can be told.',
    ],
  },
  docs: [pages.errorCodes, pages.connectivity, pages.monitoring],

  fromAttempt(attempt: FailedAttempt): Finding {
    const close = closeOfAttempt(attempt)
    const answer = httpAnswerOf(attempt)
    if (answer !== null) return { confidence: 'unknown', evidence: [answer.sentence], runnersUp: [proxied] }
    if (close === null) {
      return {
        confidence: 'unknown',
        evidence: [
          attempt.code === null
            ? `The attempt to reach ${dialled(attempt)} failed at stage ${attempt.stage}, and how was not recorded.`
            : `${dialled(attempt)} refused the sign-in with code ${attempt.code}, whose meaning is not known.`,
        ],
        runnersUp: [],
      }
    }
    if ((close.stage === 'auth' || close.stage === 'upgrade') && isFin(close)) {
      const sent = close.stage === 'auth' ? 'the sign-in was sent' : 'the WebSocket upgrade was asked for'
      const how = isWebSocketClose(close) ? hungUp(close.closed) : '(FIN)'
      return {
        confidence: 'possible',
        evidence: [
          `${dialled(attempt)} closed the connection ${how} after ${sent} and gave no answer to it; ${count(close.closed.bytesRead, 'byte')} had come.`,
        ],
        runnersUp: close.stage === 'auth' ? uponSignIn(attempt) : [proxied, throttled],
      }
    }
    return otherwise(close)
  },

  fromEnding(ending: Ending, { history }: Evidence): Finding {
    const close = closeOfEnding(ending)
    if (close === null) {
      return {
        confidence: 'unknown',
        evidence: ['There was no session that could have been lost, and no attempt has failed yet.'],
        runnersUp: [],
      }
    }
    return close.stage === 'session' && isFin(close) ? judgeSessionFin(close, history) : otherwise(close)
  },
} satisfies Cause
