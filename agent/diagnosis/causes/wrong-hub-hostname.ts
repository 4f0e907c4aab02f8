/** The connection string names a hub that is not there, or another one. */
import { cloudOf, clouds, ofEachCloud } from '../../../transports/clouds.js'
import type { Evidence, FailedAttempt } from '../../evidence/episode.js'
import { type AmqpWord, among, toldOf, wordOfAttempt, wordOfEnding } from '../amqp-words.js'
import { type Cause, type Finding, knowable, maybe } from '../cause.js'
import { httpAnswerOf } from '../http-answers.js'
import { pages } from '../pages.js'
import { deniesOnlyTheHub } from '../probe-facts.js'

const conditions = new Set(['com.microsoft:iot-hub-not-found-error'])

function judge(word: AmqpWord | null): Finding | null {
  const said = among(word, conditions)
  if (said === null) return null
  return {
    confidence: 'likely',
    evidence: [toldOf(said)],
    runnersUp: [
      maybe('hub-transient-5xx', 'In the portal, check that the hub exists: then it was a fault that passes.'),
    ],
  }
}

const suffixes = new Intl.ListFormat('en', { type: 'disjunction' }).format(
  clouds.map(({ hubSuffix }) => `.${hubSuffix}`),
)

/** The resolver knows other names and not this one. */
function judgeName(attempt: FailedAttempt, evidence: Evidence): Finding | null {
  if (attempt.stage !== 'dns') return null
  const denial = deniesOnlyTheHub(evidence, attempt)
  if (denial === null) return null
  return {
    confidence: 'likely',
    evidence: [
      `The resolver ${denial.resolver} says that there is no ${attempt.host}, and finds another name.`,
      ...(attempt.gateway || cloudOf(attempt.host) !== null
        ? []
        : [`It does not end as the names of hubs do, by ${suffixes}.`]),
      ...(evidence.credentialWorked
        ? ['This device was connected before: then the hub was deleted, or the name was changed.']
        : []),
    ],
    runnersUp: [
      maybe(
        'dns-failure',
        'Ask another resolver (`nslookup HUB 1.1.1.1`): if that finds it, the configured one filters.',
      ),
    ],
  }
}

export const wrongHubHostname: Cause = {
  id: 'wrong-hub-hostname',
  family: 'identity',
  title: 'The connection string names the wrong hub',
  hubCodes: ['401001', '401003'],
  ceiling: knowable('certain'),
  planned: false,
  sees: {
    device:
      'The name does not resolve although others do (ENOTFOUND); or another hub answers and refuses (CONNACK 5); or the address was used instead of the name (CONNACK 3). WebSocket: HTTP status 404.',
    hub: 'Nothing, or a device it does not know.',
    log: 'No entry in the log of the right hub; perhaps 401003 in that of another.',
  },
  meaning:
    'The host name has a typing error or the suffix of another cloud, the hub was deleted, or the device belongs to another hub.',
  tells: {
    raises: 'Other names resolve and this one never did, or it was changed before.',
    rulesOut: 'The same name worked before without a change.',
  },
  nextSteps: {
    device: [
      `Read HostName in the connection string: ${ofEachCloud(({ hubSuffix }) => `NAME.${hubSuffix}`)}.`,
      'Use the name and never the IP address: the hub needs the name to know which hub is meant, and addresses change.',
      'Run `getent hosts HUB` and, for comparison, `getent hosts learn.microsoft.com`.',
    ],
    portal: ['In the portal, check that the hub exists, and copy its host name from the overview.'],
  },
  docs: [pages.errorCodes, pages.addresses],

  fromAttempt(attempt, evidence) {
    const unknown = judgeName(attempt, evidence)
    if (unknown !== null) return unknown
    const answer = httpAnswerOf(attempt)
    if (answer === null || answer.step !== 'upgrade' || answer.status !== 404) return judge(wordOfAttempt(attempt))
    return {
      // A gateway need not offer WebSocket at all.
      confidence: attempt.gateway ? 'possible' : 'likely',
      evidence: [answer.sentence, 'A hub has that address, so what answered is no hub.'],
      runnersUp: [
        maybe('captive-portal', 'Open any page without TLS in a browser on this network: does a login come?'),
        maybe('proxy-required', 'Try from another network. If it works there, a proxy or filter on this one answers.'),
      ],
      ...(attempt.gateway
        ? { firstSteps: ['Check GatewayHostName, and that the gateway serves WebSocket on this port.'] }
        : {}),
    }
  },
  fromEnding: ending => judge(wordOfEnding(ending)),
}
