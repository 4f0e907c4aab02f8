/** The hub is there and cannot serve at the moment. */
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { httpAnswerOf, wasForwarded } from '../http-answers.js'
import { pages } from '../pages.js'
import { type CbsRefusal, cbsRefusalIn, cbsRefusalOf, connackOf } from '../sign-in.js'
import { dialled } from '../words.js'

const throttled = maybe('throttled', 'Look for throttling errors among the metrics of the hub at this time.')
const upgrade = maybe(
  'hub-upgrade-or-failover',
  'Look for 400029 in the Connections log, and for the same on other devices.',
)
const viaProxy = maybe('proxy-required', 'Ask the owner of the proxy whether it can reach the hub at this time.')

const internal = new Set(['amqp:internal-error', 'com.microsoft:timeout'])
const forced = new Set(['amqp:link:detach-forced'])

function judgeWord(word: AmqpWord | null): Finding | null {
  const said = among(word, internal)
  if (said !== null) return { confidence: 'likely', evidence: [toldOf(said)], runnersUp: [throttled, upgrade] }
  const detached = among(word, forced)
  if (detached === null) return null
  // Links are detached by force when a node is busy, and also when it is about to be renewed.
  const busy = /\bbusy\b/i.test(detached.description ?? '')
  return {
    confidence: busy ? 'likely' : 'possible',
    evidence: [toldOf(detached)],
    runnersUp: busy ? [throttled, upgrade] : [upgrade, throttled],
  }
}

const judgeCbs = (refusal: CbsRefusal | null): Finding | null =>
  refusal !== null && refusal.status >= 500
    ? { confidence: 'likely', evidence: [refusal.sentence], runnersUp: [throttled] }
    : null

export const hubTransient5xx: Cause = {
  id: 'hub-transient-5xx',
  family: 'service',
  title: 'The hub cannot serve at the moment',
  hubCodes: ['500001', '500008', '503001', '503005', '503101', '503102'],
  ceiling: knowable('likely'),
  planned: false,
  sees: {
    device:
      'The sign-in is answered with CONNACK 3, server unavailable (AMQP: put-token 500 or 503, amqp:internal-error, com.microsoft:timeout; WebSocket: HTTP status 500 to 504).',
    hub: 'A fault of its own, usually in one of its nodes and for a few minutes.',
    log: '500001, 500008 or a code that begins with 503, for many devices at once.',
  },
  meaning:
    'The trouble is on the side of the service and as a rule ends by itself. Waiting longer between attempts helps everybody.',
  tells: {
    raises: 'It passes within minutes, and other devices of the hub see it too.',
    rulesOut: 'It lasts for hours and strikes one device alone.',
  },
  nextSteps: {
    device: [
      'Leave the device alone: it tries again by itself, ever more slowly, up to a limit.',
      'If it never worked, check that the host name of the hub is used and not its IP address.',
    ],
    portal: [
      'In the portal, look at Resource Health of the hub and at Azure status.',
      'Open a support request if it lasts over 30 minutes, with the device id and the time (UTC).',
    ],
  },
  docs: [pages.errorCodes],

  fromAttempt(attempt) {
    const refused = judgeCbs(cbsRefusalOf(attempt))
    if (refused !== null) return refused
    const answer = httpAnswerOf(attempt)
    if (answer !== null && answer.step === 'upgrade' && answer.status >= 500) {
      const forwarded = wasForwarded(answer) || attempt.proxy !== null
      return {
        confidence: forwarded ? 'possible' : 'likely',
        evidence: [answer.sentence],
        runnersUp: forwarded ? [viaProxy, throttled] : [throttled],
      }
    }
    if (connackOf(attempt) !== 3) return judgeWord(wordOfAttempt(attempt))
    return {
      confidence: 'likely',
      evidence: [`${dialled(attempt)} answered the sign-in with CONNACK 3: server unavailable.`],
      runnersUp: [
        maybe(
          'wrong-hub-hostname',
          'Check whether the hub is dialled by its address: without its name it answers with CONNACK 3 too.',
        ),
        throttled,
      ],
    }
  },
  fromEnding: ending => judgeCbs(cbsRefusalIn(ending)) ?? judgeWord(wordOfEnding(ending)),
}
